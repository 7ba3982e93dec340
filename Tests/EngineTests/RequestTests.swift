import Basics
import Dispatch
import Engine
import Synchronization
import Testing
import Wire

@Suite struct RequestTests {
    static let prompt = [TokenID(7), TokenID(8), TokenID(9)]
    let harness: EngineHarness

    init() throws { harness = try EngineHarness(checkpoint: "qwen3_moe_f32", sequences: 2, waiting: 1) }

    @Test func endsAtAStopToken() throws {
        let free = try harness.run(Generate(prompt: Self.prompt, tokensMax: 12)).tokens.map(\.token)
        let stop = free[4]
        let answer = try harness.run(Generate(prompt: Self.prompt, tokensMax: 12, stopTokens: [stop]))
        let end = (free.firstIndex(of: stop) ?? 0) + 1
        #expect(answer.tokens.map(\.token) == Array(free[..<end]))
        #expect(answer.finish == .stop)
    }

    @Test func stopTokensAreNotDrawnBeforeTheMinimum() throws {
        let first = try harness.run(Generate(prompt: Self.prompt, tokensMax: 1)).tokens[0].token
        let answer = try harness.run(Generate(prompt: Self.prompt, tokensMax: 9, tokensMin: 5, stopTokens: [first]))
        #expect(answer.tokens.count >= 5)
        #expect(!answer.tokens.prefix(5).map(\.token).contains(first))
    }

    @Test func scoresAPromptWithoutGenerating() throws {
        let answer = try harness.run(
            Generate(prompt: Self.prompt, tokensMax: 0, logprobCount: 1, wantsPromptLogprobs: true))
        #expect(answer.tokens.isEmpty)
        #expect(answer.promptTokens.map(\.token) == Self.prompt)
        #expect(answer.promptTokens.map { $0.logprob == nil } == [true, false, false])
        #expect(answer.finish == .length)
    }

    @Test func endsAtTheEndOfTheContext() throws {
        let context = harness.engine.contextTokensMax
        let prompt = (0..<context - 3).map { TokenID(Int32($0 % 300)) }
        let answer = try harness.run(Generate(prompt: prompt, tokensMax: 100))
        #expect(answer.tokens.count == 3)
        #expect(answer.finish == .length)
    }

    @Test func aPromptBeyondTheContextIsRefusedWithTheNumbers() {
        let context = harness.engine.contextTokensMax
        let prompt = Array(repeating: TokenID(5), count: context)
        #expect(
            throws: Refusal(
                .invalidRequest, "the prompt has \(context) tokens; the context holds \(context), the answer included")
        ) { try harness.start(Generate(prompt: prompt, tokensMax: 1)) }
    }

    @Test func theSameSeedDrawsTheSameTokens() throws {
        func tokens(seed: UInt64) throws -> [TokenID] {
            let sampling = SamplingParameters(temperature: 1.5, seed: seed)
            return try harness.run(Generate(prompt: Self.prompt, tokensMax: 20, sampling: sampling)).tokens.map(\.token)
        }
        #expect(try tokens(seed: 1) == tokens(seed: 1))
        #expect(try tokens(seed: 1) != tokens(seed: 2))
    }

    @Test func cancelledSequencesEndAndMakeRoom() throws {
        let answer = try harness.start(Generate(prompt: Self.prompt, tokensMax: 100_000))
        answer.firstToken.wait()
        guard let sequence = answer.sequence.withLock({ $0 }) else { return }
        harness.engine.cancel(sequence)
        #expect(try answer.wait().finish == .cancelled)
        #expect(try harness.run(Generate(prompt: Self.prompt, tokensMax: 2)).tokens.count == 2)
    }

    @Test func failAllEndsEverySequence() throws {
        let answers = try (0..<3).map { _ in try harness.start(Generate(prompt: Self.prompt, tokensMax: 100_000)) }
        answers[0].firstToken.wait()
        harness.engine.failAll(Refusal(.unavailable, "worker-2 is gone"))
        for answer in answers { #expect(throws: Refusal(.unavailable, "worker-2 is gone")) { try answer.wait() } }
    }

    @Test func moreRequestsThanPlacesAreOverload() throws {
        let answers = try (0..<3).map { _ in try harness.start(Generate(prompt: Self.prompt, tokensMax: 100_000)) }
        #expect(throws: Refusal(.overloaded, "3 requests are under way, the limit")) {
            try harness.start(Generate(prompt: Self.prompt, tokensMax: 1))
        }
        harness.engine.failAll(Refusal(.unavailable, "enough"))
        for answer in answers { #expect(throws: Refusal.self) { try answer.wait() } }
    }

    @Test(arguments: [
        Generate(prompt: [], tokensMax: 1), Generate(prompt: [TokenID(320)], tokensMax: 1),
        Generate(prompt: [TokenID(-1)], tokensMax: 1),
        Generate(prompt: prompt, tokensMax: 1, stopTokens: [TokenID(9999)]),
        Generate(prompt: prompt, tokensMax: 1, logprobCount: 21),
        Generate(prompt: prompt, tokensMax: 1, sampling: SamplingParameters(temperature: -1)),
        Generate(prompt: prompt, tokensMax: 1, sampling: SamplingParameters(temperature: .nan)),
        Generate(prompt: prompt, tokensMax: 1, sampling: SamplingParameters(topP: 0)),
        Generate(prompt: prompt, tokensMax: 1, sampling: SamplingParameters(repetitionPenalty: 0)),
    ]) func impossibleRequestsAreRefused(request: Generate) {
        #expect(throws: Refusal.self) { try harness.start(request) }
    }
}
