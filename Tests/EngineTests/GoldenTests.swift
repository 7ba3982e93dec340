import Basics
import Engine
import Kernels
import TestSupport
import Testing
import Wire

@Suite struct GoldenTests {
    /// Difference in logprob that another order of f32 sums explains; a wrong weight or formula is far beyond it.
    static let tolerance = 0.002

    @Test(arguments: Fixtures.checkpointNames) func answersEqualTheReference(name: String) throws {
        // Nothing but the weights is rounded, as in the reference.
        let harness = try EngineHarness(checkpoint: name, keyValueFormat: .f32, activations: .f32)
        let golden = try GoldenAnswer.load(name)
        #expect(golden.count >= 4)
        for expected in golden {
            let answer = try harness.run(request(expected))
            #expect(answer.tokens.map(\.token) == expected.greedy)
            #expect(answer.promptTokens.map(\.token) == expected.prompt)
            #expect(answer.tokens.map { $0.routedExperts?.layers } == expected.routedExperts)
            #expect(answer.promptTokens.allSatisfy { $0.routedExperts == nil })
            #expect(answer.promptTokens.first?.logprob == nil)
            let scored = answer.promptTokens.dropFirst() + answer.tokens
            for (position, token) in scored.enumerated() {
                let difference = abs(
                    Double(token.logprob ?? .nan) - (expected.tokenLogits[position] - expected.logSumExp[position]))
                #expect(difference < Self.tolerance, "position \(position)")
                compareTop(token, expected, position)
            }
        }
    }

    /// 8-bit activations and keys and values in f16 move logprobs a little, and no greedy answer.
    @Test(arguments: Fixtures.quantisedNames) func roundedActivationsGiveTheSameTokens(name: String) throws {
        let harness = try EngineHarness(checkpoint: name)
        for expected in try GoldenAnswer.load(name) {
            let margin = try #require(expected.greedyMargins.min())
            guard margin > 0.1 else { continue }
            #expect(try harness.run(request(expected)).tokens.map(\.token) == expected.greedy)
        }
    }

    private func request(_ expected: GoldenAnswer) -> Generate {
        Generate(
            prompt: expected.prompt, tokensMax: UInt32(expected.greedy.count), logprobCount: 20,
            wantsPromptLogprobs: true, wantsRoutedExperts: true)
    }

    private func compareTop(_ token: ScoredToken, _ expected: GoldenAnswer, _ position: Int) {
        #expect(token.top.count == 20)
        let ours = Dictionary(token.top.map { ($0.token, Double($0.logprob)) }, uniquingKeysWith: { first, _ in first })
        for (id, logit) in zip(expected.topTokens[position], expected.topLogits[position]).prefix(10) {
            let logprob = logit - expected.logSumExp[position]
            #expect(abs((ours[id] ?? .nan) - logprob) < Self.tolerance, "position \(position), token \(id)")
        }
    }
}
