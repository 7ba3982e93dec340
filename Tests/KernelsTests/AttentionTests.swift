import Kernels
import Testing

/// One shape of attention.
struct AttentionShape: Sendable, CustomStringConvertible {
    let headCount, kvHeadCount, keyDim, valueDim, blockPositions, positions: Int
    var windowTokens: Int?
    var hasValuesInKeys = false
    var hasSinks = false
    var description: String {
        "\(headCount)/\(kvHeadCount) heads, \(keyDim)/\(valueDim), \(positions) in blocks of \(blockPositions)"
            + (windowTokens.map { ", window \($0)" } ?? "") + (hasValuesInKeys ? ", values in keys" : "")
            + (hasSinks ? ", sinks" : "")
    }

    /// One per query head; some are the greatest score of all, one next to nothing.
    var sinks: [Float]? { hasSinks ? (0..<headCount).map { $0 == 3 ? -300 : Float($0 % 5) * 2 - 3 } : nil }

    func layout(_ format: KeyValueFormat) -> KeyValueLayout {
        KeyValueLayout(
            format: format, kvHeadCount: kvHeadCount, keyDim: keyDim, valueDim: valueDim,
            blockPositions: blockPositions, hasValuesInKeys: hasValuesInKeys)
    }
}

/// The keys, values and queries of one sequence, and its cache.
private final class CachedSequence {
    let shape: AttentionShape
    let layout: KeyValueLayout
    let keys, values, queries: Rows
    let blocks: [UnsafeMutableRawPointer]
    let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer>

    /// `change` may alter keys and values before they are stored.
    init(
        _ shape: AttentionShape, _ format: KeyValueFormat, scale: Float = 1, compute: Compute,
        change: (_ keys: Rows, _ values: Rows) -> Void = { _, _ in }
    ) {
        self.shape = shape
        let layout = shape.layout(format)
        self.layout = layout
        var numbers = TestNumbers(seed: shape.positions)
        func rows(_ width: Int) -> Rows {
            Rows.of(numbers.floats(shape.positions * width, scale: scale), width: width)
        }
        keys = rows(shape.kvHeadCount * shape.keyDim)
        values = rows(shape.kvHeadCount * shape.valueDim)
        queries = rows(shape.headCount * shape.keyDim)
        change(keys, values)
        let count = (shape.positions + shape.blockPositions - 1) / shape.blockPositions
        blocks = (0..<count).map { _ in
            let block = UnsafeMutableRawPointer.allocate(byteCount: layout.blockBytes, alignment: 64)
            // What was never written must not matter: this is a NaN in f32, f16 and as a scale.
            block.initializeMemory(as: UInt8.self, repeating: 0xff, count: layout.blockBytes)
            return block
        }
        pointers = .allocate(capacity: count)
        for (index, block) in blocks.enumerated() { (pointers + index).initialize(to: block) }
        for position in 0..<shape.positions {
            let block = blocks[position / shape.blockPositions]
            let offset = position % shape.blockPositions
            if shape.hasValuesInKeys {
                compute.storeKey(keys: keys.view, row: position, layout: layout, block: block, offset: offset)
            } else {
                compute.storeKeyValue(
                    keys: keys.view, values: values.view, row: position, layout: layout, block: block, offset: offset)
            }
        }
    }

    deinit {
        pointers.deallocate()
        for block in blocks { block.deallocate() }
    }

    var storedBytes: [UInt8] {
        blocks.flatMap { Array(UnsafeRawBufferPointer(start: $0, count: layout.blockBytes)) }
    }

    private func first(_ position: Int) -> Int { max(0, position + 1 - (shape.windowTokens ?? position + 1)) }

    func attend(_ compute: Compute, rows: Range<Int>, into output: Rows) {
        var scratch = AttentionScratch()
        let spans = rows.map {
            AttentionSpan(blocks: UnsafePointer(pointers), firstPosition: first($0), visiblePositions: $0 + 1)
        }
        compute.attention(
            queries: queries.view(rows), headCount: shape.headCount, spans: spans, layout: layout,
            scale: 0.25, sinks: shape.sinks, output: output.view(rows), scratch: &scratch)
    }

    private func head(_ rows: Rows, _ position: Int, _ head: Int, _ width: Int) -> [Float] {
        Array(rows.view[position][head * width..<(head + 1) * width])
    }

    var reference: [Float] { (0..<shape.positions).flatMap { reference(position: $0) } }

    /// One row. Whole blocks before the window are not even read, so a NaN there does not matter.
    func reference(position: Int) -> [Float] {
        let start = first(position) / shape.blockPositions * shape.blockPositions
        return (0..<shape.headCount).flatMap { index in
            let kvHead = index / (shape.headCount / shape.kvHeadCount)
            let query = head(queries, position, index, shape.keyDim)
            let keys = (start...position).map { head(self.keys, $0, kvHead, shape.keyDim) }
            guard !shape.hasValuesInKeys else {
                return Reference.attentionInKeys(
                    query: query, keys: keys, valueDim: shape.valueDim, scale: 0.25, format: layout.format,
                    first: first(position) - start, sink: shape.sinks?[index])
            }
            return Reference.attention(
                query: query, keys: keys,
                values: (start...position).map { head(values, $0, kvHead, shape.valueDim) }, scale: 0.25,
                format: layout.format, first: first(position) - start, sink: shape.sinks?[index])
        }
    }
}

@Suite struct AttentionTests {
    static let shapes =
        [
            AttentionShape(headCount: 1, kvHeadCount: 1, keyDim: 5, valueDim: 3, blockPositions: 16, positions: 1),
            AttentionShape(headCount: 4, kvHeadCount: 2, keyDim: 16, valueDim: 16, blockPositions: 16, positions: 37),
            AttentionShape(headCount: 8, kvHeadCount: 1, keyDim: 64, valueDim: 64, blockPositions: 128, positions: 130),
            AttentionShape(headCount: 15, kvHeadCount: 1, keyDim: 24, valueDim: 40, blockPositions: 32, positions: 70),
            AttentionShape(headCount: 14, kvHeadCount: 2, keyDim: 12, valueDim: 100, blockPositions: 64, positions: 90),
            AttentionShape(headCount: 66, kvHeadCount: 1, keyDim: 8, valueDim: 16, blockPositions: 16, positions: 20),
            AttentionShape(
                headCount: 6, kvHeadCount: 2, keyDim: 32, valueDim: 72, blockPositions: 16, positions: 75,
                windowTokens: 21),
            AttentionShape(
                headCount: 10, kvHeadCount: 2, keyDim: 16, valueDim: 24, blockPositions: 16, positions: 50,
                hasSinks: true),
            AttentionShape(
                headCount: 8, kvHeadCount: 1, keyDim: 16, valueDim: 16, blockPositions: 16, positions: 40,
                windowTokens: 7, hasSinks: true),
        ]
        + (1...16).map {
            AttentionShape(
                headCount: 2 * $0, kvHeadCount: 2, keyDim: 17, valueDim: 33, blockPositions: 16, positions: 35)
        }

    /// Values in keys: heads and dimensions beyond whole tiles, two key heads, a window, whole and partial panels.
    static let shapesWithValuesInKeys = [
        AttentionShape(
            headCount: 1, kvHeadCount: 1, keyDim: 5, valueDim: 3, blockPositions: 16, positions: 1,
            hasValuesInKeys: true),
        AttentionShape(
            headCount: 9, kvHeadCount: 1, keyDim: 24, valueDim: 16, blockPositions: 64, positions: 130,
            hasValuesInKeys: true),
        AttentionShape(
            headCount: 14, kvHeadCount: 2, keyDim: 21, valueDim: 21, blockPositions: 16, positions: 64,
            hasValuesInKeys: true),
        AttentionShape(
            headCount: 7, kvHeadCount: 1, keyDim: 40, valueDim: 30, blockPositions: 32, positions: 75,
            windowTokens: 37, hasValuesInKeys: true),
    ]

    @Test(arguments: shapes + shapesWithValuesInKeys, KeyValueFormat.allCases)
    func equalsTheReferenceHoweverItIsChunked(shape: AttentionShape, format: KeyValueFormat) throws {
        let generic = try Compute(instructionSet: .generic, threadCount: 1)
        let sequence = CachedSequence(shape, format, scale: 3, compute: generic)
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

    @Test(arguments: KeyValueFormat.allCases) func aWideRangeOfScoresFlushesToZero(format: KeyValueFormat) throws {
        let generic = try Compute(instructionSet: .generic, threadCount: 1)
        let sequence = CachedSequence(Self.shapes[2], format, scale: 40, compute: generic)
        let expected = bits(sequence.reference)
        for compute in try everyCompute() {
            let output = Rows(capacity: 130, width: 8 * 64)
            sequence.attend(compute, rows: 0..<130, into: output)
            #expect(bits(output.values) == expected, compute.label)
        }
    }

    /// A row alone on many threads is cut by positions, heads and dimensions, here finer than there is work.
    @Test(
        arguments: KeyValueFormat.allCases,
        [
            AttentionShape(
                headCount: 10, kvHeadCount: 2, keyDim: 40, valueDim: 136, blockPositions: 64, positions: 300,
                hasSinks: true),
            AttentionShape(
                headCount: 37, kvHeadCount: 1, keyDim: 40, valueDim: 24, blockPositions: 64, positions: 300,
                hasValuesInKeys: true, hasSinks: true),
        ])
    func oneLongRowIsSplitAmongThreads(format: KeyValueFormat, shape: AttentionShape) throws {
        let generic = try Compute(instructionSet: .generic, threadCount: 1)
        let sequence = CachedSequence(shape, format, scale: 3, compute: generic)
        let expected = bits(sequence.reference(position: 299))
        for compute in try everyCompute(threadCounts: [1, 2, 5, 16]) {
            let output = Rows(capacity: 300, width: shape.headCount * shape.valueDim)
            sequence.attend(compute, rows: 299..<300, into: output)
            #expect(bits(output.values(row: 299)) == expected, compute.label)
        }
    }

    /// A sink that outweighs every score leaves nothing, one that is no number leaves no number, -inf is none.
    @Test func unusualSinks() throws {
        let layout = KeyValueLayout(format: .f32, kvHeadCount: 1, keyDim: 1, valueDim: 2, blockPositions: 16)
        for compute in try everyCompute(threadCounts: [1]) {
            let block = UnsafeMutableRawPointer.allocate(byteCount: layout.blockBytes, alignment: 64)
            defer { block.deallocate() }
            compute.storeKeyValue(
                keys: Rows.of([1], width: 1).view, values: Rows.of([3, -4], width: 2).view, row: 0, layout: layout,
                block: block, offset: 0)
            let sinks: [Float] = [0, 300, -300, .infinity, -.infinity, .nan]
            let output = Rows(capacity: 1, width: 2 * sinks.count)
            var scratch = AttentionScratch()
            withUnsafePointer(to: block) { blocks in
                compute.attention(
                    queries: Rows.of(sinks.map { _ in 0 }, width: sinks.count).view, headCount: sinks.count,
                    spans: [AttentionSpan(blocks: blocks, visiblePositions: 1)], layout: layout, scale: 1,
                    sinks: sinks, output: output.view, scratch: &scratch)
            }
            let expected = sinks.flatMap {
                Reference.attention(query: [0], keys: [[1]], values: [[3, -4]], scale: 1, sink: $0)
            }
            #expect(bits(output.values) == bits(expected), compute.label)
            #expect(output.values.prefix(6) == [1.5, -2, 0, -0.0, 3, -4], compute.label)
            #expect(output.values[8...9] == [3, -4] && output.values[10].isNaN, compute.label)
        }
    }

    /// Rows of zeros, of huge and tiny numbers, infinities and NaNs: nothing traps, and the bits are the reference's.
    @Test(arguments: KeyValueFormat.allCases, [false, true])
    func unusualRows(format: KeyValueFormat, hasValuesInKeys: Bool) throws {
        let shape = AttentionShape(
            headCount: 5, kvHeadCount: 1, keyDim: 20, valueDim: 19, blockPositions: 16, positions: 40,
            hasValuesInKeys: hasValuesInKeys)
        let unusual: [Float] = [
            0, -0.0, 3e38, -3e38, 0x1p-126, .leastNonzeroMagnitude, 65504, 65519, 65520, 70000, 6e-8, 2.9e-8, 0x1p-25,
            0x1p-14, 0x1.ffcp-15,
            .infinity, -.infinity, .nan,
        ]
        for (index, number) in unusual.enumerated() {
            let generic = try Compute(instructionSet: .generic, threadCount: 1)
            func change(_ keys: Rows, _ values: Rows) {
                for d in 0..<19 { values.view[20][d] = d % 3 == 0 ? number : 0 }
                if index % 2 == 0 { values.view[21].update(repeating: number) }
                for d in 0..<20 { keys.view[30][d] = d % 4 == 0 ? number : 0 }
            }
            let sequence = CachedSequence(shape, format, compute: generic, change: change)
            let expected = bits(sequence.reference)
            for compute in try everyCompute(threadCounts: [1]) {
                let own = CachedSequence(shape, format, compute: compute, change: change)
                #expect(own.storedBytes == sequence.storedBytes || number.isNaN, "\(number) on \(compute.label)")
                let output = Rows(capacity: 40, width: 5 * 19)
                own.attend(compute, rows: 0..<40, into: output)
                #expect(bits(output.values) == expected, "\(number) on \(compute.label)")
            }
        }
    }

    /// Every f16 and what lies between two of them is rounded as the reference says, on every instruction set.
    @Test func halvesAreRoundedToTheNearest() throws {
        let layout = KeyValueLayout(format: .f16, kvHeadCount: 1, keyDim: 1, valueDim: 1024, blockPositions: 16)
        for compute in try everyCompute(threadCounts: [1]) {
            let block = UnsafeMutableRawPointer.allocate(byteCount: layout.blockBytes, alignment: 64)
            defer { block.deallocate() }
            var wrongCount = 0
            for high in 0..<62 {
                let numbers = (0..<1024).map { low -> Float in
                    let half = Reference.decode(UInt32(high << 10 | low), format: .f16)
                    guard half.isFinite else { return low % 2 == 0 ? half : 1e30 }
                    // Exact, a tie, and either side of the tie.
                    let tie = Float(bitPattern: half.bitPattern &+ 0x1000)
                    return [half, tie, tie.nextUp, tie.nextDown][(low + high) % 4]
                }
                let row = Rows.of(numbers, width: 1024)
                compute.storeKeyValue(
                    keys: Rows.of([0], width: 1).view, values: row.view, row: 0, layout: layout, block: block, offset: 0
                )
                let expected = Reference.stored(numbers, format: .f16).numbers
                for (index, number) in expected.enumerated() {
                    let stored = (block + 16 * 2 + index * 2).load(as: UInt16.self)
                    let decoded = Reference.decode(UInt32(stored), format: .f16)
                    if bits([decoded]) != bits([number]) { wrongCount += 1 }
                }
            }
            #expect(wrongCount == 0, compute.label)
        }
    }

    @Test func reachesFarBack() throws {
        let positions = 131_072
        let layout = KeyValueLayout(format: .f32, kvHeadCount: 1, keyDim: 4, valueDim: 16, blockPositions: 1024)
        let blocks = (0..<positions / 1024).map { _ in Rows(capacity: 1, width: layout.blockBytes / 4) }
        var pointers = blocks.map { UnsafeMutableRawPointer($0.view.base) }
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
