import Kernels
import Testing

/// Keys of windows of positions as entries, however the rows are cut.
@Suite struct CompressionTests {
    private static let shapes = [
        CompressionShape(windowPositions: 1, dims: 5, overlaps: false),
        CompressionShape(windowPositions: 4, dims: 16, overlaps: true),
        CompressionShape(windowPositions: 3, dims: 77, overlaps: true),
        CompressionShape(windowPositions: 8, dims: 130, overlaps: false),
    ]

    @Test(arguments: shapes, [Float(1), 60]) func equalsTheReference(shape: CompressionShape, scale: Float) throws {
        let rowCount = 29
        var numbers = TestNumbers(seed: shape.dims)
        let keys = numbers.floats(rowCount * shape.width, scale: 3)
        let gates = numbers.floats(rowCount * shape.width, scale: scale)
        let bias = numbers.floats(shape.windowPositions * shape.width)
        func rows(_ values: [Float]) -> [[Float]] {
            (0..<values.count / shape.width).map { row($0, of: values, width: shape.width) }
        }
        let expected = Reference.compressed(keys: rows(keys), gates: rows(gates), bias: rows(bias), shape)
        #expect(expected.count == rowCount / shape.windowPositions)
        for compute in try everyCompute(threadCounts: [1, 3]) {
            for chunk in [1, 5, rowCount] {
                // What the memory held before the first position does not matter.
                let state = Rows.of(Array(repeating: .nan, count: shape.stateFloats), width: shape.stateFloats)
                let entries = Rows(capacity: expected.count, width: shape.dims)
                for start in stride(from: 0, to: rowCount, by: chunk) {
                    let run = CompressionRun(
                        rows: start..<min(start + chunk, rowCount), position: start, state: state.view.base,
                        firstEntry: start / shape.windowPositions)
                    compute.compress(
                        keys: Rows.of(keys, width: shape.width).view, gates: Rows.of(gates, width: shape.width).view,
                        bias: Rows.of(bias, width: shape.width), shape, runs: [run], entries: entries.view)
                }
                #expect(bits(entries.values) == bits(expected.flatMap { $0 }), "\(compute.label), \(chunk) at a time")
            }
        }
    }

    /// Where gates are equal an entry is the mean of its keys.
    @Test func equalGatesGiveTheMean() throws {
        let shape = CompressionShape(windowPositions: 4, dims: 1, overlaps: false)
        let entries = Reference.compressed(
            keys: [[1], [2], [3], [6]], gates: [[0.5], [0.5], [0.5], [0.5]], bias: [[0], [0], [0], [0]], shape)
        #expect(entries == [[3]])
    }

    /// The last positions in a ring, then entries; all of them, or those that were chosen.
    @Test(arguments: KeyValueFormat.allCases, [nil, 21]) func joinedAttentionEqualsTheReference(
        format: KeyValueFormat, chosenCount: Int?
    ) throws {
        let (dims, heads, ring, seen, entryCount) = (20, 5, 32, 19, 70)
        func layout(_ positions: Int, indexDim: Int = 0) -> KeyValueLayout {
            KeyValueLayout(
                format: format, kvHeadCount: 1, keyDim: dims, valueDim: dims, blockPositions: positions,
                hasValuesInKeys: true, indexDim: indexDim)
        }
        let joined = JoinedLayout(window: layout(ring), entries: layout(48, indexDim: 16))
        var numbers = TestNumbers(seed: 9)
        let positions = 8..<40
        let keys = Rows.of(numbers.floats(40 * dims, scale: 2), width: dims)
        let entries = Rows.of(numbers.floats(entryCount * dims, scale: 2), width: dims)
        let queries = Rows.of(numbers.floats(3 * heads * dims), width: heads * dims)
        let sinks = numbers.floats(heads)
        let ends = [40, 33, 39], visible = [70, 0, 20]
        let chosen = (0..<entryCount).filter { $0 % 3 == 1 }.prefix(chosenCount ?? 0)
        let expected = (0..<3).flatMap { index -> [Float] in
            let window = (ends[index] - seen..<ends[index]).map { keys.values(row: $0) }
            let isChosen = visible[index] > chosenCount ?? .max
            let others = (isChosen ? Array(chosen) : Array(0..<visible[index])).map { entries.values(row: $0) }
            return (0..<heads).flatMap { head in
                Reference.attentionInKeys(
                    query: row(head, of: queries.values(row: index), width: dims), keys: window + others,
                    valueDim: dims, scale: 0.25, format: format, sink: sinks[head])
            }
        }
        for compute in try everyCompute() {
            let window = Block(joined.window), first = Block(layout(48, indexDim: 16))
            let second = Block(layout(48, indexDim: 16))
            for position in positions {
                compute.storeKey(
                    keys: keys.view, row: position, layout: joined.window, block: window.base, offset: position % ring)
            }
            for entry in 0..<entryCount {
                compute.storeKey(
                    keys: entries.view, row: entry, layout: layout(48, indexDim: 16),
                    block: (entry < 48 ? first : second).base, offset: entry % 48)
            }
            let output = Rows(capacity: 3, width: heads * dims)
            let choices = chosenCount.map { _ in Self.choices(Array(chosen), rows: 3) }
            var scratch = SparseScratch(), attentionScratch = AttentionScratch()
            [first.base, second.base].withUnsafeBufferPointer { blocks in
                let spans = (0..<3).map {
                    JoinedSpan(
                        window: window.base, positions: ends[$0] - seen..<ends[$0], entryBlocks: blocks.baseAddress,
                        entryCount: visible[$0])
                }
                compute.joinedAttention(
                    queries: queries.view, headCount: heads, spans: spans, layout: joined,
                    chosen: choices.map { EntryChoices(choices: $0, count: chosen.count, firstRow: 0) }, scale: 0.25,
                    sinks: sinks, output: output.view, scratch: &scratch, attentionScratch: &attentionScratch)
            }
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }

    /// The same choice for each row.
    private static func choices(_ chosen: [Int], rows: Int) -> PositionChoices {
        let choices = PositionChoices()
        choices.reserve(rowCount: rows, count: chosen.count)
        for row in 0..<rows { choices.set(chosen, row: row) }
        return choices
    }
}

/// A block that was never written: NaNs in every format.
private final class Block {
    let base: UnsafeMutableRawPointer

    init(_ layout: KeyValueLayout) {
        base = .allocate(byteCount: layout.blockBytes, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0xff, count: layout.blockBytes)
    }

    deinit { base.deallocate() }
}
