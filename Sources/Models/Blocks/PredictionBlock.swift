import Kernels
import Weights

/// A layer that predicts a further token, with its weights; see `PredictionLayerDescription`.
struct PredictionBlock: Sendable {
    private enum Entry: Sendable {
        case joined(LinearBlock)
        case perStream(embedding: LinearBlock, hidden: LinearBlock)
    }

    /// The layer itself.
    let layer: DecoderLayer
    /// What its hidden state passes before the head, and before the next prediction layer if there is one stream.
    let lastNorm: NormBlock
    private let embeddingNorm: [Float]
    private let hiddenNorm: [Float]
    private let normEpsilon: Float
    private let entry: Entry

    /// Reads the weights; `index` is that of the layer in the cache and among the experts.
    init(
        _ description: PredictionLayerDescription, index: Int, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        let width = model.hiddenSize
        normEpsilon = model.normEpsilon
        embeddingNorm = try checkpoint.norm(description.embeddingNormName, width: width, model)
        hiddenNorm = try checkpoint.norm(description.hiddenNormName, width: width, model)
        entry =
            switch description.entry {
            case .joined(let names): .joined(try LinearBlock(names, outputs: width, inputs: 2 * width, checkpoint))
            case .perStream(let embedding, let hidden):
                .perStream(
                    embedding: try LinearBlock(embedding, outputs: width, inputs: width, checkpoint),
                    hidden: try LinearBlock(hidden, outputs: width, inputs: width, checkpoint))
            }
        layer = try DecoderLayer(description.layer, index: index, model: model, checkpoint)
        lastNorm = try NormBlock(
            description.normName, headStreams: description.headStreams, model: model, checkpoint)
    }

    /// Makes the residual of the layer of the embeddings in `state.normed` and the hidden states in `state.hidden`,
    /// and leaves it there; `sourceNorm` is the last one of what computed the hidden states.
    func enter(_ range: Range<Int>, from sourceNorm: NormBlock, _ state: ForwardState) {
        let compute = state.compute
        let embedded = state.normed.view(range)
        compute.rmsNorm(embedded, weight: embeddingNorm, epsilon: normEpsilon, output: embedded)
        switch entry {
        case .joined(let projection): join(projection, range, sourceNorm, state)
        case .perStream(let embedding, let hidden): mix(embedding, hidden, range, state)
        }
    }

    /// hidden = projection([embedded; hiddenNorm(sourceNorm(hidden))])
    private func join(
        _ projection: LinearBlock, _ range: Range<Int>, _ sourceNorm: NormBlock, _ state: ForwardState
    ) {
        guard let buffer = state.joined else { preconditionFailure("made for a model with prediction layers") }
        let compute = state.compute
        let (embedded, joined) = (state.normed.view(range), buffer.view(range))
        let (source, hidden) = (state.hidden.view(range), state.projected.view(range))
        sourceNorm.forward(source, rows: range, output: hidden, state)
        compute.rmsNorm(hidden, weight: hiddenNorm, epsilon: normEpsilon, output: hidden)
        for row in range {
            guard let target = joined[row].baseAddress else { continue }
            target.update(from: embedded.base + row * embedded.width, count: embedded.width)
            (target + embedded.width).update(from: hidden.base + row * hidden.width, count: hidden.width)
        }
        let matrix = projection.matrix
        compute.linear(
            matrix, input: compute.linearInput(joined, for: [matrix], state.quantised), output: source,
            bias: projection.bias)
    }

    /// Each stream of hidden = hidden(hiddenNorm(stream)) + embedding(embedded)
    private func mix(_ embedding: LinearBlock, _ hidden: LinearBlock, _ range: Range<Int>, _ state: ForwardState) {
        guard let buffers = state.streams else { preconditionFailure("made for a model with streams") }
        let compute = state.compute
        let embedded = state.normed.view(range), projected = state.projected.view(range)
        let streams = state.hidden.view(range).reshaped(width: embedded.width)
        let normed = buffers.normed.view(range).reshaped(width: embedded.width)
        compute.linear(
            embedding.matrix, input: compute.linearInput(embedded, for: [embedding.matrix], state.quantised),
            output: projected, bias: embedding.bias)
        compute.rmsNorm(streams, weight: hiddenNorm, epsilon: normEpsilon, output: normed)
        compute.linear(
            hidden.matrix, input: compute.linearInput(normed, for: [hidden.matrix], state.quantised),
            output: streams, bias: hidden.bias)
        projected.repeatEach(into: normed)
        compute.add(normed, to: streams)
    }
}

extension RowsView {
    /// Writes each row as often, one copy after the other, as `target` has more rows.
    func repeatEach(into target: RowsView) {
        precondition(target.width == width && target.count % max(1, count) == 0, "a whole number of copies")
        let copies = count > 0 ? target.count / count : 0
        for row in 0..<target.count {
            target[row].baseAddress?.update(from: base + row / copies * width, count: width)
        }
    }
}
