import Kernels
import Testing

/// Rows in the form that travels become the blocks that kernels would have made of the f32 rows.
@Suite struct CompactRowsTests {
    /// Rows that rounding treats in different ways: ordinary, nothing, tiny, huge, and some that are no numbers.
    private static func rows(width: Int) -> [Float] {
        var numbers = TestNumbers(seed: width)
        var values = numbers.floats(3 * width) + [Float](repeating: 0, count: width)
        values += numbers.floats(width, scale: 0x1p-110) + numbers.floats(width, scale: 0x1p120)
        for special in [Float.nan, .infinity, -.infinity] {
            var row = numbers.floats(width)
            row[width / 2] = special
            values += row
        }
        return values
    }

    @Test(arguments: [32, 64, 96, 288, 4096]) func theBitsAreThoseOfFloatRows(width: Int) throws {
        let weights = TestWeights(blockRows: 40, columns: width, format: .q80, seed: 3)
        let minimums = TestWeights(blockRows: 40, columns: width, format: .q41, seed: 4)
        let values = Self.rows(width: width)
        let rows = Rows.of(values, width: width)
        for compute in try everyCompute() {
            for matrix in [try weights.packed(), try minimums.packed()] {
                let direct = Rows(capacity: rows.capacity, width: matrix.rows)
                compute.linear(matrix, input: rows.view, output: direct.view)
                let (memory, scratch) = (CompactRows(), QuantisedRows())
                let output = Rows(capacity: rows.capacity, width: matrix.rows)
                let compact = compute.compact(rows.view, memory)
                #expect(compact.count == rows.capacity && compact.width == width)
                let input = compute.linearInput(compact, scratch)
                compute.linear(matrix, input: input, output: output.view)
                withExtendedLifetime((memory, scratch)) {}
                #expect(bits(output.values) == bits(direct.values), compute.label)
                #expect(direct.values.contains { $0 != 0 && !$0.isNaN })
            }
        }
    }

    @Test(arguments: [1, 31, 33, 40, 300]) func lastBlocksArePaddedWithZeros(width: Int) throws {
        let values = Self.rows(width: width)
        let rows = Rows.of(values, width: width)
        let blockCount = (width + 31) / 32
        #expect(CompactRowsView.bytesPerRow(width: width) == blockCount * 36)
        for compute in try everyCompute() {
            let memory = CompactRows()
            let compact = compute.compact(rows.view, memory)
            // Rows 0 to 2 are ordinary numbers.
            for row in 0..<3 {
                let codes = compact.base + row * blockCount * 36
                for column in 0..<blockCount * 32 {
                    let code = Float(codes.load(fromByteOffset: column, as: Int8.self))
                    let scale = codes.load(fromByteOffset: blockCount * 32 + column / 32 * 4, as: Float.self)
                    let value = column < width ? values[row * width + column] : 0
                    #expect(abs(code * scale - value) <= scale * 0.501, compute.label)
                    #expect(column < width || code == 0)
                }
            }
            withExtendedLifetime(memory) {}
        }
    }

    @Test func theSameThreadsServeBothForms() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let exact = compute.using(.f32)
        #expect(compute.using(.int8) === compute && exact.using(.f32) === exact)
        #expect(exact.pool === compute.pool && exact.activations == .f32 && compute.activations == .int8)
    }
}
