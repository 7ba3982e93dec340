import CKernels

/// The tokens that go to one expert.
public struct ExpertBatch {
    /// The expert.
    public let weights: ExpertWeights
    /// Per token, its row of the input.
    public var inputRows: [Int]
    /// Per token, its row of the output; no row is named twice in a step.
    public var outputRows: [Int]
    /// Per token, what its output row is multiplied with.
    public var scales: [Float]

    /// The tokens of one expert; the three lists are of one length.
    public init(weights: ExpertWeights, inputRows: [Int], outputRows: [Int], scales: [Float]) {
        precondition(inputRows.count == outputRows.count && scales.count == outputRows.count)
        self.weights = weights
        self.inputRows = inputRows
        self.outputRows = outputRows
        self.scales = scales
    }
}

/// Memory that `gatedExperts` works in; it grows to the largest step and stays. A copy shares the memory: one for each
/// step that runs at a time.
public struct ExpertScratch {
    fileprivate let gate = GrowingBuffer<Float>()
    fileprivate let up = GrowingBuffer<Float>()
    fileprivate let input = QuantisedRows()
    fileprivate let hidden = GrowingBuffer<colony_activation_block>()
    fileprivate let inputRows = GrowingBuffer<Int>()
    fileprivate let outputRows = GrowingBuffer<Int>()
    fileprivate let scales = GrowingBuffer<Float>()
    fileprivate var plans: [ExpertPlan] = []

    /// Empty scratch.
    public init() {}
}

/// One expert of a step at one node of the memory: its arguments for the three projections, and which steps are its.
private struct ExpertPlan {
    var gate = colony_linear_arguments()
    var up = colony_linear_arguments()
    var down = colony_linear_arguments()
    var gateKernel: LinearKernel
    var upKernel: LinearKernel
    var downKernel: LinearKernel
    var activation = GatedActivation.silu.arguments
    /// Where the hidden rows go as 8-bit integers, if the down projection takes them so.
    var hidden: UnsafeMutablePointer<colony_activation_block>?
    /// Per token its row of the output, if that is not f32: then it is written by way of other memory.
    var resultRows: UnsafePointer<Int>?
    /// This expert's steps in each of the two regions.
    var hiddenSteps = PanelSteps()
    var outputSteps = PanelSteps()
}

extension Compute {
    /// Per expert and token: `output[row] = down(activation(gate x, up x)) * scale`, rounded to the output's form last.
    /// Input: [rows][hidden], output: [rows][hidden]; they must not overlap. All experts share two parallel regions,
    /// split by row panels.
    public func gatedExperts(
        _ batches: [ExpertBatch], input: RowsView, output: ResultRowsView, scratch: inout ExpertScratch
    ) {
        let asQuantised = batches.contains { takesQuantised($0.weights.gate) || takesQuantised($0.weights.up) }
        gatedExperts(
            batches, input: linearInput(input, asQuantised: asQuantised, scratch.input), output: output,
            scratch: &scratch)
    }

    /// The same with rows of f32.
    public func gatedExperts(
        _ batches: [ExpertBatch], input: RowsView, output: RowsView, scratch: inout ExpertScratch
    ) {
        gatedExperts(batches, input: input, output: ResultRowsView(output), scratch: &scratch)
    }

    /// The same for rows that are there in the form that all gate and up projections take.
    public func gatedExperts(
        _ batches: [ExpertBatch], input: LinearInput, output: ResultRowsView, scratch: inout ExpertScratch
    ) {
        let step = plan(batches, input: input, output: output, scratch: &scratch)
        let tokensPerExpert = batches.isEmpty ? 0 : step.tokens / batches.count
        scratch.plans.withUnsafeBufferPointer { all in
            guard !all.isEmpty else { return }
            func plans(node: Int) -> UnsafeBufferPointer<ExpertPlan> {
                let count = all.count / cut.count
                return UnsafeBufferPointer(rebasing: all[node * count..<(node + 1) * count])
            }
            func stepCount(_ steps: KeyPath<ExpertPlan, PanelSteps>) -> (Int) -> Int {
                { node in plans(node: node).last?[keyPath: steps].range.upperBound ?? 0 }
            }
            runSteps(stepCount(\.hiddenSteps), tokenCount: tokensPerExpert, work: 2 * step.work) { node, steps in
                Self.forEachExpert(of: steps, in: plans(node: node), \.hiddenSteps, hiddenPanels)
            }
            runSteps(stepCount(\.outputSteps), tokenCount: tokensPerExpert, work: step.work) { node, steps in
                Self.forEachExpert(of: steps, in: plans(node: node), \.outputSteps) { expert, first, count in
                    outputPanels(expert, first: first, count: count, output)
                }
            }
        }
    }

    /// Gate, up and activation of some panels (whole blocks of 32 rows), for all tokens of the expert.
    private func hiddenPanels(_ expert: ExpertPlan, first: Int, count: Int) {
        let rows = expert.gate.rows
        withUnsafePointer(to: expert.gate) { expert.gateKernel($0, first, count) }
        withUnsafePointer(to: expert.up) { expert.upKernel($0, first, count) }
        guard let gate = expert.gate.output, let up = expert.up.output else { return }
        var activation = expert.activation
        let start = first * panelRows
        let width = min((first + count) * panelRows, rows) - start
        for token in 0..<expert.gate.tokens {
            let row = gate + token * rows + start
            table.gated_activation(&activation, row, up + token * rows + start, row, width)
            if let hidden = expert.hidden {
                let block = token * expert.down.quantised_stride + start / Int(COLONY_BLOCK_COLUMNS)
                table.quantise(row, hidden + block, width)
            }
        }
    }

    /// Down projection of some panels (whole blocks of 32 rows), for all tokens of the expert; where the output is not
    /// f32, so few of them at a time that what they give is rounded while it is in the cache.
    private func outputPanels(_ expert: ExpertPlan, first: Int, count: Int, _ output: ResultRowsView) {
        guard let resultRows = expert.resultRows else {
            return withUnsafePointer(to: expert.down) { expert.downKernel($0, first, count) }
        }
        let tokens = expert.down.tokens
        let most = max(panelsPerStep, roundedFloatsMax / (tokens * panelRows) / panelsPerStep * panelsPerStep)
        let store = kernels.storeResult(output.format)
        for panel in stride(from: first, to: first + count, by: most) {
            let start = panel * panelRows
            let width = min(most, first + count - panel) * panelRows
            withUnsafeTemporaryAllocation(of: Float.self, capacity: tokens * width) { floats in
                guard let results = floats.baseAddress else { return }
                var down = expert.down
                // The kernel counts rows from the matrix's first.
                down.output = results - start
                down.output_stride = width
                withUnsafePointer(to: down) { expert.downKernel($0, panel, width / panelRows) }
                for token in 0..<tokens {
                    store(
                        results + token * width, output[resultRows[token]], start,
                        min(width, output.width - start), output.width)
                }
            }
        }
    }

    /// Calls `body` with the panels of every expert that `steps` touch, as long a run of each as there is.
    private static func forEachExpert(
        of steps: Range<Int>, in plans: UnsafeBufferPointer<ExpertPlan>, _ share: KeyPath<ExpertPlan, PanelSteps>,
        _ body: (_ expert: ExpertPlan, _ firstPanel: Int, _ panelCount: Int) -> Void
    ) {
        var index = expert(of: steps.lowerBound, in: plans, share)
        while index < plans.count, plans[index][keyPath: share].range.lowerBound < steps.upperBound {
            let own = plans[index][keyPath: share]
            let (first, count) = own.panels(of: own.range.clamped(to: steps))
            // A small expert may have no panel at this node.
            if count > 0 { body(plans[index], first, count) }
            index += 1
        }
    }

    /// The last expert whose tasks begin at or before `step`.
    private static func expert(
        of step: Int, in plans: UnsafeBufferPointer<ExpertPlan>, _ share: KeyPath<ExpertPlan, PanelSteps>
    ) -> Int {
        var low = 0
        var high = plans.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if plans[middle][keyPath: share].range.lowerBound <= step { low = middle } else { high = middle }
        }
        return low
    }
}

extension Compute {
    /// Lays out scratch and plans, node after node; answers how many tokens all experts have together, and the
    /// multiply-adds of one projection.
    private func plan(
        _ batches: [ExpertBatch], input: LinearInput, output: ResultRowsView, scratch: inout ExpertScratch
    ) -> (tokens: Int, work: Int) {
        var tokens = 0
        var hiddenFloats = 0
        var hiddenBlocks = 0
        for batch in batches {
            tokens += batch.inputRows.count
            hiddenFloats += batch.inputRows.count * batch.weights.gate.rows
            hiddenBlocks += batch.inputRows.count * QuantisedRows.blocksPerRow(width: batch.weights.gate.rows)
        }
        scratch.reserve(tokens: tokens, hiddenFloats: hiddenFloats, hiddenBlocks: hiddenBlocks)
        scratch.plans.removeAll(keepingCapacity: true)
        var firstToken = 0
        var firstFloat = 0
        var firstBlock = 0
        for batch in batches where !batch.inputRows.isEmpty {
            check(batch, input: input, output: output)
            let weights = batch.weights
            var plan = scratch.plan(batch, firstToken: firstToken, firstFloat: firstFloat, self)
            plan.setInput(input)
            plan.setOutput(output)
            if takesQuantised(weights.down) {
                plan.hidden = scratch.hidden.base + firstBlock
                plan.down.quantised_input = UnsafePointer(plan.hidden)
                firstBlock += batch.inputRows.count * plan.down.quantised_stride
            }
            scratch.plans.append(plan)
            firstToken += batch.inputRows.count
            firstFloat += batch.inputRows.count * weights.gate.rows
        }
        placePlans(&scratch.plans, batches.lazy.filter { !$0.inputRows.isEmpty }.map(\.weights))
        return (tokens, hiddenFloats * input.width)
    }

    /// Gives the plans their steps; every node but the first has a copy of each, with the weights that lie there.
    private func placePlans(_ plans: inout [ExpertPlan], _ experts: some Sequence<ExpertWeights>) {
        let expertCount = plans.count
        for node in 0..<cut.count {
            if node > 0 { plans += plans[..<expertCount] }
            var (hidden, output) = (0, 0)
            for (index, weights) in zip(node * expertCount..<plans.count, experts) {
                plans[index].setPanels(weights, node: node, after: (hidden, output), cut)
                hidden = plans[index].hiddenSteps.range.upperBound
                output = plans[index].outputSteps.range.upperBound
            }
        }
    }

    private func check(_ batch: ExpertBatch, input: LinearInput, output: ResultRowsView) {
        let weights = batch.weights
        precondition(fits(weights.gate) && fits(weights.up) && fits(weights.down), "placed for others")
        precondition(weights.gate.columns == input.width && weights.down.rows == output.width)
        precondition(isPrepared(input, for: weights.gate) && isPrepared(input, for: weights.up), "other weights")
        precondition(batch.outputRows.count == batch.inputRows.count && batch.scales.count == batch.inputRows.count)
        for row in batch.inputRows { precondition(row >= 0 && row < input.count, "input row outside the view") }
        for row in batch.outputRows { precondition(row >= 0 && row < output.count, "output row outside the view") }
    }
}

extension ExpertScratch {
    fileprivate func reserve(tokens: Int, hiddenFloats: Int, hiddenBlocks: Int) {
        hidden.reserve(hiddenBlocks)
        gate.reserve(hiddenFloats)
        up.reserve(hiddenFloats)
        inputRows.reserve(tokens)
        outputRows.reserve(tokens)
        scales.reserve(tokens)
    }

    /// One expert's arguments, all but its input and output, with its lists copied to where they stay.
    fileprivate func plan(
        _ batch: ExpertBatch, firstToken: Int, firstFloat: Int, _ compute: Compute
    ) -> ExpertPlan {
        for token in batch.inputRows.indices {
            inputRows.base[firstToken + token] = batch.inputRows[token]
            outputRows.base[firstToken + token] = batch.outputRows[token]
            scales.base[firstToken + token] = batch.scales[token]
        }
        let weights = batch.weights
        var plan = ExpertPlan(
            gateKernel: compute.kernel(weights.gate), upKernel: compute.kernel(weights.up),
            downKernel: compute.kernel(weights.down))
        plan.gate = weights.gate.arguments(tokens: batch.inputRows.count)
        plan.gate.input_rows = UnsafePointer(inputRows.base + firstToken)
        plan.gate.output = gate.base + firstFloat
        plan.up = weights.up.arguments(tokens: batch.inputRows.count)
        plan.up.input_rows = plan.gate.input_rows
        plan.up.output = up.base + firstFloat
        plan.down = weights.down.arguments(tokens: batch.inputRows.count)
        plan.down.input = UnsafePointer(plan.gate.output)
        plan.down.output_rows = UnsafePointer(outputRows.base + firstToken)
        plan.down.scales = UnsafePointer(scales.base + firstToken)
        plan.activation = weights.activation.arguments
        plan.gate.bias = weights.biases?.gate
        plan.up.bias = weights.biases?.up
        plan.down.bias = weights.biases?.down
        return plan
    }
}

extension ExpertPlan {
    fileprivate mutating func setPanels(
        _ weights: ExpertWeights, node: Int, after previous: (hidden: Int, output: Int), _ cut: PanelCut
    ) {
        gate.weights = weights.gate.base(node: node)
        up.weights = weights.up.base(node: node)
        down.weights = weights.down.base(node: node)
        hiddenSteps = PanelSteps(
            after: previous.hidden, panels: cut.panels(part: node, of: weights.gate.panelCount))
        outputSteps = PanelSteps(
            after: previous.output, panels: cut.panels(part: node, of: weights.down.panelCount))
    }

    mutating func setInput(_ input: LinearInput) {
        gate.input = UnsafePointer(input.rows?.base)
        gate.quantised_input = input.quantised
        up.input = gate.input
        up.quantised_input = gate.quantised_input
    }

    mutating func setOutput(_ output: ResultRowsView) {
        if output.format == .f32 {
            down.output = output.base.assumingMemoryBound(to: Float.self)
        } else {
            resultRows = down.output_rows
            down.output_rows = nil
        }
    }
}

/// Floats that the down projection gives before they are rounded: a part of a second-level cache.
private let roundedFloatsMax = 1 << 14
