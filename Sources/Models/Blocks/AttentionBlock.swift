import Kernels
import Weights

/// What lets the tokens of a sequence see each other in a layer. Weights only: what it keeps of a sequence is in the
/// sequence's cache.
protocol AttentionBlock: AnyObject, Sendable {
    /// How what the layer keeps of a position lies in a block of the cache. If `format` is nil it is f16 where weights
    /// are blocks, whose rounding is far larger, and else f32.
    func layout(_ format: KeyValueFormat?) -> KeyValueLayout

    /// `normed` `[rows, hidden]` → `projected` `[rows, hidden]`, the block's contribution to the residual stream.
    /// `layer` counts the layers that have a part of the cache: one that reads another's is given that one's number.
    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState)
}

extension AttentionDescription {
    /// Reads the weights of the block.
    func load(_ model: ModelDescription, _ checkpoint: Checkpoint) throws(WeightsError) -> any AttentionBlock {
        switch self {
        case .groupedQuery(let shape): try GroupedQueryAttentionBlock(shape, model: model, checkpoint)
        case .latent(let shape): try LatentAttentionBlock(shape, model: model, checkpoint)
        }
    }
}
