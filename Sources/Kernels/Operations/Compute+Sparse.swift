import CKernels

/// Which positions each row of a step looks at, where it may not look at all of them: the layers that share a choice
/// share one of these.
public final class PositionChoices: Sendable {
    private let positions = GrowingBuffer<UInt32>()

    /// No choice yet.
    public init() {}

    /// Makes room for `rowCount` rows of `count` positions; earlier choices are lost when that needs new memory.
    public func reserve(rowCount: Int, count: Int) { positions.reserve(rowCount * count) }

    /// Sets the positions of a row, ascending.
    package func set(_ chosen: [Int], row: Int) {
        let target = self.row(row, count: chosen.count)
        for (index, position) in chosen.enumerated() { target[index] = UInt32(position) }
    }

    /// The `count` positions of a row, ascending.
    func row(_ row: Int, count: Int) -> UnsafeMutablePointer<UInt32> { positions.base + row * count }
}

/// Memory that choosing and gathering work in; it grows to the largest step and stays. A copy shares the memory: one
/// for each call that runs at a time.
public struct SparseScratch {
    fileprivate let scores = GrowingBuffer<Float>()
    let keys = GrowingBuffer<UInt8>()
    let blocks = GrowingBuffer<UnsafeMutableRawPointer>()

    /// Empty scratch.
    public init() {}
}

/// How positions are chosen: the indexer's heads over the rows of a step.
public struct PositionIndex {
    /// `[rows][heads x indexDim]`.
    public let queries: RowsView
    /// `[rows][heads]`.
    public let headWeights: RowsView
    /// What the products of queries and index keys are multiplied with.
    public let scale: Float

    /// Joins the two.
    public init(queries: RowsView, headWeights: RowsView, scale: Float) {
        precondition(queries.count == headWeights.count && queries.width % headWeights.width == 0)
        self.queries = queries
        self.headWeights = headWeights
        self.scale = scale
    }
}

extension Compute {
    /// Rows whose chosen keys are gathered at a time: enough for all threads, and a bound on the memory.
    private var sparseRowsMax: Int { max(8, 2 * pool.threadCount) }

    /// Chooses, for each row that sees more than `count` positions, the `count` of them with the greatest scores, among
    /// equals the first ones. `firstRow` is the number of the first row in `choices`.
    public func choosePositions(
        _ index: PositionIndex, spans: [AttentionSpan], layout: KeyValueLayout, count: Int, firstRow: Int,
        into choices: PositionChoices, scratch: inout SparseScratch
    ) {
        precondition(index.queries.count == spans.count && count > 0)
        guard let keys = layout.indexKeys else { return precondition(spans.isEmpty, "no index keys") }
        precondition(index.queries.width == index.headWeights.width * keys.keyDim)
        let rows = spans.indices.filter { spans[$0].visiblePositions > count }
        let kernel = kernels.indexScores(layout.format)
        for start in stride(from: 0, to: rows.count, by: sparseRowsMax) {
            let group = rows[start..<min(start + sparseRowsMax, rows.count)]
            let longest = group.reduce(0) { max($0, spans[$1].visiblePositions) }
            let stride = (longest + panelRows - 1) / panelRows * panelRows
            scratch.scores.reserve(group.count * stride)
            let scores = scratch.scores.base
            let cuts = (2 * pool.threadCount + group.count - 1) / group.count
            run(group.count * cuts, work: group.count * longest * index.queries.width) { task, _ in
                let row = group[group.startIndex + task / cuts]
                var arguments = self.arguments(index, row: row, spans[row], keys, offset: layout.indexOffset)
                arguments.scores = scores + task / cuts * stride
                let blocks = (spans[row].visiblePositions + layout.blockPositions - 1) / layout.blockPositions
                let first = blocks * (task % cuts) / cuts
                kernel(&arguments, first, blocks * (task % cuts + 1) / cuts - first)
            }
            run(group.count, work: group.count * longest * digitPasses) { task, _ in
                let row = group[group.startIndex + task]
                colony_choose_greatest(
                    scores + task * stride, spans[row].visiblePositions, count,
                    choices.row(firstRow + row, count: count))
            }
        }
    }

    private func arguments(
        _ index: PositionIndex, row: Int, _ span: AttentionSpan, _ keys: KeyValueLayout, offset: Int
    ) -> colony_index_arguments {
        var arguments = colony_index_arguments()
        arguments.layout = keys.arguments
        arguments.query = UnsafePointer(index.queries.base + row * index.queries.width)
        arguments.head_weights = UnsafePointer(index.headWeights.base + row * index.headWeights.width)
        arguments.blocks = UnsafePointer(span.blocks)
        arguments.offset = offset
        arguments.heads = index.headWeights.width
        arguments.visible = span.visiblePositions
        arguments.scale = index.scale
        return arguments
    }

    /// Attention as `attention`, of each row over those `count` positions of its span that `choices` has for it, or
    /// over all if there are no more. The layout has one key head, in whose keys the values lie.
    ///
    /// The keys of chosen positions are first copied beside each other, in order of position, so that the sums are
    /// those of a sequence that has no other positions.
    public func sparseAttention(
        queries: RowsView, headCount: Int, spans: [AttentionSpan], layout: KeyValueLayout, scale: Float,
        output: RowsView, choices: PositionChoices, count: Int, firstRow: Int, scratch: inout SparseScratch,
        attentionScratch: inout AttentionScratch
    ) {
        precondition(layout.hasValuesInKeys && layout.kvHeadCount == 1, "keys that hold their values, of one head")
        var start = 0
        while start < spans.count {
            var end = start
            var sparseCount = 0
            while end < spans.count, sparseCount < sparseRowsMax {
                if spans[end].visiblePositions > count { sparseCount += 1 }
                end += 1
            }
            let gathered = gather(
                spans, rows: start..<end, layout, choices, count: count, firstRow: firstRow, sparseCount, scratch)
            attention(
                queries: queries.rows(start..<end), headCount: headCount, spans: gathered, layout: layout,
                scale: scale, output: output.rows(start..<end), scratch: &attentionScratch)
            start = end
        }
    }

    /// The spans of some rows with chosen keys in the place of all.
    private func gather(
        _ spans: [AttentionSpan], rows: Range<Int>, _ layout: KeyValueLayout, _ choices: PositionChoices, count: Int,
        firstRow: Int, _ sparseCount: Int, _ scratch: SparseScratch
    ) -> [AttentionSpan] {
        let blocksPerRow = (count + layout.blockPositions - 1) / layout.blockPositions
        scratch.keys.reserve(sparseCount * blocksPerRow * layout.blockBytes)
        scratch.blocks.reserve(sparseCount * blocksPerRow)
        let blocks = scratch.blocks.base
        for index in 0..<sparseCount * blocksPerRow {
            blocks[index] = UnsafeMutableRawPointer(scratch.keys.base + index * layout.blockBytes)
        }
        let sparse = rows.filter { spans[$0].visiblePositions > count }
        withUnsafePointer(to: layout.arguments) { keys in
            run(sparseCount * blocksPerRow, work: sparseCount * count * layout.keyDim) { task, _ in
                let row = sparse[task / blocksPerRow]
                let first = task % blocksPerRow * layout.blockPositions
                colony_gather_keys(
                    keys, layout.format.numberBytes, spans[row].blocks,
                    choices.row(firstRow + row, count: count) + first, min(layout.blockPositions, count - first),
                    blocks[task], layout.blockPositions, 0)
            }
        }
        var found = 0
        return rows.map { row in
            guard spans[row].visiblePositions > count else { return spans[row] }
            defer { found += 1 }
            return AttentionSpan(blocks: UnsafePointer(blocks + found * blocksPerRow), visiblePositions: count)
        }
    }

    /// Layer norm of each row, in place: `((x - mean) * 1 / sqrt(variance + epsilon)) * weight + bias`.
    public func layerNorm(_ rows: RowsView, weight: [Float], bias: [Float], epsilon: Float) {
        precondition(rows.width == weight.count && rows.width == bias.count)
        weight.withUnsafeBufferPointer { weights in
            bias.withUnsafeBufferPointer { biases in
                guard let weightBase = weights.baseAddress, let biasBase = biases.baseAddress else { return }
                forEachRow(rows.count, width: rows.width) { row in
                    let base = rows.base + row * rows.width
                    table.layer_norm(base, weightBase, biasBase, epsilon, base, rows.width)
                }
            }
        }
    }
}

/// How often the choice of the greatest looks at a score.
private let digitPasses = 5
