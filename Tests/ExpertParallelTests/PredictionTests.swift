import Basics
import ExpertParallel
import Kernels
import Models
import TestSupport
import Testing
import Weights

/// Experts of layers that predict further tokens are hosted like all others.
@Suite struct PredictionTests {
    private static let rowCount = 70

    /// The bits of all predictions of a text that is read in one step, which is cut where workers compute.
    private static func predict(_ model: Model, _ compute: Compute, _ experts: any ExpertBackend) throws -> [UInt32] {
        let pool = try #require(CachePool(layouts: model.cacheLayouts(), byteCount: 4 << 20))
        let cache = SequenceCache(pool: pool, positionsMax: rowCount)
        try #require(cache.reserve(rowCount))
        let state = ForwardState(model.description, rowsMax: rowCount, compute: compute)
        func rows(_ shift: Int, _ count: Int) -> [StepBatch.Row] {
            (0..<count).map { position in
                StepBatch.Row(
                    token: TokenID(Int32(3 + (position + shift) * 29 % 300)), position: position, cache: cache)
            }
        }
        try model.forward(StepBatch(rows: rows(0, rowCount)), state, experts: experts)
        let next = rows(1, rowCount - 1)
        try model.predict(
            PredictionIndex(0), PredictionBatch(sources: Array(next.indices), rows: next), state, experts: experts)
        var bits: [UInt32] = []
        model.withLogits(ofRows: Array(next.indices), state) { bits += $1.map(\.bitPattern) }
        return bits
    }

    @Test(arguments: Fixtures.predictingNames) func onAWorkerTheBitsAreTheSame(name: String) throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint(name))
        let description = try Registry.describe(checkpoint, predictionLayers: 1)
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        let loader = ExpertLoader(checkpoint: checkpoint, description: description)
        var weights: [ShardID: ExpertWeights] = [:]
        for size in try loader.shardSizes() { weights[size.shard] = try loader.load(size.shard) }
        let table = ExpertTable(epoch: PlacementEpoch(1), weights: weights)
        let worker = try WorkerLink(table: table, compute: compute, hiddenSize: description.hiddenSize)
        defer { worker.stop() }
        let mixtures = description.allLayers.enumerated().compactMap { index, layer in
            layer.mixture.map { (LayerIndex(index), $0.expertCount) }
        }
        let remote = worker.backend(compute: compute, expertCounts: Dictionary(uniqueKeysWithValues: mixtures))
        #expect(remote.slotCount > 1, "or there is no cut")
        let local = LocalExpertBackend(
            table: table, compute: compute, hiddenSize: description.hiddenSize, results: .f32)
        let model = try Model(description, from: checkpoint)
        let expected = try Self.predict(model, compute, local)
        #expect(expected.count == (Self.rowCount - 1) * description.vocabularySize)
        #expect(try Self.predict(model, compute, remote) == expected)
    }
}
