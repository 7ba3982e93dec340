import CKernels

extension Compute {
    /// `output[t][row] = sum over k of m[row][k] * input[t][k]`, plus `bias[row]`. Input: [tokens][columns], output:
    /// [tokens][rows]; they must not overlap. `input` was prepared for `m`.
    public func linear(_ m: PackedMatrix, input: LinearInput, output: RowsView, bias: [Float]? = nil) {
        precondition(input.width == m.columns && output.width == m.rows && input.count == output.count)
        precondition(bias.map { $0.count == m.rows } ?? true, "one bias per row")
        guard input.count > 0 else { return }
        if let bias {
            bias.withUnsafeBufferPointer { linear(m, input: input, output: output, biasBase: $0.baseAddress) }
        } else {
            linear(m, input: input, output: output, biasBase: nil)
        }
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

    private func linear(_ m: PackedMatrix, input: LinearInput, output: RowsView, biasBase: UnsafePointer<Float>?) {
        var arguments = m.arguments(tokens: input.count)
        arguments.bias = biasBase
        arguments.input = UnsafePointer(input.rows?.base)
        arguments.quantised_input = input.quantised
        arguments.output = output.base
        precondition(isPrepared(input, for: m), "prepared for other weights")
        let kernel = kernel(m)
        let work = m.rows * m.columns * input.count
        precondition(fits(m), "placed for other threads")
        withUnsafePointer(to: arguments) { pointer in
            func steps(node: Int) -> PanelSteps { PanelSteps(panels: cut.panels(part: node, of: m.panelCount)) }
            runSteps({ steps(node: $0).range.count }, tokenCount: input.count, work: work) { node, range in
                let (first, count) = steps(node: node).panels(of: range)
                if node == 0 { return kernel(pointer, first, count) }
                var own = pointer.pointee
                own.weights = m.base(node: node)
                kernel(&own, first, count)
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
