import CKernels

/// One of several linear layers that take the same input.
public struct LinearCall {
    /// The weights, `[outputs, inputs]`.
    public let matrix: PackedMatrix
    /// Where results go, `[tokens, outputs]`.
    public let output: RowsView
    /// Added to each row of results, `[outputs]`; nil: nothing.
    public let bias: [Float]?

    /// A layer of the call.
    public init(_ matrix: PackedMatrix, output: RowsView, bias: [Float]? = nil) {
        self.matrix = matrix
        self.output = output
        self.bias = bias
    }
}

/// A layer as its kernel takes it, and which steps are its.
private struct LinearPlan {
    let matrix: PackedMatrix
    let kernel: LinearKernel
    var arguments: colony_linear_arguments
    /// One for each node of the memory.
    var steps: [PanelSteps] = []
}

extension Compute {
    /// `output[t][row] = sum over k of m[row][k] * input[t][k]`, plus `bias[row]`. Input: [tokens][columns], output:
    /// [tokens][rows]; they must not overlap. `input` was prepared for `m`.
    public func linear(_ m: PackedMatrix, input: LinearInput, output: RowsView, bias: [Float]? = nil) {
        linear([LinearCall(m, output: output, bias: bias)], input: input)
    }

    /// The same for several layers with one input, all in one parallel region: threads meet once for all of them.
    public func linear(_ calls: [LinearCall], input: LinearInput) {
        guard input.count > 0 else { return }
        var plans: [LinearPlan] = []
        plans.reserveCapacity(calls.count)
        withPlans(calls[...], input: input, &plans) { run($0, tokenCount: input.count) }
    }

    /// The same for rows that are used once.
    public func linear(_ m: PackedMatrix, input: RowsView, output: RowsView, bias: [Float]? = nil) {
        let scratch = QuantisedRows()
        linear(m, input: linearInput(input, for: [m], scratch), output: output, bias: bias)
    }

    /// Brings rows into the form in which the kernels of `matrices` take them: those of blocks want 8-bit activations,
    /// which are then in `scratch` until it is used again.
    public func linearInput(_ rows: RowsView, for matrices: [PackedMatrix], _ scratch: QuantisedRows) -> LinearInput {
        linearInput(rows, asQuantised: matrices.contains(where: takesQuantised), scratch)
    }

    func linearInput(_ rows: RowsView, asQuantised: Bool, _ scratch: QuantisedRows) -> LinearInput {
        LinearInput(rows, quantised: asQuantised ? quantise(rows, scratch) : nil)
    }

    /// Whether `input` is there in the form that the kernel of `m` takes.
    func isPrepared(_ input: LinearInput, for m: PackedMatrix) -> Bool {
        takesQuantised(m) ? input.quantised != nil : input.rows != nil
    }

    /// Whether the kernel of `m` takes 8-bit activations.
    public func takesQuantised(_ m: PackedMatrix) -> Bool { m.format.takesIntegers && activations == .int8 }

    /// The function that multiplies with `m`.
    func kernel(_ m: PackedMatrix) -> LinearKernel { kernels.linear(m.format, activations) }

    private func quantise(_ rows: RowsView, _ scratch: QuantisedRows) -> UnsafePointer<colony_activation_block> {
        let stride = QuantisedRows.blocksPerRow(width: rows.width)
        let blocks = scratch.reserve(rows: rows.count, width: rows.width)
        forEachRow(rows.count, width: rows.width) { row in
            table.quantise(rows.base + row * rows.width, blocks + row * stride, rows.width)
        }
        return UnsafePointer(blocks)
    }

    /// Runs `body` for rows whose values cost little each, on several threads where they are many.
    func forEachRow(_ count: Int, width: Int, _ body: (_ row: Int) -> Void) {
        parallel(count, grain: max(1, valuesPerPieceMin / max(width, 1))) { range in
            for row in range { body(row) }
        }
    }
}

extension Compute {
    /// Makes the plans of `calls`, whose biases stay where they are while `body` runs.
    private func withPlans(
        _ calls: ArraySlice<LinearCall>, input: LinearInput, _ plans: inout [LinearPlan],
        _ body: ([LinearPlan]) -> Void
    ) {
        guard let call = calls.first else { return body(plans) }
        plans.append(plan(call, input: input, after: plans.last))
        guard let bias = call.bias else { return withPlans(calls.dropFirst(), input: input, &plans, body) }
        precondition(bias.count == call.matrix.rows, "one bias per row")
        bias.withUnsafeBufferPointer { bias in
            plans[plans.count - 1].arguments.bias = bias.baseAddress
            withPlans(calls.dropFirst(), input: input, &plans, body)
        }
    }

    private func plan(_ call: LinearCall, input: LinearInput, after previous: LinearPlan?) -> LinearPlan {
        let matrix = call.matrix
        precondition(input.width == matrix.columns && input.count == call.output.count)
        precondition(call.output.width == matrix.rows && isPrepared(input, for: matrix), "prepared for other weights")
        precondition(fits(matrix), "placed for other threads")
        var arguments = matrix.arguments(tokens: input.count)
        arguments.input = UnsafePointer(input.rows?.base)
        arguments.quantised_input = input.quantised
        arguments.output = call.output.base
        return LinearPlan(
            matrix: matrix, kernel: kernel(matrix), arguments: arguments,
            steps: (0..<cut.count).map { node in
                PanelSteps(
                    after: previous?.steps[node].range.upperBound ?? 0,
                    panels: cut.panels(part: node, of: matrix.panelCount))
            })
    }

    private func run(_ plans: [LinearPlan], tokenCount: Int) {
        let work = plans.reduce(0) { $0 + $1.matrix.rows * $1.matrix.columns } * tokenCount
        let stepCount = { node in plans.last?.steps[node].range.upperBound ?? 0 }
        runSteps(stepCount, tokenCount: tokenCount, work: work) { node, steps in
            for plan in plans where plan.steps[node].range.overlaps(steps) {
                let own = plan.steps[node]
                let (first, count) = own.panels(of: own.range.clamped(to: steps))
                var arguments = plan.arguments
                arguments.weights = plan.matrix.base(node: node)
                plan.kernel(&arguments, first, count)
            }
        }
    }
}

extension PackedMatrix {
    /// Its weights and shape as a kernel's arguments; input and output are the caller's, rows beside each other.
    func arguments(tokens: Int) -> colony_linear_arguments {
        var arguments = colony_linear_arguments()
        arguments.weights = base
        arguments.rows = rows
        arguments.columns = columns
        arguments.input_stride = columns
        arguments.quantised_stride = QuantisedRows.blocksPerRow(width: columns)
        arguments.output_stride = rows
        arguments.tokens = tokens
        arguments.prefetch_bytes = prefetchBytes
        arguments.groups = groups
        return arguments
    }
}

/// The same for all kernels of this machine.
private let prefetchBytes = colony_prefetch_bytes()

/// Values that are worth another thread where each costs little.
private let valuesPerPieceMin = 16384
