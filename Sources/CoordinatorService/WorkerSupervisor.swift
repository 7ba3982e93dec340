import Basics
import Dispatch
import ExpertParallel
import Foundation
import Logging
import Placement
import Synchronization
import Transport
import Wire

/// Thin version.
final class WorkerSupervisor: Sendable {
    enum Event: Sendable {
        case lost(NodeID, reason: String)
        case ready(NodeID)
    }

    private struct Entry {
        var address: CoordinatorOptions.WorkerAddress
        var state = ClusterStatus.NodeState.connecting
        var reason: String?
        var welcome: Welcome?
        var control: Link?
        var loaded: UInt64 = 0
        var total: UInt64 = 0
        var resident: UInt64 = 0
        var roundTrip: Double?
    }

    private struct State {
        var entries: [Entry]
        var assignment: (placement: Placement, epoch: PlacementEpoch)?
        var isStopping = false
    }

    let links = WorkerLinks()
    private let identity: NodeIdentity
    private let digest: ModelDigest
    private let linkOptions: LinkOptions
    private let logger: Logger
    private let state: Mutex<State>
    private let changed = DispatchSemaphore(value: 0)

    init(
        workers: [CoordinatorOptions.WorkerAddress], identity: NodeIdentity, modelDigest: ModelDigest,
        linkOptions: LinkOptions, logger: Logger
    ) {
        self.identity = identity
        digest = modelDigest
        self.linkOptions = linkOptions
        self.logger = logger
        state = Mutex(State(entries: workers.map { Entry(address: $0) }))
    }

    func start(_ onEvent: @escaping @Sendable (Event) -> Void) {
        for index in state.withLock({ $0.entries.indices }) {
            let thread = Thread { [self] in run(index, onEvent) }
            thread.name = "worker-\(index)"
            thread.start()
        }
    }

    func stop() {
        let links = state.withLock { state in
            state.isStopping = true
            return state.entries.compactMap(\.control)
        }
        for link in links { link.close(.linkClosed(reason: "stopping")) }
    }

    var epoch: PlacementEpoch { state.withLock { $0.assignment?.epoch ?? PlacementEpoch(0) } }

    func waitForBudgets() -> [NodeID: UInt64] {
        while true {
            let budgets = state.withLock { state in
                state.entries.compactMap { entry in entry.welcome.map { (entry.address.node, $0.memoryBudgetBytes) } }
            }
            if budgets.count == state.withLock({ $0.entries.count }) {
                return Dictionary(budgets, uniquingKeysWith: { $1 })
            }
            changed.wait()
        }
    }

    func assign(_ placement: Placement, epoch: PlacementEpoch) {
        state.withLock { $0.assignment = (placement, epoch) }
        for index in state.withLock({ $0.entries.indices }) {
            if let link = state.withLock({ $0.entries[index].control }) { sendAssignment(index, link) {_ in } }
        }
    }

    var unavailability: String? {
        state.withLock { state in
            state.entries.first { $0.state != .ready }.map {
                "worker \($0.address.node) is \($0.state.rawValue): \($0.reason ?? "")"
            }
        }
    }

    var nodes: [ClusterStatus.Node] {
        state.withLock { state in
            state.entries.map { entry in
                let node = entry.address.node
                return ClusterStatus.Node(
                    name: node.value, role: .worker, address: entry.address.endpoint.description, state: entry.state,
                    reason: entry.reason, shardCount: state.assignment?.placement.shards[node]?.count ?? 0,
                    shardBytes: state.assignment?.placement.byteCounts[node] ?? 0, loadedBytes: entry.loaded,
                    memoryBudgetBytes: entry.welcome?.memoryBudgetBytes ?? 0, residentBytes: entry.resident,
                    roundTripMilliseconds: entry.roundTrip, instructionSet: entry.welcome?.instructionSet ?? "",
                    threadCount: Int(entry.welcome?.threadCount ?? 0))
            }
        }
    }

    private func sendAssignment(_ index: Int, _ link: Link, _ onEvent: @escaping @Sendable (Event) -> Void) {
        let (assign, node) = state.withLock { state -> (Assign?, NodeID) in
            let node = state.entries[index].address.node
            guard let assignment = state.assignment else { return (nil, node) }
            state.entries[index].state = .loading
            state.entries[index].reason = "loading shards"
            return (
                Assign(epoch: assignment.epoch, modelDigest: digest, shards: assignment.placement.shards[node] ?? []),
                node
            )
        }
        guard let assign, let buffer = try? FrameBuffer(assign) else { return }
        _ = try? link.start(kind: .assign, epoch: assign.epoch, buffer) { [self] result in
            guard case .success(let frame) = result, let progress = try? frame.decode(AssignProgress.self) else {
                state.withLock { $0.entries[index].reason = "\(result)" }
                return
            }
            state.withLock { state in
                state.entries[index].loaded = progress.bytesLoaded
                if progress.isComplete {
                    state.entries[index].state = .ready
                    state.entries[index].reason = nil
                }
            }
            if progress.isComplete { onEvent(.ready(node)) }
        }
    }

    private func run(_ index: Int, _ onEvent: @escaping @Sendable (Event) -> Void) {
        let address = state.withLock { $0.entries[index].address }
        while !state.withLock({ $0.isStopping }) {
            do {
                let control = try Link.dial(
                    address.endpoint, identity: identity, linkClass: .control, modelDigest: digest,
                    expectedRole: .worker, expectedNode: address.node)
                let activations = try Link.dial(
                    address.endpoint, identity: identity, linkClass: .activations, modelDigest: digest,
                    expectedRole: .worker, expectedNode: address.node, options: linkOptions)
                links[address.node] = activations.link
                state.withLock { state in
                    state.entries[index].welcome = control.welcome
                    state.entries[index].control = control.link
                }
                changed.signal()
                sendAssignment(index, control.link, onEvent)
                try beat(index, control.link)
            } catch {
                let reason = "\(error)"
                links[address.node]?.close(.linkClosed(reason: reason))
                links[address.node] = nil
                let wasConnected = state.withLock { state in
                    let old = state.entries[index].control
                    state.entries[index].control = nil
                    state.entries[index].state = old == nil ? state.entries[index].state : .dead
                    state.entries[index].reason = reason
                    old?.close(.linkClosed(reason: reason))
                    return old != nil
                }
                if wasConnected { onEvent(.lost(address.node, reason: reason)) }
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    private func beat(_ index: Int, _ link: Link) throws {
        var sequence: UInt64 = 0
        while true {
            sequence += 1
            let start = ContinuousClock.now
            let reply = try link.request(
                kind: .heartbeat, FrameBuffer(Heartbeat(sequence: sequence)), timeoutMilliseconds: 1000
            ).decode(HeartbeatReply.self)
            let elapsed = ContinuousClock.now - start
            state.withLock { state in
                state.entries[index].resident = reply.residentBytes
                state.entries[index].roundTrip = elapsed / .milliseconds(1)
            }
            if link.waitUntilClosed(timeoutMilliseconds: 200) { throw link.closeReason ?? .linkClosed(reason: "closed") }
        }
    }
}
