import Kernels
import Testing

/// Attention over chosen positions.
@Suite struct SparseAttentionTests {
    private static let layoutShape = (keyDim: 24, valueDim: 20, indexDim: 18, blockPositions: 32)

    private static func layout(_ format: KeyValueFormat) -> KeyValueLayout {
        KeyValueLayout(
            format: format, kvHeadCount: 1, keyDim: layoutShape.keyDim, valueDim: layoutShape.valueDim,
            blockPositions: layoutShape.blockPositions, hasValuesInKeys: true, indexDim: layoutShape.indexDim)
    }

    @Test(arguments: [1, 7, 16, 33, 128]) func layerNormEqualsTheReference(width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let values = numbers.floats(5 * width, scale: 3)
        let (weight, bias) = (numbers.floats(width), numbers.floats(width))
        let expected = (0..<5).flatMap {
            Reference.layerNorm(row($0, of: values, width: width), weight: weight, bias: bias, epsilon: 1e-6)
        }
        for compute in try everyCompute() {
            let rows = Rows.of(values, width: width)
            compute.layerNorm(rows.view, weight: weight, bias: bias, epsilon: 1e-6)
            #expect(bits(rows.values) == bits(expected), compute.label)
        }
    }

    /// The whole way, as for a prompt: rows that see fewer positions than are chosen, as many, and more; index keys in
    /// pairs, so that scores are equal, and with a head that weighs less than nothing.
    @Test(arguments: KeyValueFormat.allCases) func equalsTheReference(format: KeyValueFormat) throws {
        let (positions, heads, indexHeads, count) = (100, 5, 11, 37)
        let layout = Self.layout(format)
        var numbers = TestNumbers(seed: 5)
        let keys = Rows.of(numbers.floats(positions * layout.keyDim, scale: 2), width: layout.keyDim)
        let indexKeys = Rows.of(numbers.floats(positions * layout.indexDim), width: layout.indexDim)
        for position in stride(from: 1, to: positions, by: 2) {
            for d in 0..<layout.indexDim { indexKeys.view[position][d] = indexKeys.view[position - 1][d] }
        }
        let queries = Rows.of(numbers.floats(positions * heads * layout.keyDim), width: heads * layout.keyDim)
        let indexQueries = Rows.of(
            numbers.floats(positions * indexHeads * layout.indexDim), width: indexHeads * layout.indexDim)
        let headWeights = Rows.of(numbers.floats(positions * indexHeads), width: indexHeads)
        let expected = (0..<positions).flatMap { position -> [Float] in
            var chosen = Array(0...position)
            if position + 1 > count {
                let scores = Reference.indexScores(
                    queries: (0..<indexHeads).map {
                        row($0, of: indexQueries.values(row: position), width: layout.indexDim)
                    },
                    headWeights: headWeights.values(row: position),
                    keys: (0...position).map { indexKeys.values(row: $0) }, scale: 0.3, format: format)
                chosen = Reference.greatest(count, of: scores)
            }
            return (0..<heads).flatMap { head in
                Reference.attentionInKeys(
                    query: row(head, of: queries.values(row: position), width: layout.keyDim),
                    keys: chosen.map { keys.values(row: $0) }, valueDim: layout.valueDim, scale: 0.25, format: format)
            }
        }
        for compute in try everyCompute() {
            let cache = Cache(layout, positions: positions)
            for position in 0..<positions {
                let place = cache.place(position)
                compute.storeKey(
                    keys: keys.view, row: position, layout: layout, block: place.block, offset: place.offset)
                compute.storeIndexKey(
                    keys: indexKeys.view, row: position, layout: layout, block: place.block, offset: place.offset)
            }
            let output = Rows(capacity: positions, width: heads * layout.valueDim)
            for chunk in [1, 23, positions] {
                output.view.floats.update(repeating: .nan)
                let choices = PositionChoices()
                choices.reserve(rowCount: positions, count: count)
                var scratch = SparseScratch()
                var attentionScratch = AttentionScratch()
                for start in stride(from: 0, to: positions, by: chunk) {
                    let rows = start..<min(start + chunk, positions)
                    let spans = rows.map { AttentionSpan(blocks: cache.table, visiblePositions: $0 + 1) }
                    let index = PositionIndex(
                        queries: indexQueries.view(rows), headWeights: headWeights.view(rows), scale: 0.3)
                    compute.choosePositions(
                        index, spans: spans, layout: layout, count: count, firstRow: start, into: choices,
                        scratch: &scratch)
                    compute.sparseAttention(
                        queries: queries.view(rows), headCount: heads, spans: spans, layout: layout, scale: 0.25,
                        output: output.view(rows), choices: choices, count: count, firstRow: start, scratch: &scratch,
                        attentionScratch: &attentionScratch)
                }
                #expect(bits(output.values) == bits(expected), "\(compute.label), chunks of \(chunk)")
            }
        }
    }
}

/// Blocks that were never written: NaNs in every format.
private final class Cache {
    private let layout: KeyValueLayout
    private let blocks: UnsafeMutableBufferPointer<UnsafeMutableRawPointer>

    init(_ layout: KeyValueLayout, positions: Int) {
        self.layout = layout
        let count = (positions + layout.blockPositions - 1) / layout.blockPositions
        blocks = .allocate(capacity: count)
        for index in 0..<count {
            let block = UnsafeMutableRawPointer.allocate(byteCount: layout.blockBytes, alignment: 64)
            block.initializeMemory(as: UInt8.self, repeating: 0xff, count: layout.blockBytes)
            blocks.initializeElement(at: index, to: block)
        }
    }

    deinit {
        for block in blocks { block.deallocate() }
        blocks.deallocate()
    }

    var table: UnsafePointer<UnsafeMutableRawPointer> {
        guard let base = blocks.baseAddress else { preconditionFailure("at least one block") }
        return UnsafePointer(base)
    }

    func place(_ position: Int) -> (block: UnsafeMutableRawPointer, offset: Int) {
        (blocks[position / layout.blockPositions], position % layout.blockPositions)
    }
}
