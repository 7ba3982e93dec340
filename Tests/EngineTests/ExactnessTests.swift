import Basics
import Engine
import Kernels
import TestSupport
import Testing
import Wire

/// The same request gives the same bits whatever else the machine does (DESIGN §2).
@Suite struct ExactnessTests {
    static let checkpoint = "qwen3_moe_bf16"

    /// Eight requests that differ in everything: lengths, sampling, scoring.
    static var requests: [Generate] {
        (0..<8).map { (index: Int) -> Generate in
            let prompt = (0..<(1 + index * 9)).map { (position: Int) -> TokenID in
                TokenID(Int32(4 + (position * 37 + index * 11) % 300))
            }
            var sampling = SamplingParameters(temperature: index % 2 == 0 ? 0 : 0.9, topP: 0.95, minP: 0.01)
            sampling.topK = index % 4 == 1 ? 0 : 40
            sampling.repetitionPenalty = 1.1
            sampling.presencePenalty = 0.2
            sampling.frequencyPenalty = 0.1
            sampling.seed = UInt64(index)
            return Generate(
                prompt: prompt, tokensMax: 14, sampling: sampling, logprobCount: 5,
                wantsPromptLogprobs: index % 3 == 0, wantsRoutedExperts: index % 2 == 1)
        }
    }

    static let alone = Result { try answers(EngineHarness(checkpoint: checkpoint), together: false) }

    static func answers(_ harness: EngineHarness, together: Bool) throws -> [Generated] {
        guard together else { return try requests.map { try harness.run($0) } }
        return try requests.map { try harness.start($0) }.map { try $0.wait() }
    }

    /// Only who asked gets experts, with every token.
    @Test func expertsAreForThoseWhoAsked() throws {
        for (request, answer) in zip(Self.requests, try Self.alone.get()) {
            #expect(answer.tokens.allSatisfy { ($0.routedExperts != nil) == request.wantsRoutedExperts })
        }
    }

    @Test func inABatch() throws {
        let harness = try EngineHarness(checkpoint: Self.checkpoint)
        #expect(try Self.answers(harness, together: true) == Self.alone.get())
    }

    /// What other families and quantised weights bring: shared experts, groups of experts, norms over whole projections, sigmoid routers.
    @Test(
        arguments: Fixtures.checkpointNames.filter {
            !$0.hasPrefix("qwen3_moe") || Fixtures.quantisedNames.contains($0)
        })
    func everyFamilyInABatchInChunksOnPlainInstructions(checkpoint: String) throws {
        let alone = try Self.answers(EngineHarness(checkpoint: checkpoint), together: false)
        let harness = try EngineHarness(checkpoint: checkpoint, instructionSet: .generic, threads: 3, rows: 11)
        #expect(try Self.answers(harness, together: true) == alone)
    }

    @Test(arguments: [8, 11, 200]) func inChunksOfAnySize(rows: Int) throws {
        let harness = try EngineHarness(checkpoint: Self.checkpoint, rows: rows)
        #expect(try Self.answers(harness, together: true) == Self.alone.get())
    }

    @Test(arguments: 2...3) func onAnyNumberOfThreads(threads: Int) throws {
        let harness = try EngineHarness(checkpoint: Self.checkpoint, threads: threads)
        #expect(try Self.answers(harness, together: true) == Self.alone.get())
    }

    @Test(arguments: InstructionSet.available) func onAnyInstructionSet(instructionSet: InstructionSet) throws {
        let harness = try EngineHarness(checkpoint: Self.checkpoint, instructionSet: instructionSet)
        #expect(try Self.answers(harness, together: true) == Self.alone.get())
    }

    /// Smaller keys and values are as exact: batch, threads and instruction set change no bit.
    @Test(arguments: [KeyValueFormat.f16, .int8]) func withSmallerKeysAndValues(format: KeyValueFormat) throws {
        let alone = try Self.answers(
            EngineHarness(checkpoint: Self.checkpoint, keyValueFormat: format), together: false)
        #expect(try alone != Self.alone.get(), "the format does not reach the cache")
        for instructionSet in InstructionSet.available {
            let harness = try EngineHarness(
                checkpoint: Self.checkpoint, instructionSet: instructionSet, threads: 3, rows: 11,
                keyValueFormat: format)
            #expect(try Self.answers(harness, together: true) == alone)
        }
    }

    /// The memory of the cache is the same, so that twice and four times as many positions fit.
    @Test func smallerKeysAndValuesLeaveRoomForMore() throws {
        let rooms = try KeyValueFormat.allCases.map { format in
            try EngineHarness(checkpoint: Self.checkpoint, cacheBytes: 8 << 20, keyValueFormat: format)
                .engine.cachedTokensMax
        }
        #expect(rooms[1] >= 2 * rooms[0] && rooms[2] > 5 * rooms[0] / 2)
    }

    /// By default plain weights keep their keys and values as computed, and quantised ones have them in f16.
    @Test func theFormatFollowsTheWeights() throws {
        let plain = try EngineHarness(checkpoint: Self.checkpoint)
        #expect(plain.engine.keyValueFormats == [.f32])
    }

    /// A cache of few blocks: the youngest sequences lose theirs again and again.
    @Test func afterPreemptions() throws {
        let harness = try EngineHarness(checkpoint: Self.checkpoint, cacheBytes: 256 << 10)
        #expect(try Self.answers(harness, together: true) == Self.alone.get())
    }
}
