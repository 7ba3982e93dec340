import Kernels
import Testing

/// Rows of experts in the forms in which they travel: rounded and added up as the reference does.
@Suite struct ResultTests {
    private static let odd: [Float] = [
        0, -0.0, 1, -1, .infinity, -.infinity, .nan, -.nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
        .leastNonzeroMagnitude, .leastNormalMagnitude, Float(bitPattern: 0x3f80_8000), Float(bitPattern: 0x3f81_8000),
        Float(bitPattern: 0x3f80_8001), Float(bitPattern: 0x7f7f_8000), Float(bitPattern: 0x7f7f_7fff),
        Float(bitPattern: 0x7f80_0001), Float(bitPattern: 0xffff_ffff), Float(bitPattern: 0x0000_8000), 0x1p-101,
    ]

    /// Adding a row of one form to zeros, and to numbers, which also shows that rows are added one after the other.
    @Test(arguments: ResultFormat.allCases, RowTests.widths)
    func roundedRowsAreAddedAsInTheReference(format: ResultFormat, width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let values = numbers.floats(6 * width, scale: 5)
        let before = numbers.floats(2 * width, scale: 100)
        var expected = before
        for index in 0..<6 {
            let rounded = Reference.result(row(index, of: values, width: width), format: format)
            for column in 0..<width { expected[index / 3 * width + column] += rounded[column] }
        }
        for compute in try everyCompute() {
            let memory = ResultRows()
            let results = memory.reserve(6, width: width, format: format)
            compute.round(Rows.of(values, width: width).view, to: results)
            let sum = Rows.of(before, width: width)
            compute.add(3, of: format, to: sum.view) { UnsafeRawPointer(results[$0]) }
            #expect(bits(sum.values) == bits(expected), compute.label)
        }
    }

    /// Infinities, NaNs, ties, and what lies beyond the greatest number of the form.
    @Test(arguments: ResultFormat.allCases) func oddNumbersAreRoundedAsInTheReference(format: ResultFormat) throws {
        for first in Self.odd.indices {
            let values = Array(Self.odd[first...] + Self.odd[..<first] + [Float](repeating: 0.25, count: 30))
            let expected = Reference.result(values, format: format)
            for compute in try everyCompute(threadCounts: [1]) {
                let memory = ResultRows()
                let results = memory.reserve(1, width: values.count, format: format)
                compute.round(Rows.of(values, width: values.count).view, to: results)
                let sum = Rows.of([Float](repeating: -0.0, count: values.count), width: values.count)
                compute.add(1, of: format, to: sum.view) { UnsafeRawPointer(results[$0]) }
                #expect(bits(sum.values) == bits(expected), "\(compute.label), \(first)")
            }
        }
    }

    /// bfloat16 is the upper half of the nearest f32 that has no lower one: the same as a hand calculation.
    @Test func brainFloatsAreTheNearest() {
        let rounded = Reference.result([1.00390625, 1.01171875, 1.004, 3.4e38, 0x1p-126, -1.5], format: .bf16)
        #expect(rounded == [1, 1.015625, 1.0078125, .infinity, 0x1p-126, -1.5])
        #expect(ResultFormat.allCases.map { $0.bytesPerRow(width: 33) } == [132, 66, 72])
    }

    /// Experts round what they give as the reference rounds what they give in f32, wherever panels are cut.
    @Test(arguments: [ResultFormat.bf16, .int8], [32, 72, 1000])
    func expertsGiveRoundedRows(format: ResultFormat, hidden: Int) throws {
        var numbers = TestNumbers(seed: hidden)
        let input = Rows.of(numbers.floats(7 * hidden), width: hidden)
        let batches = try (0..<3).map { (expert: Int) -> ExpertBatch in
            func weights(_ rows: Int, _ columns: Int, _ seed: Int) throws -> PackedMatrix {
                try TestWeights(rows: rows, columns: columns, format: .bf16, seed: seed + 10 * expert).packed()
            }
            return ExpertBatch(
                weights: ExpertWeights(
                    gate: try weights(48, hidden, 1), up: try weights(48, hidden, 2), down: try weights(hidden, 48, 3)),
                inputRows: [expert, 6, 3], outputRows: [8 - expert, expert, 3 + expert], scales: numbers.floats(3))
        }
        for compute in try everyCompute() {
            var scratch = ExpertScratch()
            let exact = Rows(capacity: 9, width: hidden)
            compute.gatedExperts(ExpertAssignments(batches), input: input.view, output: exact.view, scratch: &scratch)
            let memory = ResultRows()
            let results = memory.reserve(9, width: hidden, format: format)
            compute.gatedExperts(ExpertAssignments(batches), input: input.view, output: results, scratch: &scratch)
            let sum = Rows.of([Float](repeating: -0.0, count: 9 * hidden), width: hidden)
            compute.add(1, of: format, to: sum.view) { UnsafeRawPointer(results[$0]) }
            let expected = (0..<9).flatMap { Reference.result(exact.values(row: $0), format: format) }
            #expect(bits(sum.values) == bits(expected), compute.label)
        }
    }
}
