import Kernels
import Testing

@Suite struct WeightMemoryTests {
    /// Matrices of many sizes come and go, on several threads; what stays keeps its weights.
    @Test func matricesComeAndGo() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seed in 1...3 {
                group.addTask {
                    var kept: [(matrix: PackedMatrix, weights: TestWeights)] = []
                    for number in 0..<60 {
                        let weights = TestWeights(
                            rows: 1 + number * 5 % 90, columns: 64, format: .bf16, seed: seed * number)
                        kept.append((try weights.packed(), weights))
                        if kept.count > 7 { kept.remove(at: number % 7) }
                    }
                    let compute = try Compute(instructionSet: .best, threadCount: 1)
                    let input = Rows.of([Float](repeating: 1, count: 64), width: 64)
                    for (matrix, weights) in kept {
                        let output = Rows(capacity: 1, width: weights.rows)
                        compute.linear(matrix, input: input.view, output: output.view)
                        let expected = Reference.linear(weights: weights.decoded, columns: 64, input: input.values)
                        #expect(bits(output.values) == bits(expected))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// A matrix larger than the pieces in which memory is taken.
    @Test func aLargeMatrixHasItsOwnPiece() throws {
        let bytes = [UInt8](repeating: 0, count: 66 << 20)
        let matrix = try bytes.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(packing: source, rows: 66 << 10, columns: 512, format: .bf16)
        }
        #expect(matrix.byteCount == 66 << 20)
    }
}
