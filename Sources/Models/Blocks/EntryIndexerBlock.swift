import Kernels
import Weights

/// The lightning indexer over entries: keeps entries of its own, and chooses by them those that a token sees.
final class EntryIndexerBlock: Sendable {
    let compressor: CompressorBlock
    let query: LinearBlock
    let headWeights: LinearBlock
    let chosenCount: Int
    private let shape: EntryIndexerDescription
    private let rotaryIndex: Int
    private let rotaryWidth: Int

    init(
        _ shape: EntryIndexerDescription, of attention: CompressedAttentionDescription, model: ModelDescription,
        _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.shape = shape
        chosenCount = shape.chosenCount
        rotaryWidth = attention.rotaryWidth
        rotaryIndex = model.index(of: attention.rotary)
        compressor = try CompressorBlock(
            shape.compressor, rotaryWidth: attention.rotaryWidth, model: model, checkpoint)
        query = try LinearBlock(
            shape.query, outputs: shape.headCount * shape.width, inputs: attention.queryRank, checkpoint)
        headWeights = try LinearBlock(
            shape.headWeights, outputs: shape.headCount, inputs: model.hiddenSize, checkpoint)
    }

    func queries(_ range: Range<Int>, _ state: ForwardState) -> RowsView {
        state.indexQuery.view(range, width: shape.headCount * shape.width)
    }

    func weights(_ range: Range<Int>, _ state: ForwardState) -> RowsView {
        state.indexWeights.view(range, width: shape.headCount)
    }

    /// Leaves in `state.choices` the entries of those rows that must choose. Queries and weights are projected already;
    /// `entryCounts` says how many entries each row has to choose from.
    func choose(
        layer: Int, rows: ArraySlice<StepBatch.Row>, entryCounts: [Int], _ layout: KeyValueLayout,
        _ state: ForwardState
    ) {
        guard entryCounts.contains(where: { $0 > chosenCount }) else { return }
        let range = rows.indices
        let queries = queries(range, state), weights = weights(range, state)
        let end = HeadRows(queries, headCount: shape.headCount, part: shape.width - rotaryWidth..<shape.width)
        let angles = state.rotaries[rotaryIndex]
        state.compute.rotate(
            end, into: end, cosine: angles.cosine.view(range), sine: angles.sine.view(range), isInterleaved: true)
        let share = 1 / Float(shape.headCount).squareRoot()
        for index in weights.floats.indices { weights.floats[index] *= share }
        // Rows that see no entry do not choose: what their span says is not read.
        let spans = zip(rows, entryCounts).map { row, count in
            AttentionSpan(blocks: row.cache.table(layer: layer), visiblePositions: max(1, count))
        }
        let index = PositionIndex(
            queries: queries, headWeights: weights, scale: 1 / Float(shape.width).squareRoot())
        state.compute.choosePositions(
            index, spans: spans, layout: layout, count: chosenCount, firstRow: range.lowerBound, into: state.choices,
            scratch: &state.sparseScratch)
    }
}
