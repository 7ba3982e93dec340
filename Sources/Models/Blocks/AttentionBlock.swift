import Kernels
import Weights

/// What lets the tokens of a sequence see each other in a layer. Weights only: what it keeps of a sequence is in the
/// sequence's cache.
protocol AttentionBlock: AnyObject, Sendable {
    /// What the layer keeps of a sequence. If `format` is nil, keys and values are f16 where weights are blocks, whose
    /// rounding is far larger, and else f32.
    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout

    /// `normed` `[rows, hidden]` → `projected` `[rows, hidden]`, the block's contribution to the residual stream.
    /// `layer` is the one whose part of the cache is meant: the block's own, or that of which it reads.
    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState)
}

extension AttentionDescription {
    /// Reads the weights of the block of layer `index`.
    func load(
        _ model: ModelDescription, index: Int, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> any AttentionBlock {
        switch self {
        case .compressed(let shape): try CompressedAttentionBlock(shape, model: model, checkpoint)
        case .gatedDelta(let shape): try GatedDeltaBlock(shape, model: model, checkpoint)
        case .groupedQuery(let shape):
            try GroupedQueryAttentionBlock(shape, isShared: model.isCacheShared(layer: index), model: model, checkpoint)
        case .latent(let shape): try LatentAttentionBlock(shape, model: model, checkpoint)
        }
    }
}
