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
        state.denseAssignments.removeAll()
        let expert = state.denseAssignments.add(weights)
        for row in 0..<range.count {
            state.denseAssignments.assign(row, to: expert, outputRow: row, scale: scales?[row] ?? 1)
        }
        state.compute.gatedExperts(
            state.denseAssignments, input: state.normed.view(range), output: state.projected.view(range),
            scratch: &state.expertScratch)
    }
}
