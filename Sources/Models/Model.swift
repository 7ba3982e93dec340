import Basics
import Kernels
import Weights

/// The part of a model that stays on the coordinator: everything but the routed experts. Weights only: the state of
/// sequences lives in their caches, that of a step in `ForwardState`.
public final class Model: Sendable {
    /// What the model is made of.
    public let description: ModelDescription

    private enum FeedForward: Sendable {
        case dense(DenseFeedForwardBlock)
        case mixture(MixtureBlock)
    }

    private struct Layer: Sendable {
        let attentionNorm: [Float]
        let attention: any AttentionBlock
        let feedForwardNorm: [Float]
        let feedForward: FeedForward
        /// Nil where the residual is one stream.
        let attentionStreams: StreamBlock?
        let feedForwardStreams: StreamBlock?
    }

    private let embedding: StoredRows
    private let layers: [Layer]
    private let headStreams: StreamBlock?
    private let finalNorm: [Float]
    private let head: PackedMatrix

    /// Reads the weights. `onLayer` is told how many layers are loaded so far.
    public init(
        _ description: ModelDescription, from checkpoint: Checkpoint, onLayer: (Int) -> Void = { _ in }
    ) throws(WeightsError) {
        self.description = description
        let matrixShape = [description.vocabularySize, description.hiddenSize]
        embedding = try checkpoint.tensor(description.embeddingName, shape: matrixShape).storedRows()
        var layers: [Layer] = []
        for layer in description.layers {
            layers.append(try Self.load(layer, description, checkpoint))
            onLayer(layers.count)
        }
        self.layers = layers
        headStreams = try description.streams.map { streams throws(WeightsError) in
            try StreamBlock(head: streams.head, streams.rule, model: description, checkpoint)
        }
        finalNorm = try checkpoint.norm(description.finalNormName, width: description.hiddenSize, description)
        head = try checkpoint.tensor(description.headName, shape: matrixShape).packed()
    }

    private static func load(
        _ layer: LayerDescription, _ model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> Layer {
        let feedForward: FeedForward =
            switch layer.feedForward {
            case .dense(let shape): .dense(try DenseFeedForwardBlock(shape, model: model, checkpoint))
            case .mixture(let shape): .mixture(try MixtureBlock(shape, model: model, checkpoint))
            }
        func streams(_ names: StreamNames?) throws(WeightsError) -> StreamBlock? {
            guard let names, let rule = model.streams?.rule else { return nil }
            return try StreamBlock(names, rule, model: model, checkpoint)
        }
        return Layer(
            attentionNorm: try checkpoint.norm(layer.attentionNormName, width: model.hiddenSize, model),
            attention: try layer.attention.load(model, checkpoint),
            feedForwardNorm: try checkpoint.norm(layer.feedForwardNormName, width: model.hiddenSize, model),
            feedForward: feedForward, attentionStreams: try streams(layer.attentionStreams),
            feedForwardStreams: try streams(layer.feedForwardStreams))
    }

    /// What each layer keeps of a sequence, keys and values stored in `format`; if that is nil, as f16 where the
    /// layer's weights are blocks, and else f32.
    public func cacheLayouts(_ format: KeyValueFormat? = nil) -> [LayerCacheLayout] {
        layers.map { $0.attention.layout(format) }
    }

    /// Runs the rows of a step through all layers and leaves their hidden state in `state`.
    ///
    /// The rows are cut into micro-batches where the backend gains from it: while one is with the workers, the
    /// coordinator runs attention for the next. The cut changes no bit (kernels are batch-invariant).
    public func forward(
        _ batch: StepBatch, _ state: ForwardState, experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        precondition(batch.rows.count <= state.rowsMax, "the step fits its buffers")
        state.record.begin(rows: batch.recordedRows)
        let runs = SequenceRun.runs(of: batch.rows[...])
        for run in runs { run.cache.begin(at: run.positions.lowerBound) }
        state.tokens = batch.rows.map(\.token.value)
        embed(batch, state)
        for angles in state.rotaries { angles.compute(batch.rows.lazy.map(\.position)) }
        let microBatches = MicroBatches.cut(rowCount: batch.rows.count, slotCount: experts.slotCount)
        for (index, layer) in layers.enumerated() {
            for (slot, range) in microBatches.enumerated() {
                if index > 0 { try combine(layers[index - 1], slot: slot, range, state, experts) }
                attend(layer, index, batch.rows[range], state)
                try feedForward(layer, LayerIndex(index), slot: slot, range, state, experts)
            }
        }
        for (slot, range) in microBatches.enumerated() {
            try combine(layers[layers.count - 1], slot: slot, range, state, experts)
        }
        for run in runs { run.cache.finish(at: run.positions.upperBound) }
    }

    /// Computes the logits of some rows of the last step and shows them one row at a time:
    /// `body(index into rows, logits)`, `logits` holds `vocabularySize` values.
    public func withLogits(
        ofRows rows: [Int], _ state: ForwardState, _ body: (Int, UnsafeBufferPointer<Float>) -> Void
    ) {
        var done = 0
        while done < rows.count {
            let count = min(rows.count - done, Limits.Models.logitRowsMax)
            let selected = state.selected.view(0..<count)
            select(rows[done..<done + count], into: selected, state)
            state.compute.rmsNorm(selected, weight: finalNorm, epsilon: description.normEpsilon, output: selected)
            let logits = state.logits.view(0..<count)
            state.phases.headSeconds += timed {
                let input = state.compute.linearInput(selected, for: [head], state.quantised)
                state.compute.linear(head, input: input, output: logits)
            }
            state.phases.sampleSeconds += timed {
                for offset in 0..<count { body(done + offset, UnsafeBufferPointer(logits[offset])) }
            }
            done += count
        }
    }

    /// The hidden state of some rows, `[rows, hidden]`, as the last norm takes it.
    private func select(_ rows: ArraySlice<Int>, into selected: RowsView, _ state: ForwardState) {
        let target = state.streams?.selected.view(0..<rows.count) ?? selected
        for (offset, row) in rows.enumerated() {
            let source = state.hidden.view(row..<row + 1)
            target[offset].baseAddress?.update(from: source.base, count: source.width)
        }
        guard let streams = state.streams, let headStreams else { return }
        headStreams.collapse(target, rows: 0..<rows.count, streams, output: selected, state.compute)
    }

    private func embed(_ batch: StepBatch, _ state: ForwardState) {
        let range = 0..<batch.rows.count
        let embedded = state.streams?.sum.view(range) ?? state.hidden.view(range)
        embedding.withBytes { bytes in
            state.compute.decodeRows(
                source: bytes, format: embedding.format, width: description.hiddenSize,
                rowIndices: state.tokens, output: embedded)
        }
        if let rule = description.streams?.rule {
            // All streams begin alike.
            let streams = state.hidden.view(range).reshaped(width: description.hiddenSize)
            for index in 0..<streams.count {
                let source = embedded[index / rule.streamCount]
                streams[index].baseAddress?.update(from: source.baseAddress ?? streams.base, count: source.count)
            }
        }
        state.embeddedRows += batch.rows.count
        guard state.embeddedRows >= Limits.Models.embeddedRowsMax else { return }
        embedding.giveBackPages()
        state.embeddedRows = 0
    }

    private func attend(_ layer: Layer, _ index: Int, _ rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        state.phases.attentionSeconds += timed {
            enter(layer.attentionStreams, norm: layer.attentionNorm, range, state)
            let keeper = description.layers[index].attention.sharedLayer ?? index
            layer.attention.forward(layer: keeper, rows: rows, state)
            leave(layer.attentionStreams, result: state.projected.view(range), range, state)
            enter(layer.feedForwardStreams, norm: layer.feedForwardNorm, range, state)
            guard let sum = state.streams?.sum.view(range) else { return }
            sum.floats.update(repeating: 0)
        }
    }

    /// What a block takes: the normed residual, or the normed mean of its streams.
    private func enter(_ streams: StreamBlock?, norm: [Float], _ range: Range<Int>, _ state: ForwardState) {
        let hidden = state.hidden.view(range), normed = state.normed.view(range)
        guard let streams, let buffers = state.streams else {
            return state.compute.rmsNorm(hidden, weight: norm, epsilon: description.normEpsilon, output: normed)
        }
        streams.collapse(hidden, rows: range, buffers, output: normed, state.compute)
        state.compute.rmsNorm(normed, weight: norm, epsilon: description.normEpsilon, output: normed)
    }

    /// Adds a block's result to the residual, or gives it back to the streams.
    private func leave(_ streams: StreamBlock?, result: RowsView, _ range: Range<Int>, _ state: ForwardState) {
        let hidden = state.hidden.view(range)
        guard let streams, let buffers = state.streams else { return state.compute.add(result, to: hidden) }
        streams.mix(adding: result, to: hidden, rows: range, buffers, state.compute)
    }

    private func feedForward(
        _ layer: Layer, _ index: LayerIndex, slot: Int, _ range: Range<Int>, _ state: ForwardState,
        _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        switch layer.feedForward {
        case .dense(let block):
            state.phases.denseSeconds += timed {
                block.forward(rows: range, state)
                leave(layer.feedForwardStreams, result: state.projected.view(range), range, state)
            }
        case .mixture(let block): try block.begin(layer: index, slot: slot, rows: range, state, experts)
        }
    }

    private func combine(
        _ layer: Layer, slot: Int, _ range: Range<Int>, _ state: ForwardState, _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        guard case .mixture = layer.feedForward else { return }
        let start = ContinuousClock.now
        try experts.wait(slot: slot)
        state.phases.dispatchWaitSeconds += (ContinuousClock.now - start).seconds
        state.phases.combineSeconds += timed {
            experts.combine(slot: slot, into: state.sum(range))
            guard let streams = state.streams else { return }
            leave(layer.feedForwardStreams, result: streams.sum.view(range), range, state)
        }
    }
}

/// How the rows of a step are cut into micro-batches.
enum MicroBatches {
    /// Below this many rows a cut costs more (the dense weights are read once per micro-batch) than it hides.
    static let rowsMin = 32

    /// At most `slotCount` ranges that cover `0..<rowCount` in order, of nearly equal length.
    static func cut(rowCount: Int, slotCount: Int) -> [Range<Int>] {
        let count = max(1, min(slotCount, rowCount / rowsMin))
        return (0..<count).map { rowCount * $0 / count..<rowCount * ($0 + 1) / count }
    }
}

func timed(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start).seconds
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
