import Kernels
import Weights

/// What stands between the last layer and the head: streams become one row, and a norm.
struct LastNormBlock: Sendable {
    private let norm: [Float]
    private let normEpsilon: Float
    /// Nil where the residual is one stream.
    private let streams: StreamBlock?

    init(
        _ normName: String, streams names: StreamNames?, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        norm = try checkpoint.norm(normName, width: model.hiddenSize, model)
        normEpsilon = model.normEpsilon
        guard let names, let rule = model.streams?.rule else {
            streams = nil
            return
        }
        streams = try StreamBlock(head: names, rule, model: model, checkpoint)
    }

    /// `hidden`, `[rows, streams · hidden]` → `output`, `[rows, hidden]`; the two may be the same where there is one
    /// stream.
    func forward(_ hidden: RowsView, output: RowsView, _ state: ForwardState) {
        var collapsed = hidden
        if let streams, let buffers = state.streams {
            streams.collapse(hidden, rows: 0..<hidden.count, buffers, output: output, state.compute)
            collapsed = output
        }
        state.compute.rmsNorm(collapsed, weight: norm, epsilon: normEpsilon, output: output)
    }
}
