import Basics
import Kernels
import Membership
import Placement
import Synchronization
import Transport
import Wire

/// What the supervisor knows of one worker, beside its membership.
struct SupervisedWorker: Sendable {
    let address: CoordinatorOptions.WorkerAddress
    /// The open links; nil while it is away.
    var links: WorkerLinkPair?
    /// How it introduced itself last.
    var welcome: Welcome?
    /// Why it could not be reached last; nil once it was.
    var lastFailure: String?
    /// What membership said outside the supervisor's thread.
    var pending: [Membership.Directive] = []
    private var load = 0.0
    private var lastReply: (reply: HeartbeatReply, moment: Moment)?

    init(address: CoordinatorOptions.WorkerAddress) { self.address = address }

    /// Notes the figures of a heartbeat; the load is the share of the time between two of them that it computed,
    /// averaged over about a second.
    mutating func take(_ reply: HeartbeatReply, at moment: Moment) {
        if let lastReply, reply.computeMicroseconds >= lastReply.reply.computeMicroseconds {
            let busy = Double(reply.computeMicroseconds - lastReply.reply.computeMicroseconds)
            let share = busy / Double(max(1, moment.microseconds(since: lastReply.moment)))
            load += (min(1, share) - load) * 0.2
        }
        lastReply = (reply, moment)
    }

    func status(_ member: Membership.Member, placement: Placement?) -> ClusterStatus.Node {
        ClusterStatus.Node(
            name: member.node.value, role: .worker, address: address.endpoint.description, state: member.state,
            // Before the first placement it has nothing to load: it waits for the others, which is no fault of its own.
            reason: placement == nil && member.state == .loading ? nil : member.reason,
            shardCount: placement?.shards[member.node]?.count ?? 0,
            shardBytes: placement?.byteCounts[member.node] ?? 0, loadedBytes: member.loadedBytes,
            memoryBudgetBytes: welcome?.memoryBudgetBytes ?? 0, residentBytes: lastReply?.reply.residentBytes ?? 0,
            roundTripMilliseconds: member.roundTripMilliseconds, load: load,
            instructionSet: welcome?.instructionSet ?? "", threadCount: Int(welcome?.threadCount ?? 0),
            dispatches: lastReply?.reply.dispatchCount, expertRows: lastReply?.reply.expertRowCount,
            computeMicroseconds: lastReply?.reply.computeMicroseconds)
    }
}

/// The two links to a worker, opened and closed together: if one is gone the worker is.
final class WorkerLinkPair: Sendable {
    typealias Tell = @Sendable (WorkerSupervisor.Happening) -> Void

    let node: NodeID
    let welcome: Welcome
    let activations: Link
    private let control: Link
    private let watcher: Watcher

    /// Dials both. A worker that cannot compute as the coordinator wants is as good as away.
    init(
        _ address: CoordinatorOptions.WorkerAddress, _ options: WorkerSupervisor.Options, _ tell: @escaping Tell
    ) throws(TransportError) {
        let watcher = Watcher()
        func dial(_ linkClass: LinkClass, _ linkOptions: LinkOptions) throws(TransportError) -> (
            link: Link, welcome: Welcome
        ) {
            try Link.dial(
                address.endpoint, identity: options.identity, linkClass: linkClass, modelDigest: options.modelDigest,
                expectedRole: .worker, expectedNode: address.node, options: linkOptions, handler: watcher)
        }
        let first = try dial(.control, LinkOptions())
        do {
            activations = try dial(.activations, options.linkOptions).link
        } catch {
            first.link.close(error)
            throw error
        }
        if options.activations != .int8, activations.version < ProtocolVersion.activationForms {
            let error = TransportError.versionTooOld(
                node: address.node, version: activations.version, needed: ProtocolVersion.activationForms,
                purpose: "\(options.activations.rawValue) activations")
            first.link.close(error)
            activations.close(error)
            throw error
        }
        node = address.node
        control = first.link
        welcome = first.welcome
        self.watcher = watcher
        watcher.watch { [weak self] reason in
            guard let self else { return }
            close(reason: reason.description)
            tell(.closed(self, reason: reason.description))
        }
    }

    /// Closes both.
    func close(reason: String) {
        control.close(.linkClosed(reason: reason))
        activations.close(.linkClosed(reason: reason))
    }

    /// Sends a heartbeat; the answer is told. A link that does not take it will close by itself.
    func sendHeartbeat(_ sequence: UInt64, _ tell: @escaping Tell) {
        guard let buffer = try? FrameBuffer(Heartbeat(sequence: sequence)) else { return }
        _ = try? control.start(kind: .heartbeat, buffer) { [weak self] result in
            guard let self, case .success(let frame) = result, let reply: HeartbeatReply = try? frame.decode() else {
                return
            }
            tell(.heartbeatAnswered(self, reply))
        }
    }

    /// Sends an assignment; progress and failure are told.
    func send(_ assign: Assign, _ tell: @escaping Tell) {
        do {
            try control.start(kind: .assign, epoch: assign.epoch, FrameBuffer(assign)) { [weak self] result in
                guard let self else { return }
                do {
                    tell(.assignProgressed(self, try result.get().decode()))
                } catch {
                    tell(.assignFailed(self, reason: (error as? TransportError).map(Self.reason) ?? "\(error)"))
                }
            }
        } catch {
            tell(.assignFailed(self, reason: error.description))
        }
    }

    private static func reason(_ error: TransportError) -> String {
        guard case .refused(let refusal) = error else { return error.description }
        return refusal.message
    }

    /// Tells once that one of the links has closed, also if that was before anyone asked.
    private final class Watcher: LinkHandler {
        private struct State {
            var reason: TransportError?
            var onClose: (@Sendable (TransportError) -> Void)?
        }

        private let state = Mutex(State())

        func watch(_ onClose: @escaping @Sendable (TransportError) -> Void) {
            let reason = state.withLock { state in
                if state.reason == nil { state.onClose = onClose }
                return state.reason
            }
            if let reason { onClose(reason) }
        }

        func link(_ link: Link, didReceive frame: ReceivedFrame) {
            link.refuse(frame, Refusal(.unexpectedKind, "a coordinator takes no requests from a worker"))
        }

        func linkDidClose(_ link: Link, reason: TransportError) {
            let onClose = state.withLock { state in
                if state.reason == nil { state.reason = reason }
                defer { state.onClose = nil }
                return state.onClose
            }
            onClose?(reason)
        }
    }
}
