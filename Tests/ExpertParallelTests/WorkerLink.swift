import Basics
import ExpertParallel
import Kernels
import Logging
import Models
import Synchronization
import TestSupport
import Transport
import Wire

/// A worker reduced to what answers dispatches, and a coordinator's activation link to it, over a real socket.
final class WorkerLink {
    static let node = NodeID("worker-1")

    let link: Link
    let links = WorkerLinks()
    private let table: ExpertTable
    private let listener: LinkListener
    private let directory: TemporaryDirectory

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

    /// Hosts `table`; the worker speaks `versions` of the protocol.
    init(
        table: ExpertTable, compute: Compute, hiddenSize: Int,
        versions: ClosedRange<UInt16> = ProtocolVersion.supported
    ) throws {
        self.table = table
        let directory = try TemporaryDirectory()
        self.directory = directory
        let authority = try CertificateAuthority.create(directory: directory.path + "/authority")
        func identity(_ name: String, _ role: Role) throws -> NodeIdentity {
            try authority.issue(node: NodeID(name), role: role, into: directory.path + "/" + name)
            return try NodeIdentity.load(directory: directory.path + "/" + name)
        }
        let listener = try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: identity(Self.node.value, .worker),
            options: LinkOptions(versions: versions), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { (_, _, _) throws(Refusal) in
            let welcome = Welcome(node: Self.node, role: .worker, version: 1, modelDigest: nil)
            return (welcome, Server(table, compute, hiddenSize: hiddenSize))
        }
        self.listener = listener
        link = try Link.dial(
            Endpoint(host: "127.0.0.1", port: listener.port), identity: identity("coordinator", .coordinator),
            linkClass: .activations, expectedRole: .worker
        ).link
        links[Self.node] = link
    }

    func stop() { listener.stop() }

    /// A coordinator's backend whose only worker this is.
    func backend(
        compute: Compute, expertCounts: [LayerIndex: Int], layersInBlocks: Set<LayerIndex> = [],
        results: ResultFormat = .f32
    ) -> RemoteExpertBackend {
        let owners = ExpertOwners(
            epoch: table.epoch, assignments: [Self.node: table.shards], expertCounts: expertCounts)
        return RemoteExpertBackend(
            owners: owners, links: links, compute: compute, layersInBlocks: layersInBlocks,
            results: results, timeoutMilliseconds: 10_000)
    }

    /// Why the worker refuses a dispatch; nil if it answers.
    func refusal(of frame: FrameBuffer, epoch: UInt64 = 1) throws -> Refusal? {
        do {
            _ = try link.request(
                kind: .dispatch, epoch: PlacementEpoch(epoch), frame, timeoutMilliseconds: 10_000)
            return nil
        } catch {
            guard case .refused(let refusal) = error else { throw error }
            return refusal
        }
    }

    /// Random rows and routing, as a router would give them.
    static func work(
        rows: Int, width: Int, experts expertCount: Int, perToken: Int, seed: UInt64
    ) -> (input: Rows, routing: Routing) {
        var random = SeededGenerator(seed: seed)
        let input = Rows(capacity: rows, width: width)
        for row in 0..<rows { for column in 0..<width { input.view[row][column] = random.normal() } }
        var routing = Routing(expertsPerToken: perToken)
        for _ in 0..<rows {
            let experts = (0..<expertCount).shuffled(using: &random).prefix(perToken)
            routing.experts += experts.map(Int32.init)
            routing.weights += experts.map { _ in Float.random(in: 0...1, using: &random) }
        }
        return (input, routing)
    }
}

extension ExpertBackend {
    /// The bits of a layer's output, added to rows of 0.5.
    func sum(_ input: Rows, _ routing: Routing) throws -> [UInt32] {
        let sum = Rows(capacity: input.capacity, width: input.width)
        for row in 0..<sum.capacity { sum.view[row].update(repeating: 0.5) }
        try begin(slot: 0, layer: LayerIndex(0), input: input.view, routing: routing)
        try wait(slot: 0)
        combine(slot: 0, into: sum.view)
        return (0..<sum.capacity).flatMap { row in sum.view[row].map(\.bitPattern) }
    }
}
