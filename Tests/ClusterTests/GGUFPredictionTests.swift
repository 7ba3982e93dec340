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

    /// The bits of all predictions of a text.
    private func predict(_ path: String) throws -> [UInt32] {
        let checkpoint = try Checkpoint.open(path)
        let description = try Registry.describe(checkpoint, predictionLayers: 2)
        try #require(description.predictionLayers.count == 1)
        let compute = try Compute(instructionSet: .best, threadCount: 1)
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
        let next = (1..<Self.rowCount).map {
            StepBatch.Row(token: rows[$0].token, position: $0 - 1, cache: cache)
        }
        let state = ForwardState(description, rowsMax: Self.rowCount, compute: compute)
        try model.forward(StepBatch(rows: rows), state, experts: experts)
        try model.predict(
            PredictionIndex(0), PredictionBatch(sources: Array(next.indices), rows: next), state, experts: experts)
        var bits: [UInt32] = []
        model.withLogits(ofRows: Array(next.indices), state) { bits += $1.map(\.bitPattern) }
        return bits
    }

    @Test(arguments: GGUFConversion.cases.filter { ["deepseek2", "deepseek32", "glm4moe"].contains($0.architecture) })
    func sameBits(conversion: GGUFConversion.Case) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("model.gguf", GGUFConversion(conversion).file())
        #expect(try predict(path) == predict(Fixtures.checkpoint(conversion.fixture)))
    }
}
