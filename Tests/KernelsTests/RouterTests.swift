import Kernels
import Testing

@Suite struct RouterTests {
    @Test(arguments: [(1, 1), (8, 2), (60, 4), (128, 8), (257, 257)], [true, false])
    func equalsTheReference(shape: (experts: Int, topK: Int), normalise: Bool) throws {
        var numbers = TestNumbers(seed: shape.experts)
        try compare(numbers.floats(40 * shape.experts, scale: 8), shape.experts, shape.topK, normalise)
    }

    @Test func tiesGoToTheLowerIndex() throws {
        var logits = [Float](repeating: 1, count: 40)
        logits[37] = 2
        logits[21] = 2
        try compare(logits, 40, 6, true)
        var experts: [Int32] = []
        var weights: [Float] = []
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        compute.softmaxTopK(
            logits: Rows.of(logits, width: 40).view, topK: 4, normalise: false, experts: &experts, weights: &weights)
        #expect(experts == [21, 37, 0, 1])
    }

    @Test func unusualNumbersChooseDistinctExperts() throws {
        let logits: [[Float]] = [
            [.nan, 1, .infinity, -.infinity, 0], [.nan, .nan, .nan, .nan, .nan], [1, .nan, 3, .nan, 2],
            [-.infinity, -.infinity, -.infinity, -.infinity, -.infinity],
            [0, 3e38, -3e38, .leastNonzeroMagnitude, -0.0],
        ]
        try compare(logits.flatMap { $0 }, 5, 3, true)
        try compare(logits.flatMap { $0 }, 5, 5, false)
    }

    private func compare(_ logits: [Float], _ width: Int, _ topK: Int, _ normalise: Bool) throws {
        let expected = (0..<logits.count / width).map {
            Reference.softmaxTopK(row($0, of: logits, width: width), topK: topK, normalise: normalise)
        }
        for compute in try everyCompute() {
            var experts: [Int32] = [9, 9, 9]
            var weights: [Float] = []
            compute.softmaxTopK(
                logits: Rows.of(logits, width: width).view, topK: topK, normalise: normalise, experts: &experts,
                weights: &weights)
            #expect(experts == expected.flatMap(\.experts), compute.label)
            #expect(bits(weights) == bits(expected.flatMap(\.weights)), compute.label)
        }
    }
}
