import Basics
import ExpertParallel
import Kernels
import Models
import TestSupport
import Testing
import Transport
import Weights
import Wire

/// A dispatch over a real link gives the rows that the local backend adds, bit for bit; one that makes no sense is
/// refused with its reason and costs nothing else.
@Suite struct DispatchTests {
    static let checkpointName = "qwen3_moe_bf16"

    let description: ModelDescription
    let compute: Compute
    let table: ExpertTable
    let worker: WorkerLink

    init() throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint(Self.checkpointName))
        let description = try Registry.describe(checkpoint)
        self.description = description
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        self.compute = compute
        let loader = ExpertLoader(checkpoint: checkpoint, description: description)
        var weights: [ShardID: ExpertWeights] = [:]
        for size in try loader.shardSizes() { weights[size.shard] = try loader.load(size.shard) }
        let table = ExpertTable(epoch: PlacementEpoch(1), weights: weights)
        self.table = table
        worker = try WorkerLink(table: table, compute: compute, hiddenSize: description.hiddenSize)
    }

    /// Random rows and routing, as a router would give them.
    func work(rows: Int, seed: UInt64) -> (input: Rows, routing: Routing) {
        let mixture = description.mixtures[0]
        return WorkerLink.work(
            rows: rows, width: description.hiddenSize, experts: mixture.expertCount, perToken: mixture.expertsPerToken,
            seed: seed)
    }

    @Test(arguments: [1, 2, 9, 70]) func remoteEqualsLocal(rows: Int) throws {
        defer { worker.stop() }
        let expertCounts = Dictionary(
            uniqueKeysWithValues: description.mixtures.enumerated().map { (LayerIndex($0), $1.expertCount) })
        let remote = worker.backend(compute: compute, expertCounts: expertCounts)
        let local = LocalExpertBackend(
            table: table, compute: compute, hiddenSize: description.hiddenSize, results: .f32)
        for seed in 0..<5 as Range<UInt64> {
            let (input, routing) = work(rows: rows, seed: seed)
            #expect(try remote.sum(input, routing) == local.sum(input, routing))
        }
        worker.links[WorkerLink.node] = nil
        let (input, routing) = work(rows: rows, seed: 9)
        let error = #expect(throws: ExpertBackendError.self) { try remote.sum(input, routing) }
        #expect(error == .workerUnavailable(node: WorkerLink.node, reason: "not connected"))
    }

    @Test func senselessDispatchesAreRefused() throws {
        defer { worker.stop() }
        func refusal(
            layer: Int = 0, expert: Int = 0, width: Int? = nil, epoch: UInt64 = 1
        ) throws -> RefusalCode? {
            let layout = try DispatchLayout(
                layer: LayerIndex(layer), tokenCount: 1, pairCount: 1, width: width ?? description.hiddenSize)
            let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
            frame.withPayload { payload in
                let places = layout.prepare(payload)
                places.pairs[0] = DispatchPair(tokenRow: 0, expert: ExpertIndex(expert), weight: 1)
                places.rows.initializeMemory(as: UInt8.self, repeating: 0)
            }
            return try worker.refusal(of: frame, epoch: epoch)?.code
        }
        #expect(try refusal(expert: 4000) == .shardNotHosted)
        #expect(try refusal(layer: 99) == .shardNotHosted)
        #expect(try refusal(width: 32) == .malformedPayload)
        #expect(try refusal(epoch: 2) == .staleEpoch)
        #expect(try refusal() == nil)
    }
}
