import Basics
import ExpertParallel
import Kernels
import Models
import TestSupport
import Testing
import Weights

/// A layer that predicts a further token says the same from a GGUF file as from a directory.
@Suite struct GGUFPredictionTests {
    private static let rowCount = 30

    /// The bits of all predictions of a text that is read in steps of so many rows.
    private func predict(
        _ path: String, stepRows: Int = rowCount, instructionSet: InstructionSet = .best, threads: Int = 1,
        activations: ActivationFormat = .int8
    ) throws -> [UInt32] {
        let checkpoint = try Checkpoint.open(path)
        let description = try Registry.describe(checkpoint, predictionLayers: 2)
        try #require(description.predictionLayers.count == 1)
        let compute = try Compute(
            instructionSet: instructionSet, threadCount: threads, activations: activations)
        let loader = ExpertLoader(checkpoint: checkpoint, description: description)
        var weights: [ShardID: ExpertWeights] = [:]
        for size in try loader.shardSizes() { weights[size.shard] = try loader.load(size.shard) }
        let experts = LocalExpertBackend(
            table: ExpertTable(epoch: PlacementEpoch(1), weights: weights), compute: compute,
            hiddenSize: description.hiddenSize, results: .f32)
        let model = try Model(description, from: checkpoint)
        let pool = try #require(CachePool(layouts: model.cacheLayouts(), byteCount: 4 << 20))
        let cache = SequenceCache(pool: pool, positionsMax: Self.rowCount)
        try #require(cache.reserve(Self.rowCount))
        let rows = (0..<Self.rowCount).map {
            StepBatch.Row(token: TokenID(Int32(3 + $0 * 29 % 300)), position: $0, cache: cache)
        }
        let state = ForwardState(description, rowsMax: Self.rowCount, compute: compute)
        var bits: [UInt32] = []
        for first in stride(from: 0, to: Self.rowCount - 1, by: stepRows) {
            let positions = first..<min(first + stepRows, Self.rowCount - 1)
            try model.forward(StepBatch(rows: Array(rows[positions])), state, experts: experts)
            let next = positions.map { StepBatch.Row(token: rows[$0 + 1].token, position: $0, cache: cache) }
            try model.predict(
                PredictionIndex(0), PredictionBatch(sources: Array(next.indices), rows: next), state, experts: experts)
            model.withLogits(ofRows: Array(next.indices), state) { bits += $1.map(\.bitPattern) }
        }
        return bits
    }

    @Test(
        arguments: GGUFConversion.cases.filter {
            ["deepseek2", "deepseek32", "glm4moe", "qwen35moe"].contains($0.architecture)
        })
    func sameBits(conversion: GGUFConversion.Case) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("model.gguf", GGUFConversion(conversion).file())
        #expect(try predict(path) == predict(Fixtures.checkpoint(conversion.fixture)))
    }

    /// Weights in blocks meet activations of 8 bits: the same bits in any steps, on any threads and instructions.
    @Test(arguments: GGUFConversion.cases.filter { ["deepseek32", "glm4moe", "qwen35moe"].contains($0.architecture) })
    func inBlocksTheBitsAreTheSameHoweverTheyAreComputed(conversion: GGUFConversion.Case) throws {
        let directory = try TemporaryDirectory()
        var blocks = try GGUFConversion(conversion)
        blocks.areMatricesBlocks = true
        let path = try directory.write("model.gguf", blocks.file())
        let expected = try predict(path)
        #expect(try predict(path, stepRows: 1) == expected)
        #expect(try predict(path, stepRows: 7, threads: 4) == expected)
        for instructionSet in InstructionSet.available {
            #expect(try predict(path, stepRows: 11, instructionSet: instructionSet, threads: 2) == expected)
        }
        let exact = try predict(path, activations: .f32)
        #expect(exact != expected)
        #expect(try predict(path, stepRows: 4, instructionSet: .generic, activations: .f32) == exact)
    }
}
