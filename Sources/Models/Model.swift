import Basics
import Kernels
import Weights

/// The part of a model that stays on the coordinator: everything but the routed experts. Weights only: the state of
/// sequences lives in their caches, that of a step in `ForwardState`.
public final class Model: Sendable {
    /// What the model is made of.
    public let description: ModelDescription

    private let embedding: StoredRows
    private let layers: [DecoderLayer]
    /// Behind the others in the cache and among the experts.
    private let predictions: [PredictionBlock]
    private let lastNorm: NormBlock
    private let head: PackedMatrix

    /// Reads the weights, also those of all prediction layers of `description`. `onLayer` is told how many of the
    /// other layers are loaded so far.
    public init(
        _ description: ModelDescription, from checkpoint: Checkpoint, onLayer: (Int) -> Void = { _ in }
    ) throws(WeightsError) {
        self.description = description
        let matrixShape = [description.vocabularySize, description.hiddenSize]
        embedding = try checkpoint.tensor(description.embeddingName, shape: matrixShape).storedRows()
        var layers: [DecoderLayer] = []
        for layer in description.layers {
            layers.append(try DecoderLayer(layer, index: layers.count, model: description, checkpoint))
            onLayer(layers.count)
        }
        self.layers = layers
        var predictions: [PredictionBlock] = []
        for layer in description.predictionLayers {
            let index = layers.count + predictions.count
            predictions.append(try PredictionBlock(layer, index: index, model: description, checkpoint))
        }
        self.predictions = predictions
        lastNorm = try NormBlock(
            description.finalNormName, headStreams: description.streams?.head, model: description, checkpoint)
        head = try checkpoint.tensor(description.headName, shape: matrixShape).packed()
    }

    /// What each layer keeps of a sequence, prediction layers last, keys and values stored in `format`; if that is nil,
    /// as f16 where the layer's weights are blocks, and else f32.
    public func cacheLayouts(_ format: KeyValueFormat? = nil) -> [LayerCacheLayout] {
        (layers + predictions.map(\.layer)).map { $0.layout(format) }
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
        begin(batch.rows, state)
        state.hiddenSource = .model
        enter(batch.rows.count, state)
        try run(layers, batch.rows, state, experts)
        for run in runs { run.cache.finish(at: run.positions.upperBound) }
    }

    /// Runs a prediction layer over rows of the last `forward` or `predict`, whose hidden states it takes from `state`
    /// and replaces by its own. Rows are then counted as in `batch`, and `withLogits` shows the logits of the further
    /// tokens: for position i and the token of position i + k those of i + k + 1, where k is 1 after `forward`.
    ///
    /// As for `forward`, the cut into steps and micro-batches changes no bit: the layer keeps what it needs of earlier
    /// positions in its part of the cache. Where it keeps a state there (a window), the state is taken back by
    /// `SequenceCache.restore` with those of the others.
    public func predict(
        _ prediction: PredictionIndex, _ batch: PredictionBatch, _ state: ForwardState, experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        precondition(batch.rows.count <= state.rowsMax, "the step fits its buffers")
        precondition(predictions.indices.contains(prediction.value), "a layer that was loaded")
        // What was recorded is the routing of the model's own layers.
        let record = state.record
        state.record = RoutingRecord()
        defer { state.record = record }
        state.takeHidden(batch.sources)
        begin(batch.rows, state)
        let block = predictions[prediction.value]
        embed(into: state.normed.view(0..<batch.rows.count), state)
        block.enter(0..<batch.rows.count, from: lastNorm(of: state.hiddenSource), state)
        state.hiddenSource = .prediction(prediction)
        try run([block.layer], batch.rows, state, experts)
    }

    /// What a step computes once for all layers.
    private func begin(_ rows: [StepBatch.Row], _ state: ForwardState) {
        state.tokens = rows.map(\.token.value)
        for angles in state.rotaries { angles.compute(rows.lazy.map(\.position)) }
    }

    /// Runs rows whose residual is in `state` through `layers`, see `forward`.
    private func run(
        _ layers: [DecoderLayer], _ rows: [StepBatch.Row], _ state: ForwardState, _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        let microBatches = MicroBatches.cut(rowCount: rows.count, slotCount: experts.slotCount)
        for (index, layer) in layers.enumerated() {
            for (slot, range) in microBatches.enumerated() {
                if index > 0 { try layers[index - 1].combine(slot: slot, range, state, experts) }
                layer.attend(rows[range], state)
                try layer.feedForward(slot: slot, range, state, experts)
            }
        }
        for (slot, range) in microBatches.enumerated() {
            try layers.last?.combine(slot: slot, range, state, experts)
        }
    }

    private func lastNorm(of source: HiddenSource) -> NormBlock {
        switch source {
        case .model: lastNorm
        case .prediction(let index): predictions[index.value].lastNorm
        }
    }

    /// Computes the logits of some rows of the last `forward` or `predict` and shows them one row at a time:
    /// `body(index into rows, logits)`, `logits` holds `vocabularySize` values.
    public func withLogits(
        ofRows rows: [Int], _ state: ForwardState, _ body: (Int, UnsafeBufferPointer<Float>) -> Void
    ) {
        var done = 0
        while done < rows.count {
            let count = min(rows.count - done, Limits.Models.logitRowsMax)
            let selected = state.selected.view(0..<count)
            select(rows[done..<done + count], into: selected, state)
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

    /// The hidden state of some rows, `[rows, hidden]`, as the head takes it.
    private func select(_ rows: ArraySlice<Int>, into selected: RowsView, _ state: ForwardState) {
        let target = state.streams?.selected.view(0..<rows.count) ?? selected
        for (offset, row) in rows.enumerated() {
            let source = state.hidden.view(row..<row + 1)
            target[offset].baseAddress?.update(from: source.base, count: source.width)
        }
        lastNorm(of: state.hiddenSource).forward(
            target, rows: 0..<rows.count, output: selected, state)
    }

    /// The residual of the first layer: embeddings, in all streams alike.
    private func enter(_ rowCount: Int, _ state: ForwardState) {
        let hidden = state.hidden.view(0..<rowCount)
        guard let streams = state.streams else { return embed(into: hidden, state) }
        let embedded = streams.sum.view(0..<rowCount)
        embed(into: embedded, state)
        embedded.repeatEach(into: hidden.reshaped(width: description.hiddenSize))
    }

    /// The embeddings of the step's tokens, `[rows, hidden]`.
    private func embed(into output: RowsView, _ state: ForwardState) {
        embedding.withBytes { bytes in
            state.compute.decodeRows(
                source: bytes, format: embedding.format, width: description.hiddenSize,
                rowIndices: state.tokens, output: output)
        }
        state.embeddedRows += output.count
        guard state.embeddedRows >= Limits.Models.embeddedRowsMax else { return }
        embedding.giveBackPages()
        state.embeddedRows = 0
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
