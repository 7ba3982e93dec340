import Basics
import Kernels
import TestSupport
import Testing
import Wire

/// What the usual converters make of a directory answers as the directory does.
@Suite(.serialized) struct GGUFExactnessTests {
    private func answers(
        _ modelPath: String, workers: Int, activations: ActivationFormat = .int8
    ) throws -> [Generated] {
        let cluster = try InProcessCluster(
            modelPath: modelPath, instructionSets: Array(repeating: .best, count: workers), activations: activations)
        defer { cluster.stop() }
        _ = try cluster.waitForStatus { $0.isReady }
        return try ExactnessTests.requests.map { try cluster.start($0) }.map { try $0.wait() }
    }

    private func answers(
        _ conversion: GGUFConversion, workers: Int, activations: ActivationFormat = .int8
    ) throws -> [Generated] {
        let directory = try TemporaryDirectory()
        return try withExtendedLifetime(directory) {
            let path = try directory.write("model.gguf", conversion.file())
            return try answers(path, workers: workers, activations: activations)
        }
    }

    @Test(arguments: GGUFConversion.cases) func sameBits(conversion: GGUFConversion.Case) throws {
        let reference = try answers(Fixtures.checkpoint(conversion.fixture), workers: 0)
        #expect(try answers(GGUFConversion(conversion), workers: 3) == reference)
    }

    /// Heads of 24 columns cannot be taken out of blocks of 32; the input comes in the file's order. Sums are in
    /// another order than those of the numbers that the blocks stand for.
    @Test func columnsThatStayWhereTheyAre() throws {
        let conversion = GGUFConversion.Case(fixture: "qwen3_5_moe_bf16", architecture: "qwen35moe")
        var forms: [[Generated]] = []
        for output in [GGUFConversion.OutputForm.blocks, .numbersOfBlocks] {
            var converted = try GGUFConversion(conversion)
            converted.output = output
            forms.append(try answers(converted, workers: 0, activations: .f32))
        }
        for (blocks, numbers) in zip(forms[0], forms[1]) {
            for (left, right) in zip(blocks.promptTokens, numbers.promptTokens) {
                #expect(abs((left.logprob ?? 0) - (right.logprob ?? 0)) < 1e-3)
            }
        }
        #expect(forms[0] != (try answers(GGUFConversion(conversion), workers: 0, activations: .f32)))
    }
}
