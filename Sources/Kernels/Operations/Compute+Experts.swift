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

/// One expert of a step: its arguments for the three projections, and where its share of the tasks begins.
private struct ExpertPlan {
    var gate = colony_linear_arguments()
    var up = colony_linear_arguments()
    var down = colony_linear_arguments()
    var gateKernel: LinearKernel
    var upKernel: LinearKernel
    var downKernel: LinearKernel
    /// Where the hidden rows go as 8-bit integers, if the down projection takes them so.
    var hidden: UnsafeMutablePointer<colony_activation_block>?
    /// This expert's steps in each of the two regions.
    var hiddenSteps = ExpertSteps()
    var outputSteps = ExpertSteps()
}

/// Which steps of a region are one expert's: each is `panelsPerStep` of its panels, the last one what is left.
private struct ExpertSteps {
    var range = 0..<0
    var panelCount = 0

    init() {}

    init(after previous: Int, panelCount: Int) {
        self.panelCount = panelCount
        range = previous..<previous + (panelCount + panelsPerStep - 1) / panelsPerStep
    }

    /// The panels of some of these steps.
    func panels(of steps: Range<Int>) -> (first: Int, count: Int) {
        let first = (steps.lowerBound - range.lowerBound) * panelsPerStep
        return (first, min(steps.count * panelsPerStep, panelCount - first))
    }
}

extension Compute {
    /// Per expert and token: `output[row] = down(silu(gate x) * (up x)) * scale`. Input: [rows][hidden], output:
    /// [rows][hidden]; they must not overlap. All experts share two parallel regions, split by row panels.
    public func gatedExperts(
        _ batches: [ExpertBatch], input: RowsView, output: RowsView, scratch: inout ExpertScratch
    ) {
        let asQuantised = batches.contains { takesQuantised($0.weights.gate) || takesQuantised($0.weights.up) }
        gatedExperts(
            batches, input: linearInput(input, asQuantised: asQuantised, scratch.input), output: output,
            scratch: &scratch)
    }

    /// The same for rows that are there in the form that all gate and up projections take.
    public func gatedExperts(
        _ batches: [ExpertBatch], input: LinearInput, output: RowsView, scratch: inout ExpertScratch
    ) {
        let steps = plan(batches, input: input, output: output, scratch: &scratch)
        let tokensPerExpert = batches.isEmpty ? 0 : steps.tokens / batches.count
        scratch.plans.withUnsafeBufferPointer { plans in
            guard !plans.isEmpty else { return }
            runSteps(steps.hidden, tokenCount: tokensPerExpert, work: 2 * steps.work) { steps in
                Self.forEachExpert(of: steps, in: plans, \.hiddenSteps, hiddenPanels)
            }
            runSteps(steps.output, tokenCount: tokensPerExpert, work: steps.work) { steps in
                Self.forEachExpert(of: steps, in: plans, \.outputSteps) { expert, first, count in
                    withUnsafePointer(to: expert.down) { expert.downKernel($0, first, count) }
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
        let start = first * panelRows
        let width = min((first + count) * panelRows, rows) - start
        for token in 0..<expert.gate.tokens {
            let row = gate + token * rows + start
            table.silu_multiply(row, up + token * rows + start, row, width)
            if let hidden = expert.hidden {
                let block = token * expert.down.quantised_stride + start / Int(COLONY_BLOCK_COLUMNS)
                table.quantise(row, hidden + block, width)
            }
        }
    }

    /// Calls `body` with the panels of every expert that `steps` touch, as long a run of each as there is.
    private static func forEachExpert(
        of steps: Range<Int>, in plans: UnsafeBufferPointer<ExpertPlan>, _ share: KeyPath<ExpertPlan, ExpertSteps>,
        _ body: (_ expert: ExpertPlan, _ firstPanel: Int, _ panelCount: Int) -> Void
    ) {
        var index = expert(of: steps.lowerBound, in: plans, share)
        while index < plans.count, plans[index][keyPath: share].range.lowerBound < steps.upperBound {
            let own = plans[index][keyPath: share]
            let (first, count) = own.panels(of: own.range.clamped(to: steps))
            body(plans[index], first, count)
            index += 1
        }
    }

    /// The last expert whose tasks begin at or before `step`.
    private static func expert(
        of step: Int, in plans: UnsafeBufferPointer<ExpertPlan>, _ share: KeyPath<ExpertPlan, ExpertSteps>
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
    /// Lays out scratch and tasks; answers how many steps each region has, how many tokens all experts
    /// together, and the multiply-adds of one projection.
    private func plan(
        _ batches: [ExpertBatch], input: LinearInput, output: RowsView, scratch: inout ExpertScratch
    ) -> (hidden: Int, output: Int, tokens: Int, work: Int) {
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
        var steps = (hidden: 0, output: 0, tokens: tokens, work: hiddenFloats * input.width)
        var firstToken = 0
        var firstFloat = 0
        var firstBlock = 0
        for batch in batches where !batch.inputRows.isEmpty {
            check(batch, input: input, output: output)
            let weights = batch.weights
            var plan = scratch.plan(batch, firstToken: firstToken, firstFloat: firstFloat, self)
            plan.setRows(input: input, output: output)
            if takesQuantised(weights.down) {
                plan.hidden = scratch.hidden.base + firstBlock
                plan.down.quantised_input = UnsafePointer(plan.hidden)
                firstBlock += batch.inputRows.count * plan.down.quantised_stride
            }
            plan.hiddenSteps = ExpertSteps(after: steps.hidden, panelCount: weights.gate.panelCount)
            plan.outputSteps = ExpertSteps(after: steps.output, panelCount: weights.down.panelCount)
            scratch.plans.append(plan)
            firstToken += batch.inputRows.count
            firstFloat += batch.inputRows.count * weights.gate.rows
            steps.hidden = plan.hiddenSteps.range.upperBound
            steps.output = plan.outputSteps.range.upperBound
        }
        return steps
    }

    private func check(_ batch: ExpertBatch, input: LinearInput, output: RowsView) {
        let weights = batch.weights
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
        return plan
    }
}

extension ExpertPlan {
    mutating func setRows(input: LinearInput, output: RowsView) {
        gate.input = UnsafePointer(input.rows?.base)
        gate.quantised_input = input.quantised
        up.input = gate.input
        up.quantised_input = gate.quantised_input
        down.output = output.base
    }
}
