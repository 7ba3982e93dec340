import Kernels
import Testing

@Suite struct LinearTests {
    struct Shape: Sendable, CustomStringConvertible {
        let rows: Int
        let columns: Int
        let tokens: Int
        var description: String { "\(rows) x \(columns), \(tokens) tokens" }
    }

    static let shapes = [
        Shape(rows: 1, columns: 1, tokens: 1), Shape(rows: 5, columns: 7, tokens: 3),
        Shape(rows: 16, columns: 64, tokens: 2), Shape(rows: 33, columns: 64, tokens: 40),
        Shape(rows: 100, columns: 1000, tokens: 1), Shape(rows: 250, columns: 64, tokens: 1),
        Shape(rows: 47, columns: 129, tokens: 9), Shape(rows: 64, columns: 7, tokens: 17),
        Shape(rows: 31, columns: 1000, tokens: 6),
    ]

    @Test(arguments: shapes, WeightFormat.plain)
    func equalsTheReference(shape: Shape, format: WeightFormat) throws {
        let weights = TestWeights(rows: shape.rows, columns: shape.columns, format: format, seed: shape.rows)
        var numbers = TestNumbers(seed: 7)
        try compare(weights, input: numbers.floats(shape.tokens * shape.columns), bias: nil)
        try compare(weights, input: numbers.floats(shape.tokens * shape.columns), bias: numbers.floats(shape.rows))
    }

    @Test(arguments: WeightFormat.plain)
    func keepsSubnormalsInfinitiesAndNotANumber(format: WeightFormat) throws {
        let weights = TestWeights(rows: 200, columns: 9, format: format, seed: 3, special: true)
        var numbers = TestNumbers(seed: 8)
        try compare(weights, input: numbers.floats(11 * 9), bias: nil)
        try compare(weights, input: numbers.floats(9, scale: 0x1p-120), bias: nil)
        try compare(
            weights, input: [.nan, .infinity, 1, 2, -.infinity, 0, -0.0, 1e38, .leastNonzeroMagnitude], bias: nil)
    }

    @Test(arguments: 1...9)
    func everyTileGivesTheBitsOfOneToken(tokens: Int) throws {
        let weights = TestWeights(rows: 90, columns: 300, format: .bf16, seed: 4)
        let matrix = try weights.packed()
        var numbers = TestNumbers(seed: tokens)
        let input = Rows.of(numbers.floats(tokens * 300), width: 300)
        for compute in try everyCompute() {
            let together = Rows(capacity: tokens, width: 90)
            let alone = Rows(capacity: tokens, width: 90)
            compute.linear(matrix, input: input.view, output: together.view)
            for token in 0..<tokens {
                compute.linear(matrix, input: input.view(token..<token + 1), output: alone.view(token..<token + 1))
            }
            #expect(bits(together.values) == bits(alone.values), compute.label)
        }
    }

    @Test func refusesWrongShapes() {
        let bytes = [UInt8](repeating: 0, count: 64)
        bytes.withUnsafeBytes { source in
            #expect(throws: KernelError.matrixSizeMismatch(expectedBytes: 32, foundBytes: 64)) {
                try PackedMatrix(packing: source, rows: 4, columns: 4, format: .bf16)
            }
            #expect(throws: KernelError.self) {
                try PackedMatrix(packing: source, rows: 0, columns: 4, format: .bf16)
            }
            #expect(throws: KernelError.self) {
                try PackedMatrix(packing: source, rows: 1 << 40, columns: 1 << 40, format: .f32)
            }
        }
    }

    @Test func packsFromAnyAlignment() throws {
        let weights = TestWeights(rows: 17, columns: 5, format: .f32, seed: 5)
        let shifted = [0] + weights.bytes
        let matrix = try shifted.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(
                packing: UnsafeRawBufferPointer(rebasing: source[1...]), rows: 17, columns: 5, format: .f32)
        }
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        let input = Rows.of([1, 2, 3, 4, 5], width: 5)
        let output = Rows(capacity: 1, width: 17)
        compute.linear(matrix, input: input.view, output: output.view)
        let expected = Reference.linear(weights: weights.decoded, columns: 5, input: input.values)
        #expect(bits(output.values) == bits(expected))
    }

    /// A matrix that is stored transposed, or as every other row of another one, packs into the same.
    @Test(arguments: [(5, 70), (16, 64), (37, 130)], WeightFormat.plain)
    func packsWithStrides(shape: (rows: Int, columns: Int), format: WeightFormat) throws {
        let (rows, columns) = shape
        let size = format.bytesPerBlock
        let weights = TestWeights(rows: rows, columns: columns, format: format, seed: 3)
        func stored(_ count: Int, _ place: (_ row: Int, _ column: Int) -> Int) -> [UInt8] {
            var bytes = [UInt8](repeating: 0xa5, count: count * size)
            for (index, byte) in weights.bytes.enumerated() {
                bytes[place(index / size / columns, index / size % columns) * size + index % size] = byte
            }
            return bytes
        }
        let transposed = stored(rows * columns) { row, column in column * rows + row }
        let everyOther = stored((2 * rows - 1) * columns) { row, column in 2 * row * columns + column }
        let both = stored((columns - 1) * 2 * rows + 2 * rows - 1) { row, column in column * 2 * rows + 2 * row }
        let expected = try packedBytes(weights.bytes, shape, format, nil)
        #expect(try packedBytes(transposed, shape, format, MatrixStrides(rows: 1, columns: rows)) == expected)
        #expect(try packedBytes(everyOther, shape, format, MatrixStrides(rows: 2 * columns, columns: 1)) == expected)
        #expect(try packedBytes(both, shape, format, MatrixStrides(rows: 2, columns: 2 * rows)) == expected)
    }

    @Test(arguments: WeightFormat.blocks) func packsEveryOtherRowOfBlocks(format: WeightFormat) throws {
        let whole = TestWeights(blockRows: 38, columns: 256, format: format, seed: 4)
        let rowBytes = format.byteCount(of: 256)
        for first in [0, 1] {
            let rows = stride(from: first, to: 38, by: 2).flatMap { whole.bytes[$0 * rowBytes..<($0 + 1) * rowBytes] }
            let span = Array(whole.bytes[first * rowBytes..<(37 + first) * rowBytes])
            let strides = MatrixStrides(rows: 512, columns: 1)
            #expect(try packedBytes(span, (19, 256), format, strides) == packedBytes(rows, (19, 256), format, nil))
        }
    }

    private func packedBytes(
        _ source: [UInt8], _ shape: (rows: Int, columns: Int), _ format: WeightFormat, _ strides: MatrixStrides?
    ) throws -> [UInt8] {
        let matrix = try source.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(
                packing: source, rows: shape.rows, columns: shape.columns, format: format, strides: strides)
        }
        var bytes: [UInt8] = []
        matrix.withPackedBytes { bytes += $0 }
        return bytes
    }

    private func compare(_ weights: TestWeights, input: [Float], bias: [Float]?) throws {
        let matrix = try weights.packed()
        let tokens = input.count / weights.columns
        let expected = (0..<tokens).flatMap { token in
            Reference.linear(
                weights: weights.decoded, columns: weights.columns,
                input: row(token, of: input, width: weights.columns), bias: bias)
        }
        let rows = Rows.of(input, width: weights.columns)
        for compute in try everyCompute() {
            let output = Rows(capacity: tokens, width: weights.rows)
            compute.linear(matrix, input: rows.view, output: output.view, bias: bias)
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }
}
