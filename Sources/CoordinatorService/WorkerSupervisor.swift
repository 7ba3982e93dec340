import Basics
import Dispatch
import ExpertParallel
import Foundation
import Kernels
import Logging
import Membership
import Placement
import ServiceSupport
import Synchronization
import Transport
import Wire

/// Keeps the links to the workers: the shell around `Membership`, which decides. One thread feeds it what happened and
/// does what it says; dialling, which blocks, has a thread per attempt.
///
/// ```
/// dial threads ┐                      ┌▶ dial, heartbeat, assign
/// link readers ┼▶ events ▶ Membership ┤
/// clock        ┘                      └▶ ready, lost (to the coordinator)
/// ```
final class WorkerSupervisor: Sendable {
    /// What the coordinator has to know.
    enum Event: Sendable {
        /// The worker is gone, and with it the sequences that need it.
        case lost(NodeID, reason: String)
        /// The worker has its shards and answers dispatches.
        case ready(NodeID)
    }

    /// The activation links, for the engine.
    let links = WorkerLinks()
    let options: Options
    private let state: Mutex<State>
    private let happened = DispatchSemaphore(value: 0)
    private let budgetsChanged = DispatchSemaphore(value: 0)

    /// What every dial needs.
    struct Options: Sendable {
        let identity: NodeIdentity
        let modelDigest: ModelDigest
        let activations: ActivationFormat
        let linkOptions: LinkOptions
        let timings: Membership.Timings
        let logger: Logger
    }

    /// What another thread tells the supervisor's.
    enum Happening: Sendable {
        case assignFailed(WorkerLinkPair, reason: String)
        case assignProgressed(WorkerLinkPair, AssignProgress)
        case closed(WorkerLinkPair, reason: String)
        case dialFailed(NodeID, reason: String)
        case dialSucceeded(WorkerLinkPair)
        case heartbeatAnswered(WorkerLinkPair, HeartbeatReply)
    }

    private struct State {
        var membership: Membership
        var workers: [NodeID: SupervisedWorker] = [:]
        var happenings: [Happening] = []
        var assignment: (placement: Placement, epoch: PlacementEpoch)?
        var assignmentTime: Moment?
        var isStopping = false
    }

    /// Knows the workers; dials nobody before `start`.
    init(workers: [CoordinatorOptions.WorkerAddress], options: Options) {
        self.options = options
        let membership = Membership(nodes: workers.map(\.node), now: Self.now, timings: options.timings)
        let supervised = workers.map { ($0.node, SupervisedWorker(address: $0)) }
        state = Mutex(State(membership: membership, workers: Dictionary(supervised, uniquingKeysWith: { $1 })))
    }

    private static var now: Moment { Moment(microseconds: MonotonicClock.nowNanoseconds / 1000) }

    /// Starts to dial. `onEvent` is called on the supervisor's thread.
    func start(_ onEvent: @escaping @Sendable (Event) -> Void) {
        let thread = Thread { [self] in run(onEvent) }
        thread.name = "membership"
        thread.start()
    }

    /// Closes every link.
    func stop() {
        let pairs = state.withLock { state in
            state.isStopping = true
            return state.workers.values.compactMap(\.links)
        }
        for pair in pairs { pair.close(reason: "the coordinator is stopping") }
        happened.signal()
        budgetsChanged.signal()
    }

    func tell(_ happening: Happening) {
        state.withLock { $0.happenings.append(happening) }
        happened.signal()
    }

    // MARK: Placement

    /// The placement in force; epoch 0 if none.
    var epoch: PlacementEpoch { state.withLock { $0.assignment?.epoch ?? PlacementEpoch(0) } }

    /// Waits until every worker has been reached once.
    /// - Parameter known: budgets that are no news: waits until they change.
    /// - Returns: the memory that each worker offers, in bytes; nil if the coordinator stops.
    func waitForBudgets(otherThan known: [NodeID: UInt64]? = nil) -> [NodeID: UInt64]? {
        while true {
            let (budgets, isStopping) = state.withLock { state in
                (state.workers.compactMapValues { $0.welcome?.memoryBudgetBytes }, state.isStopping)
            }
            if isStopping { return nil }
            if budgets.count == state.withLock({ $0.workers.count }), budgets != known { return budgets }
            budgetsChanged.wait()
        }
    }

    /// Gives every worker its shards, now and whenever it comes back.
    func assign(_ placement: Placement, epoch: PlacementEpoch) {
        state.withLock { state in
            state.assignment = (placement, epoch)
            state.assignmentTime = Self.now
            for node in state.workers.keys.sorted() {
                let directives = state.membership.onReassigned(node, now: Self.now)
                state.workers[node]?.pending += directives
            }
        }
        happened.signal()
    }

    // MARK: Figures

    /// Why the workers cannot be counted on; nil if they can. (A suspect one may still answer.)
    var unavailability: String? {
        state.withLock { state in
            let missing = state.membership.members.filter { $0.state != .ready && $0.state != .suspect }
            // Those that cannot be reached first: the others wait for them.
            let unreached = missing.first { $0.state == .dead } ?? missing.first { $0.state == .connecting }
            guard let first = unreached ?? missing.first else { return nil }
            if missing.allSatisfy({ $0.state == .loading }), let progress = Self.loadProgress(state) {
                return "loading experts: \(progress.text)"
            }
            let others = missing.count > 1 ? ", \(missing.count - 1) more not ready" : ""
            let reason = first.reason.map { ": \($0)" } ?? ""
            return "node \(first.node) is \(first.state.rawValue)\(reason)\(others)"
        }
    }

    /// How far the workers are together; nil before the first placement, and where one of them cannot load.
    private static func loadProgress(_ state: State) -> LoadProgress? {
        guard let start = state.assignmentTime, let placement = state.assignment?.placement else { return nil }
        let members = state.membership.members
        let hasFailed = members.contains { $0.state == .loading && $0.reason != Membership.loadingReason }
        guard !hasFailed else { return nil }
        return LoadProgress(
            bytesLoaded: members.reduce(0) { $0 + $1.loadedBytes },
            bytesTotal: placement.byteCounts.values.reduce(0, +),
            seconds: Double(now.microseconds(since: start)) / 1e6)
    }

    /// The workers as `status` shows them.
    var nodes: [ClusterStatus.Node] {
        state.withLock { state in
            state.membership.members.compactMap { member in
                state.workers[member.node]?.status(member, placement: state.assignment?.placement)
            }
        }
    }

    // MARK: The thread

    private func run(_ onEvent: @escaping @Sendable (Event) -> Void) {
        while true {
            _ = happened.wait(timeout: .now() + .milliseconds(Limits.Membership.tickMilliseconds))
            let directives = state.withLock { state -> [Membership.Directive]? in
                guard !state.isStopping else { return nil }
                return Self.takeDirectives(&state)
            }
            guard let directives else { return }
            for directive in directives { execute(directive, onEvent) }
        }
    }

    private static func takeDirectives(_ state: inout State) -> [Membership.Directive] {
        var directives: [Membership.Directive] = []
        for happening in state.happenings { directives += apply(happening, &state) }
        state.happenings = []
        for node in state.workers.keys {
            directives += state.workers[node]?.pending ?? []
            state.workers[node]?.pending = []
        }
        return directives + state.membership.onTick(now: now)
    }

    /// Tells the membership what happened; what comes from links that were replaced means nothing any more.
    private static func apply(_ happening: Happening, _ state: inout State) -> [Membership.Directive] {
        func isPresent(_ pair: WorkerLinkPair) -> Bool { state.workers[pair.node]?.links === pair }
        switch happening {
        case .assignFailed(let pair, let reason):
            return isPresent(pair) ? state.membership.onAssignFailed(pair.node, reason: reason, now: now) : []
        case .assignProgressed(let pair, let progress):
            return isPresent(pair) ? state.membership.onAssignProgress(pair.node, progress, now: now) : []
        case .closed(let pair, let reason):
            guard isPresent(pair) else { return [] }
            state.workers[pair.node]?.links = nil
            return state.membership.onLinkClosed(pair.node, reason: reason, now: now)
        case .dialFailed(let node, let reason):
            return state.membership.onDialFailed(node, reason: reason, now: now)
        case .dialSucceeded(let pair):
            state.workers[pair.node]?.links = pair
            state.workers[pair.node]?.welcome = pair.welcome
            state.workers[pair.node]?.lastFailure = nil
            return state.membership.onDialSucceeded(pair.node, now: now)
        case .heartbeatAnswered(let pair, let reply):
            guard isPresent(pair) else { return [] }
            state.workers[pair.node]?.take(reply, at: now)
            return state.membership.onHeartbeatReply(pair.node, sequence: reply.sequence, now: now)
        }
    }

    private func execute(_ directive: Membership.Directive, _ onEvent: (Event) -> Void) {
        switch directive {
        case .assign(let node): sendAssignment(node)
        case .closeLink(let node, let reason):
            let pair = state.withLock { state in
                defer { state.workers[node]?.links = nil }
                return state.workers[node]?.links
            }
            pair?.close(reason: reason)
        case .declareDead(let node, let reason):
            links[node] = nil
            onEvent(.lost(node, reason: reason))
        case .declareReady(let node):
            links[node] = state.withLock { $0.workers[node]?.links?.activations }
            onEvent(.ready(node))
        case .declareSuspect(let node, let milliseconds):
            options.logger.warning(
                "worker silent", metadata: ["worker": "\(node)", "milliseconds": "\(milliseconds)"])
        case .dial(let node):
            guard let address = state.withLock({ $0.workers[node]?.address }) else { return }
            let thread = Thread { [self] in dial(address) }
            thread.name = "dial \(node)"
            thread.start()
        case .sendHeartbeat(let node, let sequence):
            guard let pair = state.withLock({ $0.workers[node]?.links }) else { return }
            pair.sendHeartbeat(sequence) { [weak self] in self?.tell($0) }
        }
    }

    private func dial(_ address: CoordinatorOptions.WorkerAddress) {
        do {
            tell(.dialSucceeded(try WorkerLinkPair(address, options) { [weak self] in self?.tell($0) }))
        } catch {
            logOnce(address, error.description)
            tell(.dialFailed(address.node, reason: error.description))
        }
    }

    /// A worker that stays away is dialled for ever; the log says why once per reason.
    private func logOnce(_ address: CoordinatorOptions.WorkerAddress, _ reason: String) {
        let isNews = state.withLock { state in
            defer { state.workers[address.node]?.lastFailure = reason }
            return state.workers[address.node]?.lastFailure != reason
        }
        guard isNews else { return }
        options.logger.warning(
            "worker unreachable",
            metadata: ["worker": "\(address.node)", "address": "\(address.endpoint)", "reason": "\(reason)"])
    }

    private func sendAssignment(_ node: NodeID) {
        // The worker has just introduced itself: whoever plans may wait for that.
        budgetsChanged.signal()
        let (pair, assign) = state.withLock { state -> (WorkerLinkPair?, Assign?) in
            let assign = state.assignment.map { assignment in
                Assign(
                    epoch: assignment.epoch, modelDigest: options.modelDigest,
                    shards: assignment.placement.shards[node] ?? [])
            }
            return (state.workers[node]?.links, assign)
        }
        // Before the first placement there is nothing to assign; `assign` comes back to every worker.
        guard let pair, let assign else { return }
        pair.send(assign) { [weak self] in self?.tell($0) }
    }
}
