import Basics
import Kernels
import Weights

/// Multi-head latent attention over the sequences' own caches of latents. Keeps no state.
///
/// Keys and values are never computed (the *absorbed* form of arXiv 2405.04434, 2.1.2), at no length of a prompt, so
/// that the bits do not depend on how it is cut: a head's score is the product of its query, taken back to the latent
/// (`queryToLatent`, K transposed), with the latent itself; its output is the weighted sum of latents, of which
/// `latentToValue` (V) then makes a value. The latent and the shared rotated key together are one key of one key head,
/// and the latent at its beginning is its value.
final class LatentAttentionBlock: AttentionBlock {
    private enum Query: Sendable {
        case direct(LinearBlock)
        case lowRank(down: LinearBlock, norm: [Float], up: LinearBlock)
    }

    private let shape: LatentAttentionDescription
    private let rotaryIndex: Int
    private let query: Query
    private let latent: LinearBlock
    private let latentNorm: [Float]
    /// Per head, `[latentWidth, plainWidth]`.
    private let queryToLatent: [PackedMatrix]
    /// Per head, `[valueWidth, latentWidth]`.
    private let latentToValue: [PackedMatrix]
    private let output: LinearBlock
    private let indexer: IndexerBlock?

    init(
        _ shape: LatentAttentionDescription, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.shape = shape
        rotaryIndex = model.index(of: shape.rotary)
        query = try Self.query(shape, model, checkpoint)
        latent = try LinearBlock(shape.latent, outputs: shape.cachedWidth, inputs: model.hiddenSize, checkpoint)
        latentNorm = try checkpoint.tensor(shape.latentNormName, shape: [shape.latentWidth]).floats()
        (queryToLatent, latentToValue) = try Self.heads(shape, checkpoint)
        output = try LinearBlock(
            shape.output, outputs: model.hiddenSize, inputs: shape.headCount * shape.valueWidth, checkpoint)
        indexer = try shape.sparsity.flatMap { sparsity throws(WeightsError) in
            try sparsity.indexer.map { own throws(WeightsError) in
                try IndexerBlock(own, chosenCount: sparsity.count, of: shape, model: model, checkpoint)
            }
        }
    }

    private static func query(
        _ shape: LatentAttentionDescription, _ model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> Query {
        let width = shape.headCount * shape.queryWidth
        switch shape.query {
        case .direct(let names):
            return .direct(try LinearBlock(names, outputs: width, inputs: model.hiddenSize, checkpoint))
        case .lowRank(let rank, let down, let normName, let up):
            return .lowRank(
                down: try LinearBlock(down, outputs: rank, inputs: model.hiddenSize, checkpoint),
                norm: try checkpoint.tensor(normName, shape: [rank]).floats(),
                up: try LinearBlock(up, outputs: width, inputs: rank, checkpoint))
        }
    }

    /// The two matrices of each head.
    private static func heads(
        _ shape: LatentAttentionDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> (queryToLatent: [PackedMatrix], latentToValue: [PackedMatrix]) {
        var keys: [PackedMatrix] = []
        var values: [PackedMatrix] = []
        let name: String
        switch shape.keyValueUp {
        case .together(let both): name = both
        case .apart(let keyName, let valueName):
            let (heads, latent) = (shape.headCount, shape.latentWidth)
            let key = try checkpoint.tensor(keyName, shape: [heads, latent, shape.plainWidth])
            let value = try checkpoint.tensor(valueName, shape: [heads, shape.valueWidth, latent])
            for head in 0..<heads {
                keys.append(try key.slice(head).packed())
                values.append(try value.slice(head).packed())
            }
            return (keys, values)
        }
        let rows = shape.plainWidth + shape.valueWidth
        let both = try checkpoint.tensor(name, shape: [shape.headCount * rows, shape.latentWidth])
        for first in stride(from: 0, to: shape.headCount * rows, by: rows) {
            keys.append(try both.rows(first..<first + shape.plainWidth).packedTransposed())
            values.append(try both.rows(first + shape.plainWidth..<first + rows).packed())
        }
        return (keys, values)
    }

    /// f32 also where weights are blocks: every head reads the same latent, so that its rounding does not average out,
    /// and a latent in f32 is still smaller than the keys and values of a few heads in f16.
    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout {
        .paged(
            KeyValueLayout(
                format: format ?? .f32, kvHeadCount: 1,
                keyDim: shape.cachedWidth, valueDim: shape.latentWidth,
                blockPositions: Limits.Models.keyValueBlockPositions, hasValuesInKeys: true,
                indexDim: shape.sparsity?.indexer?.width ?? 0))
    }

    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        // All sequences of an engine share one pool, and so its layouts.
        guard let layout = rows.first?.cache.layout(layer: layer) else { return }
        let range = rows.indices
        let compute = state.compute
        let keys = state.key.view(range, width: shape.cachedWidth)
        let queries = state.query.view(range, width: shape.headCount * shape.queryWidth)
        let spans = spans(layer: layer, rows: rows)
        project(range, queries: queries, keys: keys, state)
        store(keys, layer: layer, rows: rows, layout, state)
        indexer?.choose(
            layer: layer, rows: rows, spans: spans, narrow: state.narrowQuery.view(range, width: shape.queryRank ?? 1),
            layout, state)
        let attended = attend(toLatent(queries, range, state), range, spans, layout, state)
        let values = state.attended.view(range, width: shape.headCount * shape.valueWidth)
        compute.linearHeads(
            latentToValue, input: heads(attended, 0..<shape.latentWidth), output: heads(values, 0..<shape.valueWidth),
            state.quantised)
        compute.linear(
            output.matrix, input: compute.linearInput(values, for: [output.matrix], state.quantised),
            output: state.projected.view(range), bias: output.bias)
    }

    /// The weighted sums of latents, over all positions or over those that were chosen.
    private func attend(
        _ queries: RowsView, _ range: Range<Int>, _ spans: [AttentionSpan], _ layout: KeyValueLayout,
        _ state: ForwardState
    ) -> RowsView {
        let attended = state.attendedLatent.view(range, width: shape.headCount * shape.latentWidth)
        guard let sparsity = shape.sparsity else {
            state.compute.attention(
                queries: queries, headCount: shape.headCount, spans: spans, layout: layout, scale: shape.scale,
                output: attended, scratch: &state.attentionScratch)
            return attended
        }
        state.compute.sparseAttention(
            queries: queries, headCount: shape.headCount, spans: spans, layout: layout, scale: shape.scale,
            output: attended, choices: state.choices, count: sparsity.count, firstRow: range.lowerBound,
            scratch: &state.sparseScratch, attentionScratch: &state.attentionScratch)
        return attended
    }

    /// Queries, latents and shared keys, none of them rotated yet.
    private func project(_ range: Range<Int>, queries: RowsView, keys: RowsView, _ state: ForwardState) {
        let compute = state.compute
        let normed = state.normed.view(range)
        switch query {
        case .direct(let projection):
            let input = compute.linearInput(normed, for: [projection.matrix, latent.matrix], state.quantised)
            compute.linear(
                [
                    LinearCall(projection.matrix, output: queries, bias: projection.bias),
                    LinearCall(latent.matrix, output: keys, bias: latent.bias),
                ], input: input)
        case .lowRank(let down, let norm, let up):
            let narrow = state.narrowQuery.view(range, width: norm.count)
            let input = compute.linearInput(normed, for: [down.matrix, latent.matrix], state.quantised)
            compute.linear(
                [
                    LinearCall(down.matrix, output: narrow, bias: down.bias),
                    LinearCall(latent.matrix, output: keys, bias: latent.bias),
                ], input: input)
            compute.rmsNorm(narrow, weight: norm, epsilon: shape.normEpsilon, output: narrow)
            compute.linear(
                up.matrix, input: compute.linearInput(narrow, for: [up.matrix], state.quantised), output: queries,
                bias: up.bias)
        }
    }

    /// Norms the latents, rotates the shared keys, and stores both.
    private func store(
        _ keys: RowsView, layer: Int, rows: ArraySlice<StepBatch.Row>, _ layout: KeyValueLayout, _ state: ForwardState
    ) {
        let latents = HeadRows(keys, headCount: 1, part: 0..<shape.latentWidth)
        let shared = HeadRows(keys, headCount: 1, part: shape.latentWidth..<shape.cachedWidth)
        state.compute.rmsNorm(latents, weight: latentNorm, epsilon: shape.normEpsilon)
        rotate(shared, into: shared, rows.indices, state)
        for (row, entry) in rows.enumerated() {
            let place = entry.cache.place(of: entry.position, layer: layer)
            state.compute.storeKey(keys: keys, row: row, layout: layout, block: place.block, offset: place.offset)
        }
    }

    /// The queries as they meet what is cached: their plain part taken to the latent, their other part rotated.
    private func toLatent(_ queries: RowsView, _ range: Range<Int>, _ state: ForwardState) -> RowsView {
        let result = state.latentQuery.view(range, width: shape.headCount * shape.cachedWidth)
        rotate(
            heads(queries, shape.plainWidth..<shape.queryWidth),
            into: heads(result, shape.latentWidth..<shape.cachedWidth), range, state)
        state.compute.linearHeads(
            queryToLatent, input: heads(queries, 0..<shape.plainWidth),
            output: heads(result, 0..<shape.latentWidth), state.quantised)
        return result
    }

    private func heads(_ rows: RowsView, _ part: Range<Int>) -> HeadRows {
        HeadRows(rows, headCount: shape.headCount, part: part)
    }

    private func rotate(_ source: HeadRows, into target: HeadRows, _ range: Range<Int>, _ state: ForwardState) {
        let angles = state.rotaries[rotaryIndex]
        state.compute.rotate(
            source, into: target, cosine: angles.cosine.view(range), sine: angles.sine.view(range),
            isInterleaved: shape.isInterleaved)
    }

    private func spans(layer: Int, rows: ArraySlice<StepBatch.Row>) -> [AttentionSpan] {
        rows.map { AttentionSpan(blocks: $0.cache.table(layer: layer), visiblePositions: $0.position + 1) }
    }
}
