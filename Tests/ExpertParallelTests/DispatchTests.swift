import Basics
import ExpertParallel
import Kernels
import Logging
import Models
import Synchronization
import TestSupport
import Testing
import Transport
import Weights
import Wire

/// A dispatch over a real link gives the rows that the local backend adds, bit for bit; one that makes no sense is
/// refused with its reason and costs nothing else.
@Suite struct DispatchTests {
    static let checkpointName = "qwen3_moe_bf16"

    /// A worker's activation link, reduced to its handler.
    private final class Server: LinkHandler {
        private let runner: Mutex<DispatchRunner>
        private let table: ExpertTable
        private let hiddenSize: Int

        init(_ table: ExpertTable, _ compute: Compute, hiddenSize: Int) {
            runner = Mutex(DispatchRunner(compute: compute))
            self.table = table
            self.hiddenSize = hiddenSize
        }

        func link(_ link: Link, didReceive frame: ReceivedFrame) {
            let reply = FrameReply(to: frame, on: link)
            do {
                let answer = try runner.withLock { runner throws(Refusal) in
                    try runner.run(frame, table: table, hiddenSize: hiddenSize)
                }
                reply.send(.combine, answer.frame)
            } catch {
                reply.refuse(error)
            }
        }

        func linkDidClose(_ link: Link, reason: TransportError) {}
    }

    let description: ModelDescription
    let compute: Compute
    let table: ExpertTable
    let directory: TemporaryDirectory
    let listener: LinkListener
    let link: Link

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
        let directory = try TemporaryDirectory()
        self.directory = directory
        let authority = try CertificateAuthority.create(directory: directory.path + "/authority")
        func identity(_ name: String, _ role: Role) throws -> NodeIdentity {
            try authority.issue(node: NodeID(name), role: role, into: directory.path + "/" + name)
            return try NodeIdentity.load(directory: directory.path + "/" + name)
        }
        let listener = try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: identity("worker-1", .worker),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { (_, _, _) throws(Refusal) in
            let welcome = Welcome(node: NodeID("worker-1"), role: .worker, version: 1, modelDigest: nil)
            return (welcome, Server(table, compute, hiddenSize: description.hiddenSize))
        }
        self.listener = listener
        link = try Link.dial(
            Endpoint(host: "127.0.0.1", port: listener.port), identity: identity("coordinator", .coordinator),
            linkClass: .activations, expectedRole: .worker
        ).link
    }

    /// Random rows and routing, as a router would give them.
    func work(rows: Int, seed: UInt64) -> (input: Rows, routing: Routing) {
        var random = SeededGenerator(seed: seed)
        let input = Rows(capacity: rows, width: description.hiddenSize)
        for row in 0..<rows { for column in 0..<description.hiddenSize { input.view[row][column] = random.normal() } }
        let mixture = description.mixtures[0]
        var routing = Routing(expertsPerToken: mixture.expertsPerToken)
        for _ in 0..<rows {
            let experts = (0..<mixture.expertCount).shuffled(using: &random).prefix(mixture.expertsPerToken)
            routing.experts += experts.map(Int32.init)
            routing.weights += experts.map { _ in Float.random(in: 0...1, using: &random) }
        }
        return (input, routing)
    }

    func sum(_ backend: any ExpertBackend, _ input: Rows, _ routing: Routing) throws -> [UInt32] {
        let sum = Rows(capacity: input.capacity, width: input.width)
        for row in 0..<sum.capacity { sum.view[row].update(repeating: 0.5) }
        try backend.begin(slot: 0, layer: LayerIndex(0), input: input.view, routing: routing)
        try backend.wait(slot: 0)
        backend.combine(slot: 0, into: sum.view)
        return (0..<sum.capacity).flatMap { row in sum.view[row].map(\.bitPattern) }
    }

    @Test(arguments: [1, 2, 9, 70]) func remoteEqualsLocal(rows: Int) throws {
        defer { listener.stop() }
        let owners = ExpertOwners(
            epoch: table.epoch, assignments: [NodeID("worker-1"): table.shards],
            expertCounts: Dictionary(
                uniqueKeysWithValues: description.mixtures.enumerated().map { (LayerIndex($0), $1.expertCount) }))
        let links = WorkerLinks()
        links[NodeID("worker-1")] = link
        let remote = RemoteExpertBackend(owners: owners, links: links, timeoutMilliseconds: 10_000)
        let local = LocalExpertBackend(table: table, compute: compute, hiddenSize: description.hiddenSize)
        for seed in 0..<5 as Range<UInt64> {
            let (input, routing) = work(rows: rows, seed: seed)
            #expect(try sum(remote, input, routing) == sum(local, input, routing))
        }
        links[NodeID("worker-1")] = nil
        let (input, routing) = work(rows: rows, seed: 9)
        let error = #expect(throws: ExpertBackendError.self) { try sum(remote, input, routing) }
        #expect(error == .workerUnavailable(node: NodeID("worker-1"), reason: "not connected"))
    }

    @Test func senselessDispatchesAreRefused() throws {
        defer { listener.stop() }
        func refusal(
            layer: Int = 0, expert: Int = 0, width: Int? = nil, epoch: UInt64 = 1
        ) throws -> RefusalCode? {
            let layout = try DispatchLayout(
                layer: LayerIndex(layer), tokenCount: 1, pairCount: 1, width: width ?? description.hiddenSize)
            let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
            frame.withPayload { payload in
                let places = layout.prepare(payload)
                places.pairs[0] = DispatchPair(tokenRow: 0, expert: ExpertIndex(expert), weight: 1)
                places.rows.update(repeating: 0)
            }
            do {
                _ = try link.request(
                    kind: .dispatch, epoch: PlacementEpoch(epoch), frame, timeoutMilliseconds: 10_000)
                return nil
            } catch {
                guard case .refused(let refusal) = error else { throw error }
                return refusal.code
            }
        }
        #expect(try refusal(expert: 4000) == .shardNotHosted)
        #expect(try refusal(layer: 99) == .shardNotHosted)
        #expect(try refusal(width: 32) == .malformedPayload)
        #expect(try refusal(epoch: 2) == .staleEpoch)
        #expect(try refusal() == nil)
    }
}
