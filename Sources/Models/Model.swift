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
    }

    private let embedding: StoredRows
    private let layers: [Layer]
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
        return Layer(
            attentionNorm: try checkpoint.norm(layer.attentionNormName, width: model.hiddenSize, model),
            attention: try layer.attention.load(model, checkpoint),
            feedForwardNorm: try checkpoint.norm(layer.feedForwardNormName, width: model.hiddenSize, model),
            feedForward: feedForward)
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
        embed(batch, state)
        for angles in state.rotaries { angles.compute(batch.rows) }
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
            for offset in 0..<count {
                let source = state.hidden.view(rows[done + offset]..<rows[done + offset] + 1)
                selected[offset].baseAddress?.update(from: source.base, count: description.hiddenSize)
            }
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

    private func embed(_ batch: StepBatch, _ state: ForwardState) {
        embedding.withBytes { bytes in
            state.compute.decodeRows(
                source: bytes, format: embedding.format, width: description.hiddenSize,
                rowIndices: batch.rows.map(\.token.value), output: state.hidden.view(0..<batch.rows.count))
        }
        state.embeddedRows += batch.rows.count
        guard state.embeddedRows >= Limits.Models.embeddedRowsMax else { return }
        embedding.giveBackPages()
        state.embeddedRows = 0
    }

    private func attend(_ layer: Layer, _ index: Int, _ rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        state.phases.attentionSeconds += timed {
            let hidden = state.hidden.view(range)
            state.compute.rmsNorm(
                hidden, weight: layer.attentionNorm, epsilon: description.normEpsilon, output: state.normed.view(range))
            let keeper = description.layers[index].attention.sharedLayer ?? index
            layer.attention.forward(layer: keeper, rows: rows, state)
            state.compute.add(state.projected.view(range), to: hidden)
            state.compute.rmsNorm(
                hidden, weight: layer.feedForwardNorm, epsilon: description.normEpsilon,
                output: state.normed.view(range))
        }
    }

    private func feedForward(
        _ layer: Layer, _ index: LayerIndex, slot: Int, _ range: Range<Int>, _ state: ForwardState,
        _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        switch layer.feedForward {
        case .dense(let block):
            state.phases.denseSeconds += timed {
                block.forward(rows: range, state)
                state.compute.add(state.projected.view(range), to: state.hidden.view(range))
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
        state.phases.combineSeconds += timed { experts.combine(slot: slot, into: state.hidden.view(range)) }
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
