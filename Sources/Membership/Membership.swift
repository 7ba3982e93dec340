public import Basics
public import Wire

/// Which workers a coordinator can count on: a state machine without sockets, threads or clocks. What happens goes in
/// with the time at which it happened, what is to be done comes out; whoever owns it does the dialling and sending.
///
/// ```
///              dialled                assignment complete
/// connecting ──────────▶ loading ───────────────────────▶ ready
///     ▲ dial failed        │  ▲ answer            answer ▲  │
///     └──(again, later)    │  └────────┐     ┌───────────┘  │
///                          │ 500 ms    │     │       500 ms │
///                          └────────▶ suspect ◀─────────────┘
///                                        │ 1000 ms, or the link closed (from every state with a link)
///          dialled (then loading)        ▼
///     ◀───────────────────────────────  dead ──(dial again, for ever)
/// ```
///
/// Rules:
/// - Heartbeats go out every 200 ms; any frame from a worker is a sign of life. Silence makes a worker suspect, then
///   dead. A closed link makes it dead at once, which is how a killed process is noticed.
/// - A time in which this side itself stood still is nobody else's silence: what is longer than a heartbeat's interval
///   between two ticks is not counted.
/// - A worker is dialled again after 100 ms, then 200, … up to 2 s, until it has been ready once more.
/// - Heartbeats are numbered without end, over all links of a worker, so that an answer from an earlier link means
///   nothing.
/// - One dial per worker at a time: `dial` is given out again only after its outcome was told.
public struct Membership: Sendable {
    /// The times that rule it, all in milliseconds.
    public struct Timings: Sendable, Hashable {
        /// Between two heartbeats.
        public var heartbeatMilliseconds = Limits.Membership.heartbeatMilliseconds
        /// Silence after which a worker is suspected. Too short suspects busy machines.
        public var suspectMilliseconds = Limits.Membership.suspectMilliseconds
        /// Silence after which a worker is given up. Too long lets requests wait for a dead worker.
        public var deadMilliseconds = Limits.Membership.deadMilliseconds

        /// The usual times.
        public init() {}
    }

    /// What is to be done.
    public enum Directive: Hashable, Sendable {
        /// Give the worker its shards: its link is there.
        case assign(NodeID)
        /// Close the worker's link.
        case closeLink(NodeID, reason: String)
        /// The worker is gone: fail what waits for it.
        case declareDead(NodeID, reason: String)
        /// The worker answers dispatches.
        case declareReady(NodeID)
        /// The worker is silent; nothing is lost yet.
        case declareSuspect(NodeID, silentMilliseconds: Int)
        /// Open a link to the worker, then tell `onDialSucceeded` or `onDialFailed`.
        case dial(NodeID)
        /// Send the worker a heartbeat with this number.
        case sendHeartbeat(NodeID, sequence: UInt64)
    }

    /// A worker, for `ClusterStatus` and for decisions.
    public struct Member: Hashable, Sendable {
        /// Its name.
        public let node: NodeID
        /// Its state.
        public let state: ClusterStatus.NodeState
        /// Why it is not ready; nil if it is.
        public let reason: String?
        /// Median round trip of its last heartbeats, in milliseconds; nil before the first.
        public let roundTripMilliseconds: Double?
        /// Bytes of its shards that are loaded.
        public let loadedBytes: UInt64
        /// Bytes of its shards.
        public let shardBytes: UInt64
    }

    /// The reason of a worker that loads as it should.
    public static let loadingReason = "loading its shards"

    private var nodes: [NodeID: NodeMachine] = [:]
    private let order: [NodeID]
    private var lastTick: Moment
    private let timings: Timings

    /// Knows these workers, none of which is dialled before the first tick.
    public init(nodes: [NodeID], now: Moment, timings: Timings = Timings()) {
        order = nodes
        lastTick = now
        self.timings = timings
        for node in nodes { self.nodes[node] = NodeMachine(node: node, now: now, timings: timings) }
    }

    /// All workers, in the order in which they were given.
    public var members: [Member] { order.compactMap { nodes[$0]?.member } }

    /// One worker; nil if it is unknown.
    public func member(_ node: NodeID) -> Member? { nodes[node]?.member }

    /// The state of a worker; nil if it is unknown.
    public func state(of node: NodeID) -> ClusterStatus.NodeState? { member(node)?.state }

    /// Time has passed. Call it every 50 ms or so: nothing happens between ticks but what is told.
    public mutating func onTick(now: Moment) -> [Directive] {
        let pause = now.microseconds(since: lastTick)
        let allowed = UInt64(timings.heartbeatMilliseconds) * 1000
        lastTick = max(now, lastTick)
        return order.flatMap { node -> [Directive] in
            if pause > allowed { nodes[node]?.forgive(microseconds: pause - allowed) }
            return nodes[node]?.onTick(now: now) ?? []
        }
    }

    /// A link to the worker is open.
    public mutating func onDialSucceeded(_ node: NodeID, now: Moment) -> [Directive] {
        nodes[node]?.onDialSucceeded(now: now) ?? []
    }

    /// The worker could not be reached, or refused the link.
    public mutating func onDialFailed(_ node: NodeID, reason: String, now: Moment) -> [Directive] {
        nodes[node]?.onDialFailed(reason: reason, now: now) ?? []
    }

    /// The worker answered a heartbeat.
    public mutating func onHeartbeatReply(_ node: NodeID, sequence: UInt64, now: Moment) -> [Directive] {
        nodes[node]?.onHeartbeatReply(sequence: sequence, now: now) ?? []
    }

    /// The worker sent something else on its present link: a sign of life too.
    public mutating func onHeard(_ node: NodeID, now: Moment) -> [Directive] {
        nodes[node]?.onHeard(now: now) ?? []
    }

    /// The worker's link is gone.
    public mutating func onLinkClosed(_ node: NodeID, reason: String, now: Moment) -> [Directive] {
        nodes[node]?.onLinkClosed(reason: reason, now: now) ?? []
    }

    /// The worker told how far it is with loading.
    public mutating func onAssignProgress(_ node: NodeID, _ progress: AssignProgress, now: Moment) -> [Directive] {
        nodes[node]?.onAssignProgress(progress, now: now) ?? []
    }

    /// The worker cannot load its shards; it is asked again later, on the same link.
    public mutating func onAssignFailed(_ node: NodeID, reason: String, now: Moment) -> [Directive] {
        nodes[node]?.onAssignFailed(reason: reason, now: now) ?? []
    }

    /// The worker's shards changed and are to be loaded: until they are, it is not ready.
    public mutating func onReassigned(_ node: NodeID, now: Moment) -> [Directive] {
        nodes[node]?.onReassigned(now: now) ?? []
    }
}
