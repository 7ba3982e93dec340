import Basics
import Kernels
import Weights

/// What the streams of a residual need beside themselves, one row per token.
final class StreamBuffers: Sendable {
    /// All streams of a row, normed together: `[rows, streams · hidden]`.
    let normed: Rows
    /// What the weights are made of: `[rows, weightCount]`.
    let mixes: Rows
    /// The weights of the block that is under way: `[rows, weightCount]`.
    let weights: Rows
    /// What the block gives, until it is given back to the streams: `[rows, hidden]`.
    let sum: Rows
    /// Streams of rows whose logits are computed.
    let selected: Rows

    init(_ rule: StreamRule, hiddenSize: Int, rowsMax: Int) {
        normed = Rows(capacity: rowsMax, width: rule.streamCount * hiddenSize)
        mixes = Rows(capacity: rowsMax, width: rule.weightCount)
        weights = Rows(capacity: rowsMax, width: rule.weightCount)
        sum = Rows(capacity: rowsMax, width: hiddenSize)
        selected = Rows(capacity: Limits.Models.logitRowsMax, width: rule.streamCount * hiddenSize)
    }
}

/// The streams of a residual around one block, or before the head; see `StreamsDescription`.
final class StreamBlock: Sendable {
    private let rule: StreamRule
    private let epsilon: Float
    private let mixes: PackedMatrix
    private let base: [Float]
    private let scales: [Float]
    /// The norm of all streams together has no weights.
    private let ones: [Float]

    /// Around a block.
    init(
        _ names: StreamNames, _ rule: StreamRule, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.rule = rule
        epsilon = model.normEpsilon
        ones = Array(repeating: 1, count: model.residualWidth)
        mixes = try checkpoint.tensor(names.mixesName, shape: [rule.weightCount, model.residualWidth]).packed()
        base = try checkpoint.tensor(names.baseName, shape: [rule.weightCount]).floats()
        scales = try checkpoint.tensor(names.scalesName, shape: [3]).floats()
    }

    /// Before the head, which only collapses: the other mixes are those of zeros, and nobody uses their weights.
    init(
        head names: StreamNames, _ rule: StreamRule, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.rule = rule
        epsilon = model.normEpsilon
        let width = model.residualWidth
        ones = Array(repeating: 1, count: width)
        let others = rule.weightCount - rule.streamCount
        mixes = try checkpoint.tensor(names.mixesName, shape: [rule.streamCount, width])
            .packed(paddedTo: rule.weightCount)
        base =
            try checkpoint.tensor(names.baseName, shape: [rule.streamCount]).floats()
            + Array(repeating: 0, count: others)
        scales = try checkpoint.tensor(names.scalesName, shape: [1]).floats() + [0, 0]
    }

    /// The streams as one, `[rows, hidden]`, and the weights by which a block's result goes back, in `buffers.weights`.
    func collapse(
        _ streams: RowsView, rows range: Range<Int>, _ buffers: StreamBuffers, output: RowsView, _ compute: Compute
    ) {
        let normed = buffers.normed.view(range), mixed = buffers.mixes.view(range)
        let weights = buffers.weights.view(range)
        compute.rmsNorm(streams, weight: ones, epsilon: epsilon, output: normed)
        compute.linear(mixes, input: normed, output: mixed)
        compute.streamWeights(rule, mixes: mixed, scales: scales, base: base, weights: weights)
        compute.collapseStreams(rule, streams: streams, weights: weights, output: output)
    }

    /// Gives a block's result, `[rows, hidden]`, back to the streams.
    func mix(
        adding result: RowsView, to streams: RowsView, rows range: Range<Int>, _ buffers: StreamBuffers,
        _ compute: Compute
    ) {
        compute.mixStreams(rule, adding: result, weights: buffers.weights.view(range), streams: streams)
    }
}
