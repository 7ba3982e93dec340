import Kernels
import Weights

/// What a block or the head takes of the residual: streams become one row, and a norm.
struct NormBlock: Sendable {
    /// Nil where the residual is one stream.
    let streams: StreamBlock?
    private let norm: [Float]
    private let normEpsilon: Float

    /// Before a block.
    init(
        _ normName: String, streams names: StreamNames?, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        try self.init(normName, model, checkpoint) { (rule) throws(WeightsError) in
            try names.map { (names) throws(WeightsError) in
                try StreamBlock(names, rule, model: model, checkpoint)
            }
        }
    }

    /// Before the head.
    init(
        _ normName: String, headStreams names: StreamNames?, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        try self.init(normName, model, checkpoint) { (rule) throws(WeightsError) in
            try names.map { (names) throws(WeightsError) in
                try StreamBlock(head: names, rule, model: model, checkpoint)
            }
        }
    }

    private init(
        _ normName: String, _ model: ModelDescription, _ checkpoint: Checkpoint,
        streams: (StreamRule) throws(WeightsError) -> StreamBlock?
    ) throws(WeightsError) {
        norm = try checkpoint.norm(normName, width: model.hiddenSize, model)
        normEpsilon = model.normEpsilon
        guard let rule = model.streams?.rule else {
            self.streams = nil
            return
        }
        self.streams = try streams(rule)
    }

    /// `hidden`, `[rows, streams · hidden]` → `output`, `[rows, hidden]`; the two may be the same where there is one
    /// stream. `range` are the rows of the step's buffers that streams are collapsed in.
    func forward(_ hidden: RowsView, rows range: Range<Int>, output: RowsView, _ state: ForwardState) {
        var collapsed = hidden
        if let streams, let buffers = state.streams {
            streams.collapse(hidden, rows: range, buffers, output: output, state.compute)
            collapsed = output
        }
        state.compute.rmsNorm(collapsed, weight: norm, epsilon: normEpsilon, output: output)
    }
}
