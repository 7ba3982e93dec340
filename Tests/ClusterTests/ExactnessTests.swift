import Basics
import Kernels
import TestSupport
import Testing
import Wire

/// The promise of DESIGN §2 over real links: however the experts are spread, the same bits.
@Suite(.serialized) struct ExactnessTests {
    static let requests: [Generate] = (0..<8).map { (index: Int) -> Generate in
        let prompt = (0..<(1 + index * 13)).map { (position: Int) -> TokenID in
            TokenID(Int32(4 + (position * 31 + index * 7) % 300))
        }
        var sampling = SamplingParameters(temperature: index % 2 == 0 ? 0 : 1, topP: 0.9, seed: UInt64(index))
        sampling.topK = UInt32(index * 5)
        return Generate(
            prompt: prompt, tokensMax: 10, sampling: sampling, logprobCount: 8, wantsPromptLogprobs: index % 2 == 0,
            wantsRoutedExperts: index % 3 != 2)
    }

    static func answers(
        _ checkpoint: String, _ instructionSets: [InstructionSet], together: Bool = true, results: ResultFormat? = nil
    ) throws -> [Generated] {
        let cluster = try InProcessCluster(
            checkpoint: checkpoint, instructionSets: instructionSets, results: results)
        defer { cluster.stop() }
        _ = try cluster.waitForStatus { $0.isReady }
        guard together else { return try requests.map { try cluster.start($0).wait() } }
        return try requests.map { try cluster.start($0) }.map { try $0.wait() }
    }

    @Test(arguments: Fixtures.checkpointNames) func anyNumberOfWorkers(checkpoint: String) throws {
        let reference = try Self.answers(checkpoint, [], together: false)
        #expect(reference.allSatisfy { $0.tokens.count == 10 })
        for count in [1, 3, 5] {
            let answers = try Self.answers(checkpoint, Array(repeating: .best, count: count))
            #expect(answers == reference, "\(count) workers")
        }
    }

    @Test(arguments: [ResultFormat.bf16, .int8]) func resultsInAnyForm(format: ResultFormat) throws {
        let reference = try Self.answers("qwen3_moe_bf16", [], together: false, results: format)
        #expect(try Self.answers("qwen3_moe_bf16", Array(repeating: .best, count: 3), results: format) == reference)
        #expect(try Self.answers("qwen3_moe_bf16", []) != reference, "nothing is rounded")
    }

    @Test func moreWorkersThanExperts() throws {
        let reference = try Self.answers("qwen3_moe_mixed", [])
        #expect(try Self.answers("qwen3_moe_mixed", Array(repeating: .best, count: 9)) == reference)
    }

    @Test func workersWithDifferentInstructionSets() throws {
        let mixed = (0..<4).map { InstructionSet.available[$0 % InstructionSet.available.count] }
        #expect(try Self.answers("qwen3_moe_bf16", mixed) == Self.answers("qwen3_moe_bf16", []))
    }
}
