import Kernels
import Testing

@Suite struct AttentionTests {
    struct Shape: Sendable, CustomStringConvertible {
        let headCount, kvHeadCount, keyDim, valueDim, blockPositions, positions: Int
        var description: String {
            "\(headCount)/\(kvHeadCount) heads, \(keyDim)/\(valueDim), \(positions) in blocks of \(blockPositions)"
        }
        var layout: KeyValueLayout {
            KeyValueLayout(
                kvHeadCount: kvHeadCount, keyDim: keyDim, valueDim: valueDim, blockPositions: blockPositions)
        }
    }

    static let shapes = [
        Shape(headCount: 1, kvHeadCount: 1, keyDim: 5, valueDim: 3, blockPositions: 16, positions: 1),
        Shape(headCount: 4, kvHeadCount: 2, keyDim: 16, valueDim: 16, blockPositions: 16, positions: 37),
        Shape(headCount: 8, kvHeadCount: 1, keyDim: 64, valueDim: 64, blockPositions: 128, positions: 130),
        Shape(headCount: 15, kvHeadCount: 1, keyDim: 24, valueDim: 40, blockPositions: 32, positions: 70),
        Shape(headCount: 14, kvHeadCount: 2, keyDim: 12, valueDim: 100, blockPositions: 64, positions: 90),
        Shape(headCount: 66, kvHeadCount: 1, keyDim: 8, valueDim: 16, blockPositions: 16, positions: 20),
    ]

    /// The keys, values and queries of one sequence, and its cache.
    private final class Sequence {
        let shape: Shape
        let keys, values, queries: Rows
        let blocks: [Rows]
        let pointers: UnsafeMutablePointer<UnsafeMutablePointer<Float>>

        init(_ shape: Shape, scale: Float = 1, compute: Compute) {
            self.shape = shape
            var numbers = TestNumbers(seed: shape.positions)
            func rows(_ width: Int) -> Rows {
                Rows.of(numbers.floats(shape.positions * width, scale: scale), width: width)
            }
            keys = rows(shape.kvHeadCount * shape.keyDim)
            values = rows(shape.kvHeadCount * shape.valueDim)
            queries = rows(shape.headCount * shape.keyDim)
            let count = (shape.positions + shape.blockPositions - 1) / shape.blockPositions
            blocks = (0..<count).map { _ in Rows(capacity: 1, width: shape.layout.blockFloatCount) }
            // What was never written must not matter.
            for block in blocks { block.view.floats.update(repeating: .nan) }
            pointers = .allocate(capacity: count)
            for (index, block) in blocks.enumerated() { (pointers + index).initialize(to: block.view.base) }
            for position in 0..<shape.positions {
                compute.storeKeyValue(
                    keys: keys.view, values: values.view, row: position, layout: shape.layout,
                    block: pointers[position / shape.blockPositions], offset: position % shape.blockPositions)
            }
        }

        deinit { pointers.deallocate() }

        func attend(_ compute: Compute, rows: Range<Int>, into output: Rows) {
            var scratch = AttentionScratch()
            let spans = rows.map { AttentionSpan(blocks: UnsafePointer(pointers), visiblePositions: $0 + 1) }
            compute.attention(
                queries: queries.view(rows), headCount: shape.headCount, spans: spans, layout: shape.layout,
                scale: 0.25, output: output.view(rows), scratch: &scratch)
        }

        func head(_ rows: Rows, _ position: Int, _ head: Int, _ width: Int) -> [Float] {
            Array(rows.view[position][head * width..<(head + 1) * width])
        }

        var reference: [Float] {
            (0..<shape.positions).flatMap { position in
                (0..<shape.headCount).flatMap { index in
                    let kvHead = index / (shape.headCount / shape.kvHeadCount)
                    return Reference.attention(
                        query: head(queries, position, index, shape.keyDim),
                        keys: (0...position).map { head(keys, $0, kvHead, shape.keyDim) },
                        values: (0...position).map { head(values, $0, kvHead, shape.valueDim) }, scale: 0.25)
                }
            }
        }
    }

    @Test(arguments: shapes)
    func equalsTheReferenceHoweverItIsChunked(shape: Shape) throws {
        let generic = try Compute(instructionSet: .generic, threadCount: 1)
        let sequence = Sequence(shape, scale: 3, compute: generic)
        let expected = bits(sequence.reference)
        for compute in try everyCompute() {
            let output = Rows(capacity: shape.positions, width: shape.headCount * shape.valueDim)
            sequence.attend(compute, rows: 0..<shape.positions, into: output)
            #expect(bits(output.values) == expected, compute.label)
            for chunk in [1, 7] {
                output.view.floats.update(repeating: .nan)
                for start in stride(from: 0, to: shape.positions, by: chunk) {
                    sequence.attend(compute, rows: start..<min(start + chunk, shape.positions), into: output)
                }
                #expect(bits(output.values) == expected, "chunks of \(chunk)")
            }
        }
    }

    @Test func aWideRangeOfScoresFlushesToZero() throws {
        let generic = try Compute(instructionSet: .generic, threadCount: 1)
        let sequence = Sequence(Self.shapes[2], scale: 40, compute: generic)
        let expected = bits(sequence.reference)
        for compute in try everyCompute() {
            let output = Rows(capacity: 130, width: 8 * 64)
            sequence.attend(compute, rows: 0..<130, into: output)
            #expect(bits(output.values) == expected, compute.label)
        }
    }

    @Test func reachesFarBack() throws {
        let positions = 131_072
        let layout = KeyValueLayout(kvHeadCount: 1, keyDim: 4, valueDim: 16, blockPositions: 1024)
        let blocks = (0..<positions / 1024).map { _ in Rows(capacity: 1, width: layout.blockFloatCount) }
        var pointers = blocks.map { $0.view.base }
        let query = Rows.of([1, 2, 3, 4], width: 4)
        // All scores are equal, so the answer is the mean of the values: 1 for the last block, 0 elsewhere.
        blocks[blocks.count - 1].view.floats.update(repeating: 1)
        for d in 0..<4 * 1024 { blocks[blocks.count - 1].view.base[d] = 0 }
        for compute in try everyCompute() {
            let output = Rows(capacity: 1, width: 16)
            var scratch = AttentionScratch()
            withExtendedLifetime(blocks) {
                pointers.withUnsafeMutableBufferPointer { pointers in
                    guard let base = pointers.baseAddress else { return }
                    let span = AttentionSpan(blocks: UnsafePointer(base), visiblePositions: positions)
                    compute.attention(
                        queries: query.view, headCount: 1, spans: [span], layout: layout, scale: 1,
                        output: output.view, scratch: &scratch)
                }
            }
            #expect(output.values == [Float](repeating: 1.0 / 128, count: 16), compute.label)
        }
    }
}
