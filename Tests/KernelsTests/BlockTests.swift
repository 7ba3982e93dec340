import Foundation
import Kernels
import Testing

/// Weights that are stored in blocks, each format on each instruction set against the plain Swift version.
@Suite struct BlockTests {
    static let shapes = [
        LinearTests.Shape(rows: 1, columns: 256, tokens: 1), LinearTests.Shape(rows: 5, columns: 512, tokens: 3),
        LinearTests.Shape(rows: 33, columns: 256, tokens: 21), LinearTests.Shape(rows: 70, columns: 768, tokens: 7),
    ]

    @Test(arguments: shapes, WeightFormat.blocks)
    func equalsTheReference(shape: LinearTests.Shape, format: WeightFormat) throws {
        let weights = TestWeights(blockRows: shape.rows, columns: shape.columns, format: format, seed: shape.rows)
        var numbers = TestNumbers(seed: 7)
        let input = numbers.floats(shape.tokens * shape.columns)
        try compare(weights, input: input, bias: nil)
        try compare(weights, input: input, bias: numbers.floats(shape.rows))
    }

    @Test(arguments: WeightFormat.blocks)
    func takesAnyBits(format: WeightFormat) throws {
        var numbers = TestNumbers(seed: 9)
        let bytes = (0..<40 * format.byteCount(of: 512)).map { _ in UInt8(truncatingIfNeeded: numbers.next() >> 20) }
        let weights = TestWeights(bytes: bytes, format: format, columns: 512)
        try compare(weights, input: numbers.floats(3 * 512), bias: nil)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 0x1p-130, 3e38, 0])
    func takesAnyActivation(value: Float) throws {
        let weights = TestWeights(blockRows: 20, columns: 256, format: .q4K, seed: 2)
        var numbers = TestNumbers(seed: 3)
        var input = numbers.floats(2 * 256)
        input[40] = value
        for index in 64..<96 { input[index] = value }
        try compare(weights, input: input, bias: nil)
    }

    @Test(arguments: WeightFormat.blocks)
    func everyTileGivesTheBitsOfOneToken(format: WeightFormat) throws {
        // More columns than are taken apart at a time, and not a multiple of that.
        let weights = TestWeights(blockRows: 90, columns: 768, format: format, seed: 4)
        let matrix = try weights.packed()
        var numbers = TestNumbers(seed: 11)
        let most = 145
        let input = Rows.of(numbers.floats(most * 768), width: 768)
        for compute in try everyCompute() {
            let alone = Rows(capacity: most, width: 90)
            for token in 0..<most {
                compute.linear(matrix, input: input.view(token..<token + 1), output: alone.view(token..<token + 1))
            }
            for tokens in Array(1...15) + [63, 64, 65, 75, 76, 79, 145] {
                let together = Rows(capacity: tokens, width: 90)
                compute.linear(matrix, input: input.view(0..<tokens), output: together.view)
                #expect(bits(together.values) == bits(alone.values.prefix(tokens * 90)), compute.label)
            }
        }
    }

    @Test(arguments: WeightFormat.blocks)
    func expertsEqualTheReference(format: WeightFormat) throws {
        let (hidden, width) = (256, 512)
        let gate = TestWeights(blockRows: width, columns: hidden, format: format, seed: 1)
        let up = TestWeights(blockRows: width, columns: hidden, format: format, seed: 2)
        let down = TestWeights(blockRows: hidden, columns: width, format: format, seed: 3)
        let weights = ExpertWeights(gate: try gate.packed(), up: try up.packed(), down: try down.packed())
        var numbers = TestNumbers(seed: 5)
        let input = Rows.of(numbers.floats(3 * hidden, scale: 0.02), width: hidden)
        let batch = ExpertBatch(weights: weights, inputRows: [2, 0], outputRows: [0, 1], scales: [0.25, 1.5])
        let expected = zip(batch.inputRows, batch.scales).flatMap { row, scale in
            Reference.gatedExpert(
                gate: gate.bytes, up: up.bytes, down: down.bytes, format: format, input: input.values(row: row),
                scale: scale)
        }
        for compute in try everyCompute() {
            let output = Rows(capacity: 2, width: hidden)
            var scratch = ExpertScratch()
            compute.gatedExperts(ExpertAssignments([batch]), input: input.view, output: output.view, scratch: &scratch)
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }

    @Test func refusesPartialBlocks() {
        let bytes = [UInt8](repeating: 0, count: 144)
        #expect(throws: KernelError.matrixBlocksPartial(columns: 100, format: .stored(.q4K))) {
            _ = try bytes.withUnsafeBytes { (source) throws(KernelError) in
                try PackedMatrix(packing: source, rows: 1, columns: 100, format: .q4K)
            }
        }
    }

    private func compare(_ weights: TestWeights, input: [Float], bias: [Float]?) throws {
        let matrix = try weights.packed()
        let width = weights.columns
        let tokens = input.count / width
        let rows = Rows.of(input, width: width)
        for activations in ActivationFormat.allCases {
            let expected = (0..<tokens).flatMap { token -> [Float] in
                let input = row(token, of: input, width: width)
                return switch activations {
                case .int8:
                    Reference.linear(
                        stored: weights.bytes, format: weights.format, columns: width, input: input, bias: bias)
                case .f32: Reference.linear(weights: weights.decoded, columns: width, input: input, bias: bias)
                }
            }
            for compute in try everyCompute(activations: activations) {
                let output = Rows(capacity: tokens, width: weights.rows)
                compute.linear(matrix, input: rows.view, output: output.view, bias: bias)
                #expect(bits(output.values) == bits(expected), compute.label)
            }
        }
    }
}

/// What stored blocks mean, against the package of those who define the formats (`Fixtures/make_blocks.py`).
@Suite struct StoredBlockTests {
    @Test(arguments: WeightFormat.blocks)
    func decodesWhatThePackageDecodes(format: WeightFormat) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/blocks.txt")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: " ")
        }
        let blocks = lines.filter { $0[0] == format.rawValue }
        #expect(blocks.count >= 8)
        for block in blocks {
            let stored = try hexadecimal(block[1], digits: 2).map { UInt8($0) }
            let expected = try hexadecimal(block[2], digits: 8).map { Float(bitPattern: $0) }
            #expect(stored.count == format.bytesPerBlock)
            #expect(bits(stored.withUnsafeBytes { format.decoded($0) }) == bits(expected))
            try decodesThroughTheKernels(stored, format: format, expected: expected)
        }
    }

    /// Each weight by itself: a matrix of that one block times the unit vectors, with f32 activations.
    private func decodesThroughTheKernels(_ stored: [UInt8], format: WeightFormat, expected: [Float]) throws {
        // An infinity times the zeros of a unit vector is not the weight any more.
        guard expected.allSatisfy(\.isFinite) else { return }
        let columns = format.columnsPerBlock
        let matrix = try TestWeights(bytes: stored, format: format, columns: columns).packed()
        let units = Rows(capacity: columns, width: columns)
        for column in 0..<columns { units.view[column][column] = 1 }
        for compute in try everyCompute(threadCounts: [1], activations: .f32) {
            let output = Rows(capacity: columns, width: 1)
            compute.linear(matrix, input: units.view, output: output.view)
            // Adding zeros makes a negative zero positive.
            #expect(bits(output.values) == bits(expected.map { $0 + 0 }), compute.label)
        }
    }

    private func hexadecimal(_ text: Substring, digits: Int) throws -> [UInt32] {
        var rest = text
        var numbers: [UInt32] = []
        while !rest.isEmpty {
            numbers.append(try #require(UInt32(rest.prefix(digits), radix: 16)))
            rest = rest.dropFirst(digits)
        }
        return numbers
    }
}
