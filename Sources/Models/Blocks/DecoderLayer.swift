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
    private let normEpsilon: Float
    private let attentionNorm: [Float]
    private let attention: any AttentionBlock
    private let feedForwardNorm: [Float]
    private let feedForward: FeedForward
    /// Nil where the residual is one stream.
    private let attentionStreams: StreamBlock?
    private let feedForwardStreams: StreamBlock?

    /// Reads the weights; `index` counts the layers of the cache and of the experts.
    init(
        _ layer: LayerDescription, index: Int, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        func streams(_ names: StreamNames?) throws(WeightsError) -> StreamBlock? {
            guard let names, let rule = model.streams?.rule else { return nil }
            return try StreamBlock(names, rule, model: model, checkpoint)
        }
        self.index = LayerIndex(index)
        keeper = layer.attention.sharedLayer ?? index
        normEpsilon = model.normEpsilon
        feedForward =
            switch layer.feedForward {
            case .dense(let shape): .dense(try DenseFeedForwardBlock(shape, model: model, checkpoint))
            case .mixture(let shape): .mixture(try MixtureBlock(shape, model: model, checkpoint))
            }
        attentionNorm = try checkpoint.norm(layer.attentionNormName, width: model.hiddenSize, model)
        attention = try layer.attention.load(model, checkpoint)
        feedForwardNorm = try checkpoint.norm(layer.feedForwardNormName, width: model.hiddenSize, model)
        attentionStreams = try streams(layer.attentionStreams)
        feedForwardStreams = try streams(layer.feedForwardStreams)
    }

    /// What the layer keeps of a sequence; see `AttentionBlock.layout`.
    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout { attention.layout(format) }

    /// Attention, and what the feed-forward block takes.
    func attend(_ rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        state.phases.attentionSeconds += timed {
            enter(attentionStreams, norm: attentionNorm, range, state)
            attention.forward(layer: keeper, rows: rows, state)
            leave(attentionStreams, result: state.projected.view(range), range, state)
            enter(feedForwardStreams, norm: feedForwardNorm, range, state)
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
                leave(feedForwardStreams, result: state.projected.view(range), range, state)
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
            leave(feedForwardStreams, result: streams.sum.view(range), range, state)
        }
    }

    /// What a block takes: the normed residual, or the normed mean of its streams.
    private func enter(_ streams: StreamBlock?, norm: [Float], _ range: Range<Int>, _ state: ForwardState) {
        let hidden = state.hidden.view(range), normed = state.normed.view(range)
        guard let streams, let buffers = state.streams else {
            return state.compute.rmsNorm(hidden, weight: norm, epsilon: normEpsilon, output: normed)
        }
        streams.collapse(hidden, rows: range, buffers, output: normed, state.compute)
        state.compute.rmsNorm(normed, weight: norm, epsilon: normEpsilon, output: normed)
    }

    /// Adds a block's result to the residual, or gives it back to the streams.
    private func leave(_ streams: StreamBlock?, result: RowsView, _ range: Range<Int>, _ state: ForwardState) {
        let hidden = state.hidden.view(range)
        guard let streams, let buffers = state.streams else { return state.compute.add(result, to: hidden) }
        streams.mix(adding: result, to: hidden, rows: range, buffers, state.compute)
    }
}
