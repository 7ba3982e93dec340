import CKernels

/// The heads of a layer of gated delta rules (Yang et al., arXiv 2412.06464).
public struct DeltaShape: Hashable, Sendable {
    /// Heads of keys and queries.
    public let keyHeadCount: Int
    /// Heads of values, a multiple of those of keys: neighbours share a key and a query.
    public let valueHeadCount: Int
    /// Floats of a key.
    public let keyDim: Int
    /// Floats of a value.
    public let valueDim: Int

    /// Describes the heads.
    public init(keyHeadCount: Int, valueHeadCount: Int, keyDim: Int, valueDim: Int) {
        precondition(keyHeadCount > 0 && valueHeadCount > 0 && valueHeadCount % keyHeadCount == 0)
        precondition(keyDim > 0 && valueDim > 0)
        self.keyHeadCount = keyHeadCount
        self.valueHeadCount = valueHeadCount
        self.keyDim = keyDim
        self.valueDim = valueDim
    }

    /// Floats of all keys, and of all queries, of a row.
    public var keyWidth: Int { keyHeadCount * keyDim }
    /// Floats of all values of a row.
    public var valueWidth: Int { valueHeadCount * valueDim }
    /// Floats of a row's queries, keys and values, which lie in this order.
    public var mixedWidth: Int { 2 * keyWidth + valueWidth }
    /// Floats of the state of one head: `[valueDim / 16, rounded up][keyDim][16]`.
    public var headStateFloats: Int { groupCount * keyDim * panelRows }
    /// Floats of the state of all heads.
    public var stateFloats: Int { valueHeadCount * headStateFloats }

    /// Sixteens of dimensions of a value.
    var groupCount: Int { (valueDim + panelRows - 1) / panelRows }
}

/// Neighbouring rows of one sequence, and the state that its earlier rows left.
///
/// `@unchecked Sendable`: a pointer that one call uses at a time.
public struct RecurrentRun: @unchecked Sendable {
    /// The rows, in order of position.
    public let rows: Range<Int>
    /// The state, which becomes that after the last row.
    public let state: UnsafeMutablePointer<Float>

    /// Names rows and their state.
    public init(rows: Range<Int>, state: UnsafeMutablePointer<Float>) {
        self.rows = rows
        self.state = state
    }
}

extension Compute {
    /// Channels that one task convolves: whole lines of memory, enough of them to be worth a task.
    private static let channelsPerTask = 512
    /// Fewer tasks than this per thread leave some of them idle at the end.
    private static let tasksPerThread = 4

    /// Convolves each channel of each run with the inputs before it (zeros before the first), then SiLU. `weights` is
    /// [taps][channels], the newest input's last; a run's state has the `taps - 1` rows of input before it,
    /// [taps - 1][channels], oldest first. Output is other memory than input.
    public func causalConvolution(
        _ input: RowsView, weights: Rows, runs: [RecurrentRun], output: RowsView
    ) {
        let channels = input.width
        precondition(weights.width == channels && weights.capacity > 0 && output.width == channels)
        let cuts = (channels + Self.channelsPerTask - 1) / Self.channelsPerTask
        let rowCount = runs.reduce(0) { $0 + $1.rows.count }
        run(runs.count * cuts, work: rowCount * channels * weights.capacity) { task, _ in
            let run = runs[task / cuts]
            precondition(run.rows.upperBound <= input.count && run.rows.upperBound <= output.count)
            var arguments = colony_convolution_arguments(
                weights: weights.view.base, state: run.state, input: input.base + run.rows.lowerBound * channels,
                output: output.base + run.rows.lowerBound * channels, channels: channels, taps: weights.capacity,
                rows: run.rows.count)
            let first = task % cuts * Self.channelsPerTask
            table.causal_convolution(&arguments, first, min(Self.channelsPerTask, channels - first))
        }
    }

    /// What each head of each row keeps and learns. `decay` and `beta`, `[rows][heads]`, come as the projections a and
    /// b and become `exp(-rate · softplus(a + bias))` and `1 / (1 + exp(-b))`.
    public func deltaGates(decay: RowsView, beta: RowsView, rates: [Float], bias: [Float]) {
        precondition(decay.width == rates.count && beta.width == rates.count && bias.count == rates.count)
        precondition(decay.count == beta.count)
        rates.withUnsafeBufferPointer { rates in
            bias.withUnsafeBufferPointer { bias in
                guard let rateBase = rates.baseAddress, let biasBase = bias.baseAddress else { return }
                forEachRow(decay.count, width: decay.width) { row in
                    table.delta_gates(
                        rateBase, biasBase, decay.base + row * decay.width, beta.base + row * beta.width, decay.width)
                }
            }
        }
    }

    /// Divides each head of the queries and keys in `mixed` ([rows][queries, keys, values]) by its length, and the
    /// queries by the root of their dimension too.
    public func normaliseDeltaKeys(_ mixed: RowsView, _ shape: DeltaShape, epsilon: Float) {
        precondition(mixed.width == shape.mixedWidth)
        let queryScale = 1 / Float(shape.keyDim).squareRoot()
        forEachRow(mixed.count, width: mixed.width) { row in
            for head in 0..<2 * shape.keyHeadCount {
                table.l2_norm(
                    mixed.base + row * mixed.width + head * shape.keyDim, head < shape.keyHeadCount ? queryScale : 1,
                    epsilon, shape.keyDim)
            }
        }
    }

    /// Runs the gated delta rule over `mixed` ([rows][queries, keys, values], normalised): token by token, whatever the
    /// runs are, so that bits do not depend on how a sequence is cut. Work is shared out by run, head and sixteens of
    /// dimensions. A run's state is [valueHead][`DeltaShape.headStateFloats`]; output is [rows][valueHead][valueDim].
    public func deltaRule(
        _ mixed: RowsView, decay: RowsView, beta: RowsView, _ shape: DeltaShape, runs: [RecurrentRun], output: RowsView
    ) {
        precondition(mixed.width == shape.mixedWidth && output.width == shape.valueWidth)
        precondition(decay.width == shape.valueHeadCount && beta.width == shape.valueHeadCount)
        let pairCount = runs.count * shape.valueHeadCount
        let cuts = pairCount < Self.tasksPerThread * pool.threadCount ? (shape.groupCount + 1) / 2 : 1
        let rowCount = runs.reduce(0) { $0 + $1.rows.count }
        run(pairCount * cuts, work: rowCount * shape.stateFloats * 4) { task, _ in
            let run = runs[task / cuts / shape.valueHeadCount]
            let head = task / cuts % shape.valueHeadCount
            let keyHead = head / (shape.valueHeadCount / shape.keyHeadCount)
            let row = run.rows.lowerBound
            precondition(run.rows.upperBound <= mixed.count && run.rows.upperBound <= output.count)
            let base = mixed.base + row * mixed.width
            var arguments = colony_delta_arguments(
                state: run.state + head * shape.headStateFloats, query: base + keyHead * shape.keyDim,
                key: base + shape.keyWidth + keyHead * shape.keyDim,
                value: base + 2 * shape.keyWidth + head * shape.valueDim, decay: decay.base + row * decay.width + head,
                beta: beta.base + row * beta.width + head,
                output: output.base + row * output.width + head * shape.valueDim, input_stride: mixed.width,
                gate_stride: decay.width, output_stride: output.width, rows: run.rows.count, key_dim: shape.keyDim,
                value_dim: shape.valueDim)
            let groupsPerCut = (shape.groupCount + cuts - 1) / cuts
            let first = task % cuts * groupsPerCut
            let count = min(groupsPerCut, shape.groupCount - first)
            if count > 0 { table.delta_rule(&arguments, first, count) }
        }
    }
}
