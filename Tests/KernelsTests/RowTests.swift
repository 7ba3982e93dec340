import Kernels
import Testing

@Suite struct RowTests {
    static let widths = [1, 7, 16, 33, 64, 1000]

    @Test(arguments: widths)
    func rmsNormEqualsTheReference(width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let values = numbers.floats(40 * width, scale: 3)
        let weight = numbers.floats(width)
        let expected = (0..<40).flatMap {
            Reference.rmsNorm(row($0, of: values, width: width), weight: weight, epsilon: 1e-6)
        }
        for compute in try everyCompute() {
            let rows = Rows.of(values, width: width)
            compute.rmsNorm(rows.view, weight: weight, epsilon: 1e-6, output: rows.view)
            #expect(bits(rows.values) == bits(expected), compute.label)
        }
    }

    @Test(arguments: [(64, 32), (10, 3), (128, 16), (34, 17)])
    func rotateEqualsTheReference(headDim: Int, half: Int) throws {
        let (tokens, headCount) = (5, 3)
        var numbers = TestNumbers(seed: headDim)
        let values = numbers.floats(tokens * headCount * headDim)
        let cosine = numbers.floats(tokens * half)
        let sine = numbers.floats(tokens * half)
        let expected = (0..<tokens * headCount).flatMap { index in
            Reference.rotate(
                row(index, of: values, width: headDim), cosine: row(index / headCount, of: cosine, width: half),
                sine: row(index / headCount, of: sine, width: half))
        }
        for compute in try everyCompute() {
            let heads = Rows.of(values, width: headCount * headDim)
            compute.rotate(
                heads.view, headCount: headCount, cosine: Rows.of(cosine, width: half).view,
                sine: Rows.of(sine, width: half).view)
            #expect(bits(heads.values) == bits(expected), compute.label)
        }
    }

    @Test(arguments: widths)
    func addEqualsTheReference(width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let (left, right) = (numbers.floats(3 * width), numbers.floats(3 * width, scale: 100))
        for compute in try everyCompute() {
            let sum = Rows.of(left, width: width)
            compute.add(Rows.of(right, width: width).view, to: sum.view)
            #expect(bits(sum.values) == bits(zip(left, right).map { $0 + $1 }), compute.label)
        }
    }

    @Test(arguments: widths)
    func severalRowsAreAddedOneAfterTheOther(width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let (left, right) = (numbers.floats(3 * width), numbers.floats(12 * width, scale: 100))
        var expected = left
        for index in 0..<12 {
            for column in 0..<width { expected[index / 4 * width + column] += right[index * width + column] }
        }
        for compute in try everyCompute() {
            let (sum, addends) = (Rows.of(left, width: width), Rows.of(right, width: width))
            compute.add(4, of: .f32, to: sum.view) { UnsafeRawPointer(addends.view($0..<$0 + 1).base) }
            #expect(bits(sum.values) == bits(expected), compute.label)
        }
    }

    @Test(arguments: WeightFormat.plain, widths)
    func decodeRowsEqualsTheReference(format: WeightFormat, width: Int) throws {
        let table = TestWeights(rows: 9, columns: width, format: format, seed: width, special: true)
        let indices: [Int32] = [8, 0, 3, 3]
        let expected = indices.flatMap { row(Int($0), of: table.decoded, width: width) }
        let shifted = [0] + table.bytes
        for compute in try everyCompute(threadCounts: [1]) {
            let output = Rows(capacity: indices.count, width: width)
            shifted.withUnsafeBytes { source in
                compute.decodeRows(
                    source: UnsafeRawBufferPointer(rebasing: source[1...]), format: format, width: width,
                    rowIndices: indices, output: output.view)
            }
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }

    @Test func everyHalfPrecisionNumberIsExact() throws {
        let patterns = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        let expected = (0...UInt32(UInt16.max)).map { Reference.decode($0, format: .f16) }
        for compute in try everyCompute(threadCounts: [1]) {
            let output = Rows(capacity: 1, width: 65536)
            patterns.withUnsafeBytes { source in
                compute.decodeRows(
                    source: source, format: .f16, width: 65536, rowIndices: [0], output: output.view)
            }
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }
}
