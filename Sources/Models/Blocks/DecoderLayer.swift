import Basics
import Kernels
import Weights

/// One layer with its weights: those of a model, and those that predict further tokens, are the same.
///
/// A step runs it in three parts, so that other rows' attention can be computed while workers have these rows' experts:
/// `attend`, `feedForward`, `combine`. Each reads the residual in `ForwardState.hidden` and leaves it there.
struct DecoderLayer: Sendable {
    private enum FeedForward: Sendable {
        case dense(DenseFeedForwardBlock)
        case mixture(MixtureBlock)
    }

    private let index: LayerIndex
    /// The layer whose part of the cache this one reads.
    private let keeper: Int
    private let attentionNorm: NormBlock
    private let attention: any AttentionBlock
    private let feedForwardNorm: NormBlock
    private let feedForward: FeedForward

    /// Reads the weights; `index` counts the layers of the cache and of the experts.
    init(
        _ layer: LayerDescription, index: Int, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.index = LayerIndex(index)
        keeper = layer.attention.sharedLayer ?? index
        feedForward =
            switch layer.feedForward {
            case .dense(let shape): .dense(try DenseFeedForwardBlock(shape, model: model, checkpoint))
            case .mixture(let shape): .mixture(try MixtureBlock(shape, model: model, checkpoint))
            }
        attentionNorm = try NormBlock(
            layer.attentionNormName, streams: layer.attentionStreams, model: model, checkpoint)
        attention = try layer.attention.load(model, index: index, checkpoint)
        feedForwardNorm = try NormBlock(
            layer.feedForwardNormName, streams: layer.feedForwardStreams, model: model, checkpoint)
    }

    /// What the layer keeps of a sequence; see `AttentionBlock.layout`.
    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout { attention.layout(format) }

    /// Attention, and what the feed-forward block takes.
    func attend(_ rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        state.phases.attentionSeconds += timed {
            let hidden = state.hidden.view(range), normed = state.normed.view(range)
            attentionNorm.forward(hidden, rows: range, output: normed, state)
            attention.forward(layer: keeper, rows: rows, state)
            leave(attentionNorm.streams, result: state.projected.view(range), range, state)
            feedForwardNorm.forward(hidden, rows: range, output: normed, state)
            guard let sum = state.streams?.sum.view(range) else { return }
            sum.floats.update(repeating: 0)
        }
    }

    /// The dense block; or the experts, begun in `slot`.
    func feedForward(
        slot: Int, _ range: Range<Int>, _ state: ForwardState, _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        switch feedForward {
        case .dense(let block):
            state.phases.denseSeconds += timed {
                block.forward(rows: range, state)
                leave(feedForwardNorm.streams, result: state.projected.view(range), range, state)
            }
        case .mixture(let block): try block.begin(layer: index, slot: slot, rows: range, state, experts)
        }
    }

    /// Adds what the experts that were begun in `slot` answered.
    func combine(
        slot: Int, _ range: Range<Int>, _ state: ForwardState, _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        guard case .mixture = feedForward else { return }
        let start = ContinuousClock.now
        try experts.wait(slot: slot)
        state.phases.dispatchWaitSeconds += (ContinuousClock.now - start).seconds
        state.phases.combineSeconds += timed {
            experts.combine(slot: slot, into: state.sum(range))
            guard let streams = state.streams else { return }
            leave(feedForwardNorm.streams, result: streams.sum.view(range), range, state)
        }
    }

    /// Adds a block's result to the residual, or gives it back to the streams.
    private func leave(_ streams: StreamBlock?, result: RowsView, _ range: Range<Int>, _ state: ForwardState) {
        let hidden = state.hidden.view(range)
        guard let streams, let buffers = state.streams else { return state.compute.add(result, to: hidden) }
        streams.mix(adding: result, to: hidden, rows: range, buffers, state.compute)
    }
}
