import Basics
import Kernels
import Weights

/// The lightning indexer of a layer: keeps one key per position, and chooses positions by it. Keeps no state.
final class IndexerBlock: Sendable {
    /// The class's own, whatever the file says of the other norms.
    private static let normEpsilon: Float = 1e-6

    private let shape: IndexerDescription
    private let chosenCount: Int
    private let rotaryWidth: Int
    private let rotaryIndex: Int
    private let query: LinearBlock
    private let key: LinearBlock
    private let keyNorm: (weight: [Float], bias: [Float])
    private let headWeights: LinearBlock

    init(
        _ shape: IndexerDescription, chosenCount: Int, of attention: LatentAttentionDescription,
        model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.shape = shape
        self.chosenCount = chosenCount
        rotaryWidth = attention.rotaryWidth
        rotaryIndex = model.index(of: attention.rotary)
        query = try LinearBlock(
            shape.query, outputs: shape.headCount * shape.width, inputs: attention.queryRank ?? model.hiddenSize,
            checkpoint)
        key = try LinearBlock(shape.key, outputs: shape.width, inputs: model.hiddenSize, checkpoint)
        keyNorm = (
            try checkpoint.tensor(shape.keyNorm.weight, shape: [shape.width]).floats(),
            try checkpoint.tensor(shape.keyNorm.bias ?? "", shape: [shape.width]).floats()
        )
        headWeights = try LinearBlock(
            shape.headWeights, outputs: shape.headCount, inputs: model.hiddenSize, checkpoint)
    }

    /// Stores the rows' index keys, and leaves in `state.choices` the positions of those rows that must choose.
    /// `narrow` `[rows, queryRank]` is what the attention's queries come from.
    func choose(
        layer: Int, rows: ArraySlice<StepBatch.Row>, spans: [AttentionSpan], narrow: RowsView, _ layout: KeyValueLayout,
        _ state: ForwardState
    ) {
        let range = rows.indices
        store(layer: layer, rows: rows, layout, state)
        guard spans.contains(where: { $0.visiblePositions > chosenCount }) else { return }
        let compute = state.compute
        let queries = state.indexQuery.view(range, width: shape.headCount * shape.width)
        compute.linear(
            query.matrix, input: compute.linearInput(narrow, for: [query.matrix], state.quantised), output: queries)
        rotate(queries, headCount: shape.headCount, range, state)
        let weights = state.indexWeights.view(range, width: shape.headCount)
        compute.linear(
            headWeights.matrix,
            input: compute.linearInput(state.normed.view(range), for: [headWeights.matrix], state.quantised),
            output: weights)
        let share = 1 / Float(shape.headCount).squareRoot()
        for index in weights.floats.indices { weights.floats[index] *= share }
        let index = PositionIndex(
            queries: queries, headWeights: weights, scale: 1 / Float(shape.width).squareRoot())
        compute.choosePositions(
            index, spans: spans, layout: layout, count: chosenCount, firstRow: range.lowerBound, into: state.choices,
            scratch: &state.sparseScratch)
    }

    private func store(
        layer: Int, rows: ArraySlice<StepBatch.Row>, _ layout: KeyValueLayout, _ state: ForwardState
    ) {
        let compute = state.compute
        let keys = state.indexKey.view(rows.indices, width: shape.width)
        let input = compute.linearInput(state.normed.view(rows.indices), for: [key.matrix], state.quantised)
        compute.linear(key.matrix, input: input, output: keys)
        compute.layerNorm(keys, weight: keyNorm.weight, bias: keyNorm.bias, epsilon: Self.normEpsilon)
        rotate(keys, headCount: 1, rows.indices, state)
        for (row, entry) in rows.enumerated() {
            let place = entry.cache.place(of: entry.position, layer: layer)
            compute.storeIndexKey(keys: keys, row: row, layout: layout, block: place.block, offset: place.offset)
        }
    }

    private func rotate(_ rows: RowsView, headCount: Int, _ range: Range<Int>, _ state: ForwardState) {
        let part = HeadRows(rows, headCount: headCount, part: 0..<rotaryWidth)
        let angles = state.rotaries[rotaryIndex]
        state.compute.rotate(
            part, into: part, cosine: angles.cosine.view(range), sine: angles.sine.view(range),
            isInterleaved: shape.isInterleaved)
    }
}
