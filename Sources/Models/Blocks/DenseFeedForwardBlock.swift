import Kernels
import Weights

/// A gated FFN that every token passes: an expert with weight 1.
final class DenseFeedForwardBlock: Sendable {
    private let weights: ExpertWeights

    init(_ shape: GatedFeedForwardDescription, model: ModelDescription, _ checkpoint: Checkpoint) throws(WeightsError) {
        let inner = [shape.width, model.hiddenSize]
        weights = ExpertWeights(
            gate: try checkpoint.tensor(shape.gateName, shape: inner).packed(),
            up: try checkpoint.tensor(shape.upName, shape: inner).packed(),
            down: try checkpoint.tensor(shape.downName, shape: [model.hiddenSize, shape.width]).packed(),
            activation: shape.activation)
    }

    /// `normed` → `projected`, both `[rows, hidden]`; each row multiplied by its scale, if there are scales.
    func forward(rows range: Range<Int>, _ state: ForwardState, scales: [Float]? = nil) {
        let rows = Array(0..<range.count)
        let batch = ExpertBatch(
            weights: weights, inputRows: rows, outputRows: rows,
            scales: scales ?? Array(repeating: 1, count: rows.count))
        state.compute.gatedExperts(
            [batch], input: state.normed.view(range), output: state.projected.view(range), scratch: &state.expertScratch
        )
    }
}
