import Kernels
import Testing

@Suite struct ExpertTests {
    private struct Expert {
        let gate, up, down: TestWeights

        init(hidden: Int, intermediate: Int, format: WeightFormat, seed: Int) {
            gate = TestWeights(rows: intermediate, columns: hidden, format: format, seed: seed)
            up = TestWeights(rows: intermediate, columns: hidden, format: format, seed: seed + 1)
            down = TestWeights(rows: hidden, columns: intermediate, format: format, seed: seed + 2)
        }

        func packed() throws -> ExpertWeights {
            ExpertWeights(gate: try gate.packed(), up: try up.packed(), down: try down.packed())
        }

        func reference(_ input: [Float], scale: Float) -> [Float] {
            Reference.gatedExpert(
                gate: gate.decoded, up: up.decoded, down: down.decoded, input: input, scale: scale)
        }
    }

    @Test(arguments: WeightFormat.plain)
    func equalsTheReference(format: WeightFormat) throws {
        let (hidden, intermediate, tokens) = (72, 200, 12)
        let experts = (0..<5).map { Expert(hidden: hidden, intermediate: intermediate, format: format, seed: $0 * 3) }
        var numbers = TestNumbers(seed: 1)
        let input = Rows.of(numbers.floats(tokens * hidden, scale: 4), width: hidden)
        var batches: [ExpertBatch] = []
        var expected: [[Float]] = []
        // The third expert gets no token, the first every one, the others some, in any order.
        for (index, counts) in [12, 1, 0, 7, 2].enumerated() {
            let rows = (0..<counts).map { ($0 * 5 + index) % tokens }
            let scales = numbers.floats(counts)
            batches.append(
                ExpertBatch(
                    weights: try experts[index].packed(), inputRows: rows,
                    outputRows: rows.indices.map { expected.count + counts - 1 - $0 }, scales: scales))
            expected += zip(rows, scales).reversed().map { row, scale in
                experts[index].reference(input.values(row: row), scale: scale)
            }
        }
        for compute in try everyCompute() {
            let output = Rows(capacity: expected.count, width: hidden)
            var scratch = ExpertScratch()
            for _ in 0..<2 {
                compute.gatedExperts(batches, input: input.view, output: output.view, scratch: &scratch)
                #expect(bits(output.values) == bits(expected.flatMap { $0 }), compute.label)
            }
        }
    }

    @Test func takesNoExperts() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let rows = Rows(capacity: 1, width: 16)
        var scratch = ExpertScratch()
        compute.gatedExperts([], input: rows.view, output: rows.view, scratch: &scratch)
        #expect(rows.values == [Float](repeating: 0, count: 16))
    }
}
