import Kernels
import Testing

/// The streams of a residual that is several.
@Suite struct StreamTests {
    private static let rules = [
        StreamRule(streamCount: 1, roundCount: 1, epsilon: 0),
        StreamRule(streamCount: 4, roundCount: 20, epsilon: 1e-6),
        StreamRule(streamCount: 3, roundCount: 2, epsilon: 1e-3),
        StreamRule(streamCount: StreamRule.streamCountMax, roundCount: 5, epsilon: 1e-6),
    ]

    @Test(arguments: rules, [Float(1), 40]) func weightsEqualTheReference(rule: StreamRule, scale: Float) throws {
        var numbers = TestNumbers(seed: rule.streamCount)
        let mixes = numbers.floats(13 * rule.weightCount, scale: scale)
        let base = numbers.floats(rule.weightCount)
        let scales = numbers.floats(3, scale: 2)
        let expected = (0..<13).flatMap {
            Reference.streamWeights(
                rule, mixes: row($0, of: mixes, width: rule.weightCount), scales: scales, base: base)
        }
        for compute in try everyCompute() {
            let weights = Rows(capacity: 13, width: rule.weightCount)
            compute.streamWeights(
                rule, mixes: Rows.of(mixes, width: rule.weightCount).view, scales: scales, base: base,
                weights: weights.view)
            #expect(bits(weights.values) == bits(expected), compute.label)
        }
    }

    /// After many rounds every stream gives as much as it gets.
    @Test func rowsAndColumnsSumToOne() throws {
        let rule = StreamRule(streamCount: 4, roundCount: 20, epsilon: 1e-6)
        var numbers = TestNumbers(seed: 3)
        let weights = Reference.streamWeights(
            rule, mixes: numbers.floats(rule.weightCount, scale: 2), scales: [1, 1, 1],
            base: numbers.floats(rule.weightCount))
        let mix = (0..<4).map { row($0, of: Array(weights[8...]), width: 4) }
        for i in 0..<4 {
            #expect(abs(mix[i].reduce(0, +) - 1) < 1e-4)
            #expect(abs(mix.map { $0[i] }.reduce(0, +) - 1) < 1e-4)
        }
    }

    @Test(arguments: rules, [5, 16, 130]) func mixingEqualsTheReference(rule: StreamRule, width: Int) throws {
        let n = rule.streamCount
        var numbers = TestNumbers(seed: width)
        let streams = numbers.floats(9 * n * width, scale: 3)
        let weights = numbers.floats(9 * rule.weightCount)
        let addend = numbers.floats(9 * width)
        func streamsOf(_ index: Int) -> [[Float]] {
            let all = row(index, of: streams, width: n * width)
            return (0..<n).map { row($0, of: all, width: width) }
        }
        func weightsOf(_ index: Int) -> [Float] { row(index, of: weights, width: rule.weightCount) }
        let collapsed = (0..<9).flatMap { Reference.collapsedStreams(streamsOf($0), weights: weightsOf($0)) }
        let mixed = (0..<9).flatMap { index in
            Reference.mixedStreams(
                streamsOf(index), adding: row(index, of: addend, width: width), weights: weightsOf(index)
            ).flatMap { $0 }
        }
        for compute in try everyCompute() {
            let rows = Rows.of(streams, width: n * width)
            let output = Rows(capacity: 9, width: width)
            let weights = Rows.of(weights, width: rule.weightCount)
            compute.collapseStreams(rule, streams: rows.view, weights: weights.view, output: output.view)
            #expect(bits(output.values) == bits(collapsed), compute.label)
            compute.mixStreams(
                rule, adding: Rows.of(addend, width: width).view, weights: weights.view, streams: rows.view)
            #expect(bits(rows.values) == bits(mixed), compute.label)
        }
    }
}
