import Basics
import Kernels
import Weights

/// A linear layer with its optional bias.
struct LinearBlock: Sendable {
    let matrix: PackedMatrix
    let bias: [Float]?
    /// See `Tensor.inputOrder`.
    private let inputOrder: IndexExchange?

    init(_ names: LinearNames, outputs: Int, inputs: Int, _ checkpoint: Checkpoint) throws(WeightsError) {
        let weight = try checkpoint.tensor(names.weight, shape: [outputs, inputs])
        matrix = try weight.packed()
        inputOrder = weight.inputOrder
        guard let name = names.bias else {
            bias = nil
            return
        }
        bias = try checkpoint.tensor(name, shape: [outputs]).floats()
    }

    /// The rows in the order in which the matrix has its columns: themselves, or in `scratch`.
    func ordered(_ rows: RowsView, _ scratch: RowsView) -> RowsView {
        guard let order = inputOrder else { return rows }
        for row in 0..<rows.count {
            let (input, output) = (rows[row], scratch[row])
            for column in 0..<rows.width { output[order.stored(column)] = input[column] }
        }
        return scratch
    }
}

/// Grouped-query attention over the sequences' own caches. Keeps no state.
final class GroupedQueryAttentionBlock: AttentionBlock {
    private let shape: GroupedQueryAttentionDescription
    private let query: LinearBlock
    /// Nil where the keys and values of another layer are read.
    private let keyValue: KeyValueProjections?
    private let output: LinearBlock
    private let sinks: [Float]?
    private let queryNorm: [Float]?
    private let normEpsilon: Float
    private let rotaryIndex: Int
    /// The window if it is all that the layer keeps of a sequence. One that others read too keeps everything: they
    /// read after all rows of a step are stored.
    private let keptWindowTokens: Int?

    /// Rows that are stored before the first of them is computed, where positions take each other's places.
    private static let windowRowsMax = 64

    private struct KeyValueProjections: Sendable {
        let key: LinearBlock
        let value: LinearBlock
        let keyNorm: [Float]?

        init(
            _ shape: GroupedQueryAttentionDescription, _ model: ModelDescription, _ checkpoint: Checkpoint
        ) throws(WeightsError) {
            let width = shape.keyValueHeadCount * shape.headWidth
            key = try LinearBlock(shape.key, outputs: width, inputs: model.hiddenSize, checkpoint)
            value = try LinearBlock(shape.value, outputs: width, inputs: model.hiddenSize, checkpoint)
            keyNorm = try shape.normWeight(
                shape.norms.names?.key, headCount: shape.keyValueHeadCount, model, checkpoint)
        }
    }

    init(
        _ shape: GroupedQueryAttentionDescription, isShared: Bool, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.shape = shape
        let keepsEverything = isShared || shape.windowTokens ?? .max > Limits.Models.keptWindowTokensMax
        keptWindowTokens = keepsEverything ? nil : shape.windowTokens
        normEpsilon = model.normEpsilon
        rotaryIndex = model.index(of: shape.rotary)
        let queryWidth = shape.headCount * shape.headWidth
        query = try LinearBlock(
            shape.query, outputs: shape.hasOutputGate ? 2 * queryWidth : queryWidth, inputs: model.hiddenSize,
            checkpoint)
        keyValue = shape.sharedLayer == nil ? try KeyValueProjections(shape, model, checkpoint) : nil
        output = try LinearBlock(shape.output, outputs: model.hiddenSize, inputs: queryWidth, checkpoint)
        sinks = try shape.sinksName.map { name throws(WeightsError) in
            try checkpoint.tensor(name, shape: [shape.headCount]).floats()
        }
        queryNorm = try shape.normWeight(shape.norms.names?.query, headCount: shape.headCount, model, checkpoint)
        precondition(!shape.hasOutputGate || queryNorm?.count == shape.headWidth, "gated heads have norms of their own")
    }

    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        let compute = state.compute
        let queries = state.query.view(range, width: shape.headCount * shape.headWidth)
        let keys = state.key.view(range, width: shape.keyValueHeadCount * shape.headWidth)
        let values = state.value.view(range, width: shape.keyValueHeadCount * shape.headWidth)
        let projected = shape.hasOutputGate ? state.gate.view(range, width: 2 * queries.width) : queries
        project(to: projected, keys, values, range, state)
        normaliseQueries(projected, into: queries, compute)
        rotate(queries, headCount: shape.headCount, range, state)
        if let keyValue {
            normalise(keys, keyValue.keyNorm, compute)
            rotate(keys, headCount: shape.keyValueHeadCount, range, state)
        }
        let partRows = keptWindowTokens == nil ? max(1, rows.count) : Self.windowRowsMax
        for start in stride(from: rows.startIndex, to: rows.endIndex, by: partRows) {
            attend(layer: layer, rows[start..<min(start + partRows, rows.endIndex)], state)
        }
        let attended = state.attended.view(range, width: queries.width)
        gate(attended, range, state)
        compute.linear(
            output.matrix, input: compute.linearInput(attended, for: [output.matrix], state.quantised),
            output: state.projected.view(range), bias: output.bias)
    }

    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout {
        guard let keyValue else { return LayerCacheLayout() }
        let layout = KeyValueLayout(
            format: format ?? (keyValue.key.matrix.format.isPlain ? .f32 : .f16),
            kvHeadCount: shape.keyValueHeadCount, keyDim: shape.headWidth, valueDim: shape.headWidth,
            blockPositions: Limits.Models.keyValueBlockPositions)
        guard let keptWindowTokens else { return .paged(layout) }
        return .window(WindowLayout(layout, tokens: keptWindowTokens, rows: Self.windowRowsMax))
    }

    /// Stores the keys and values of rows, if the layer has its own, and lets the rows see all that they may.
    private func attend(layer: Int, _ rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        // All sequences of an engine share one pool, and so its layouts.
        guard let layout = rows.first?.cache.layout(layer: layer) else { return }
        if keyValue != nil { store(layer: layer, rows: rows, layout, state) }
        let width = shape.headCount * shape.headWidth
        state.compute.attention(
            queries: state.query.view(range, width: width), headCount: shape.headCount,
            spans: spans(layer: layer, rows: rows), layout: layout, scale: 1 / Float(shape.headWidth).squareRoot(),
            sinks: sinks, output: state.attended.view(range, width: width), scratch: &state.attentionScratch)
    }

    /// The norms of queries. With gates, which lie beside them in `projected`, they are taken from among these.
    private func normaliseQueries(_ projected: RowsView, into queries: RowsView, _ compute: Compute) {
        guard shape.hasOutputGate, let queryNorm else { return normalise(queries, queryNorm, compute) }
        compute.rmsNorm(
            HeadRows(projected, headCount: shape.headCount, part: 0..<shape.headWidth), weight: queryNorm,
            epsilon: normEpsilon, output: queries.reshaped(width: shape.headWidth))
    }

    /// Multiplies the output of each head by the sigmoid of its gate, if it has one.
    private func gate(_ attended: RowsView, _ range: Range<Int>, _ state: ForwardState) {
        guard shape.hasOutputGate else { return }
        let both = state.gate.view(range, width: 2 * attended.width)
        let gates = HeadRows(both, headCount: shape.headCount, part: shape.headWidth..<2 * shape.headWidth)
        state.compute.multiply(attended.reshaped(width: shape.headWidth), bySigmoidOf: gates)
    }

    /// The `normed` rows of `range` to queries, and to keys and values where the layer has its own.
    private func project(
        to queries: RowsView, _ keys: RowsView, _ values: RowsView, _ range: Range<Int>, _ state: ForwardState
    ) {
        var calls = [LinearCall(query.matrix, output: queries, bias: query.bias)]
        if let keyValue {
            calls.append(LinearCall(keyValue.key.matrix, output: keys, bias: keyValue.key.bias))
            calls.append(LinearCall(keyValue.value.matrix, output: values, bias: keyValue.value.bias))
        }
        let input = state.compute.linearInput(state.normed.view(range), for: calls.map(\.matrix), state.quantised)
        state.compute.linear(calls, input: input)
    }

    private func normalise(_ rows: RowsView, _ weight: [Float]?, _ compute: Compute) {
        guard let weight else { return }
        let parts = rows.reshaped(width: weight.count)
        compute.rmsNorm(parts, weight: weight, epsilon: normEpsilon, output: parts)
    }

    private func rotate(_ rows: RowsView, headCount: Int, _ range: Range<Int>, _ state: ForwardState) {
        let angles = state.rotaries[rotaryIndex]
        state.compute.rotate(
            rows, headCount: headCount, cosine: angles.cosine.view(range), sine: angles.sine.view(range))
    }

    private func store(
        layer: Int, rows: ArraySlice<StepBatch.Row>, _ layout: KeyValueLayout, _ state: ForwardState
    ) {
        let width = shape.keyValueHeadCount * shape.headWidth
        let keys = state.key.view(rows.indices, width: width), values = state.value.view(rows.indices, width: width)
        for (row, entry) in rows.enumerated() {
            let place = entry.cache.place(of: entry.position, layer: layer)
            state.compute.storeKeyValue(
                keys: keys, values: values, row: row, layout: layout, block: place.block, offset: place.offset)
        }
    }

    private func spans(layer: Int, rows: ArraySlice<StepBatch.Row>) -> [AttentionSpan] {
        rows.map { row in
            let end = row.position + 1
            return AttentionSpan(
                blocks: row.cache.table(layer: layer), firstPosition: max(0, end - (shape.windowTokens ?? end)),
                visiblePositions: end)
        }
    }
}

extension GroupedQueryAttentionDescription {
    /// The weight of a norm over queries or keys, which have so many heads; nil if it has no name.
    fileprivate func normWeight(
        _ name: String?, headCount: Int, _ model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> [Float]? {
        guard let name else { return nil }
        let width =
            switch norms {
            case .eachHead, .none: headWidth
            case .wholeProjection: headCount * headWidth
            }
        return try checkpoint.norm(name, width: width, model)
    }
}

extension GroupedQueryAttentionDescription.QueryKeyNorms {
    fileprivate var names: (query: String, key: String)? {
        switch self {
        case .eachHead(let query, let key), .wholeProjection(let query, let key): (query, key)
        case .none: nil
        }
    }
}
