import CKernels

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
    /// Per expert, where its next token is listed.
    fileprivate let places = GrowingBuffer<Int>()
    /// Per node of the memory, one for each expert that has tokens; the lists of steps go with it.
    fileprivate var plans: [ExpertPlan] = []
    fileprivate var hiddenSteps: [PanelSteps] = []
    fileprivate var outputSteps: [PanelSteps] = []

    /// Empty scratch.
    public init() {}
}

/// One expert of a step at one node of the memory: its arguments for the three projections.
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
}

extension Compute {
    /// Per expert and token: `output[row] = down(activation(gate x, up x)) * scale`, rounded to the output's form last.
    /// Input: [rows][hidden], output: [rows][hidden]; they must not overlap. All experts share two parallel regions,
    /// split by row panels.
    public func gatedExperts(
        _ assignments: ExpertAssignments, input: RowsView, output: ResultRowsView, scratch: inout ExpertScratch
    ) {
        let asQuantised = assignments.experts.contains { takesQuantised($0.gate) || takesQuantised($0.up) }
        gatedExperts(
            assignments, input: linearInput(input, asQuantised: asQuantised, scratch.input), output: output,
            scratch: &scratch)
    }

    /// The same with rows of f32.
    public func gatedExperts(
        _ assignments: ExpertAssignments, input: RowsView, output: RowsView, scratch: inout ExpertScratch
    ) {
        gatedExperts(assignments, input: input, output: ResultRowsView(output), scratch: &scratch)
    }

    /// The same for rows that are there in the form that all gate and up projections take.
    public func gatedExperts(
        _ assignments: ExpertAssignments, input: LinearInput, output: ResultRowsView, scratch: inout ExpertScratch
    ) {
        let work = plan(assignments, input: input, output: output, scratch: &scratch)
        guard !scratch.plans.isEmpty else { return }
        let tokensPerExpert = assignments.tokens.count / assignments.experts.count
        scratch.plans.withUnsafeBufferPointer { plans in
            runExperts(plans, scratch.hiddenSteps, tokenCount: tokensPerExpert, work: 2 * work, hiddenPanels)
            runExperts(plans, scratch.outputSteps, tokenCount: tokensPerExpert, work: work) { expert, first, count in
                outputPanels(expert, first: first, count: count, output)
            }
        }
    }

    /// One parallel region: `body` gets the panels of every expert, as long a run of each as there is.
    private func runExperts(
        _ plans: UnsafeBufferPointer<ExpertPlan>, _ steps: [PanelSteps], tokenCount: Int, work: Int,
        _ body: (_ expert: ExpertPlan, _ firstPanel: Int, _ panelCount: Int) -> Void
    ) {
        let expertCount = plans.count / cut.count
        func stepCount(node: Int) -> Int { steps[(node + 1) * expertCount - 1].range.upperBound }
        runSteps(stepCount, tokenCount: tokenCount, work: work) { node, own in
            var index = Self.expert(of: own.lowerBound, among: node * expertCount..<(node + 1) * expertCount, steps)
            while index < (node + 1) * expertCount, steps[index].range.lowerBound < own.upperBound {
                let (first, count) = steps[index].panels(of: steps[index].range.clamped(to: own))
                // A small expert may have no panel at this node.
                if count > 0 { body(plans[index], first, count) }
                index += 1
            }
        }
    }

    /// The last expert whose steps begin at or before `step`.
    private static func expert(of step: Int, among experts: Range<Int>, _ steps: [PanelSteps]) -> Int {
        var (low, high) = (experts.lowerBound, experts.upperBound)
        while high - low > 1 {
            let middle = (low + high) / 2
            if steps[middle].range.lowerBound <= step { low = middle } else { high = middle }
        }
        return low
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
}

extension Compute {
    /// Lays out scratch and plans, node after node; answers the multiply-adds of one projection.
    private func plan(
        _ assignments: ExpertAssignments, input: LinearInput, output: ResultRowsView, scratch: inout ExpertScratch
    ) -> Int {
        scratch.list(assignments, inputCount: input.count, outputCount: output.count)
        scratch.plans.removeAll(keepingCapacity: true)
        var (firstToken, firstFloat, firstBlock) = (0, 0, 0)
        for (weights, count) in zip(assignments.experts, assignments.counts) where count > 0 {
            check(weights, input: input, output: output)
            var plan = scratch.plan(weights, tokens: firstToken..<firstToken + count, firstFloat: firstFloat, self)
            plan.setInput(input)
            plan.setOutput(output)
            if takesQuantised(weights.down) {
                plan.hidden = scratch.hidden.base + firstBlock
                plan.down.quantised_input = UnsafePointer(plan.hidden)
                firstBlock += count * plan.down.quantised_stride
            }
            scratch.plans.append(plan)
            firstToken += count
            firstFloat += count * weights.gate.rows
        }
        placePlans(&scratch, assignments)
        return firstFloat * input.width
    }

    /// Gives the plans their steps; every node but the first has a copy of each, with the weights that lie there.
    private func placePlans(_ scratch: inout ExpertScratch, _ assignments: ExpertAssignments) {
        let expertCount = scratch.plans.count
        scratch.hiddenSteps.removeAll(keepingCapacity: true)
        scratch.outputSteps.removeAll(keepingCapacity: true)
        for node in 0..<cut.count {
            if node > 0 { scratch.plans += scratch.plans[..<expertCount] }
            var (hidden, output) = (0, 0)
            for (weights, count) in zip(assignments.experts, assignments.counts) where count > 0 {
                scratch.plans[scratch.hiddenSteps.count].setWeights(weights, node: node)
                let steps = (
                    hidden: PanelSteps(after: hidden, panels: cut.panels(part: node, of: weights.gate.panelCount)),
                    output: PanelSteps(after: output, panels: cut.panels(part: node, of: weights.down.panelCount))
                )
                scratch.hiddenSteps.append(steps.hidden)
                scratch.outputSteps.append(steps.output)
                (hidden, output) = (steps.hidden.range.upperBound, steps.output.range.upperBound)
            }
        }
    }

    private func check(_ weights: ExpertWeights, input: LinearInput, output: ResultRowsView) {
        precondition(fits(weights.gate) && fits(weights.up) && fits(weights.down), "placed for others")
        precondition(weights.gate.columns == input.width && weights.down.rows == output.width)
        precondition(isPrepared(input, for: weights.gate) && isPrepared(input, for: weights.up), "other weights")
    }
}

extension ExpertScratch {
    /// Makes room, and lists the tokens expert after expert.
    fileprivate func list(_ assignments: ExpertAssignments, inputCount: Int, outputCount: Int) {
        let (experts, counts) = (assignments.experts, assignments.counts)
        let hiddenFloats = zip(experts, counts).reduce(0) { $0 + $1.1 * $1.0.gate.rows }
        gate.reserve(hiddenFloats)
        up.reserve(hiddenFloats)
        hidden.reserve(
            zip(experts, counts).reduce(0) { $0 + $1.1 * QuantisedRows.blocksPerRow(width: $1.0.gate.rows) })
        inputRows.reserve(assignments.tokens.count)
        outputRows.reserve(assignments.tokens.count)
        scales.reserve(assignments.tokens.count)
        places.reserve(counts.count)
        var place = 0
        for (expert, count) in counts.enumerated() {
            places.base[expert] = place
            place += count
        }
        for token in assignments.tokens {
            precondition(0..<inputCount ~= token.inputRow, "input row outside the view")
            precondition(0..<outputCount ~= token.outputRow, "output row outside the view")
            let place = places.base[token.expert]
            places.base[token.expert] = place + 1
            inputRows.base[place] = token.inputRow
            outputRows.base[place] = token.outputRow
            scales.base[place] = token.scale
        }
    }

    /// One expert's arguments, all but its input and output; `tokens` are where its tokens are listed.
    fileprivate func plan(
        _ weights: ExpertWeights, tokens: Range<Int>, firstFloat: Int, _ compute: Compute
    ) -> ExpertPlan {
        var plan = ExpertPlan(
            gateKernel: compute.kernel(weights.gate), upKernel: compute.kernel(weights.up),
            downKernel: compute.kernel(weights.down))
        plan.gate = weights.gate.arguments(tokens: tokens.count)
        plan.gate.input_rows = UnsafePointer(inputRows.base + tokens.lowerBound)
        plan.gate.output = gate.base + firstFloat
        plan.up = weights.up.arguments(tokens: tokens.count)
        plan.up.input_rows = plan.gate.input_rows
        plan.up.output = up.base + firstFloat
        plan.down = weights.down.arguments(tokens: tokens.count)
        plan.down.input = UnsafePointer(plan.gate.output)
        plan.down.output_rows = UnsafePointer(outputRows.base + tokens.lowerBound)
        plan.down.scales = UnsafePointer(scales.base + tokens.lowerBound)
        plan.activation = weights.activation.arguments
        plan.gate.bias = weights.biases?.gate
        plan.up.bias = weights.biases?.up
        plan.down.bias = weights.biases?.down
        return plan
    }
}

extension ExpertPlan {
    fileprivate mutating func setWeights(_ weights: ExpertWeights, node: Int) {
        gate.weights = weights.gate.base(node: node)
        up.weights = weights.up.base(node: node)
        down.weights = weights.down.base(node: node)
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
