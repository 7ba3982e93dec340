import Basics
import Wire

/// The state machine of one worker. In each state it has what belongs to that state and nothing else.
struct NodeMachine: Sendable {
    typealias Directive = Membership.Directive

    /// On the way to a link.
    private enum Attempt: Sendable {
        case dialling
        case waiting(until: Moment)
    }

    /// What a worker with a link is busy with.
    private enum Duty: Sendable {
        case loading
        /// It said that it cannot; it is asked again.
        case loadFailed(reason: String, retryAt: Moment)
        case serving
    }

    /// What is known of a worker with a link.
    private struct Liveness: Sendable {
        var duty = Duty.loading
        var lastHeard: Moment
        var nextHeartbeat: Moment
        /// When the heartbeats were sent that are not answered yet.
        var sentAt: [UInt64: Moment] = [:]
    }

    private enum State: Sendable {
        case connecting(Attempt, reason: String)
        case dead(Attempt, reason: String)
        case linked(Liveness)
        case suspect(Liveness)
    }

    private let node: NodeID
    private let timings: Membership.Timings
    private var state: State
    private var dialFailureCount = 0
    private var assignFailureCount = 0
    private var lastSequence: UInt64 = 0
    private var roundTripMicroseconds: [UInt64] = []
    private var loadedBytes: UInt64 = 0
    private var shardBytes: UInt64 = 0

    init(node: NodeID, now: Moment, timings: Membership.Timings) {
        self.node = node
        self.timings = timings
        state = .connecting(.waiting(until: now), reason: "not dialled yet")
    }

    var member: Membership.Member {
        let (name, reason) = describe()
        return Membership.Member(
            node: node, state: name, reason: reason, roundTripMilliseconds: medianRoundTripMilliseconds,
            loadedBytes: loadedBytes, shardBytes: shardBytes)
    }

    private func describe() -> (ClusterStatus.NodeState, String?) {
        switch state {
        case .connecting(_, let reason): (.connecting, reason)
        case .dead(_, let reason): (.dead, reason)
        case .suspect: (.suspect, "silent for more than \(timings.suspectMilliseconds) ms")
        case .linked(let liveness):
            switch liveness.duty {
            case .loading: (.loading, Membership.loadingReason)
            case .loadFailed(let reason, _): (.loading, reason)
            case .serving: (.ready, nil)
            }
        }
    }

    private var medianRoundTripMilliseconds: Double? {
        guard !roundTripMicroseconds.isEmpty else { return nil }
        let sorted = roundTripMicroseconds.sorted()
        let middle = sorted.count / 2
        let median =
            sorted.count % 2 == 1 ? Double(sorted[middle]) : Double(sorted[middle - 1] + sorted[middle]) / 2
        return median / 1000
    }

    // MARK: Time

    mutating func onTick(now: Moment) -> [Directive] {
        switch state {
        case .connecting(.waiting(let until), let reason):
            guard now >= until else { return [] }
            state = .connecting(.dialling, reason: reason)
            return [.dial(node)]
        case .dead(.waiting(let until), let reason):
            guard now >= until else { return [] }
            state = .dead(.dialling, reason: reason)
            return [.dial(node)]
        case .connecting(.dialling, _), .dead(.dialling, _): return []
        case .linked(var liveness):
            let silentMilliseconds = now.milliseconds(since: liveness.lastHeard)
            if silentMilliseconds >= timings.deadMilliseconds { return giveUp(silentMilliseconds, now) }
            var directives: [Directive] = []
            if silentMilliseconds >= timings.suspectMilliseconds {
                directives.append(.declareSuspect(node, silentMilliseconds: silentMilliseconds))
            }
            directives += retryAssignment(&liveness, now) + beat(&liveness, now)
            state = silentMilliseconds >= timings.suspectMilliseconds ? .suspect(liveness) : .linked(liveness)
            return directives
        case .suspect(var liveness):
            let silentMilliseconds = now.milliseconds(since: liveness.lastHeard)
            if silentMilliseconds >= timings.deadMilliseconds { return giveUp(silentMilliseconds, now) }
            let directives = beat(&liveness, now)
            state = .suspect(liveness)
            return directives
        }
    }

    /// Takes time in which this side stood still off everyone's silence.
    mutating func forgive(microseconds: UInt64) {
        switch state {
        case .linked(var liveness):
            liveness.lastHeard = Moment(microseconds: liveness.lastHeard.microseconds + microseconds)
            state = .linked(liveness)
        case .suspect(var liveness):
            liveness.lastHeard = Moment(microseconds: liveness.lastHeard.microseconds + microseconds)
            state = .suspect(liveness)
        case .connecting, .dead: break
        }
    }

    private mutating func giveUp(_ silentMilliseconds: Int, _ now: Moment) -> [Directive] {
        let reason = "silent for \(silentMilliseconds) ms"
        return [.closeLink(node, reason: reason)] + die(reason, now)
    }

    private mutating func beat(_ liveness: inout Liveness, _ now: Moment) -> [Directive] {
        guard now >= liveness.nextHeartbeat else { return [] }
        lastSequence += 1
        liveness.sentAt[lastSequence] = now
        liveness.nextHeartbeat = now.advanced(milliseconds: timings.heartbeatMilliseconds)
        return [.sendHeartbeat(node, sequence: lastSequence)]
    }

    private func retryAssignment(_ liveness: inout Liveness, _ now: Moment) -> [Directive] {
        guard case .loadFailed(_, let retryAt) = liveness.duty, now >= retryAt else { return [] }
        liveness.duty = .loading
        return [.assign(node)]
    }

    // MARK: Links

    mutating func onDialSucceeded(now: Moment) -> [Directive] {
        switch state {
        case .connecting(.dialling, _), .dead(.dialling, _):
            assignFailureCount = 0
            loadedBytes = 0
            var liveness = Liveness(lastHeard: now, nextHeartbeat: now)
            let directives = [.assign(node)] + beat(&liveness, now)
            state = .linked(liveness)
            return directives
        case .connecting(.waiting, _), .dead(.waiting, _), .linked, .suspect: return []
        }
    }

    mutating func onDialFailed(reason: String, now: Moment) -> [Directive] {
        switch state {
        case .connecting(.dialling, _): state = .connecting(.waiting(until: nextDial(now)), reason: reason)
        // Why it died matters more to people than why it cannot be reached since.
        case .dead(.dialling, let cause): state = .dead(.waiting(until: nextDial(now)), reason: cause)
        case .connecting(.waiting, _), .dead(.waiting, _), .linked, .suspect: break
        }
        return []
    }

    mutating func onLinkClosed(reason: String, now: Moment) -> [Directive] {
        switch state {
        case .linked, .suspect: die(reason, now)
        case .connecting, .dead: []
        }
    }

    private mutating func die(_ reason: String, _ now: Moment) -> [Directive] {
        state = .dead(.waiting(until: nextDial(now)), reason: reason)
        roundTripMicroseconds = []
        loadedBytes = 0
        return [.declareDead(node, reason: reason)]
    }

    private mutating func nextDial(_ now: Moment) -> Moment {
        let wait = Self.backoff(
            Limits.Membership.dialBackoffMilliseconds, Limits.Membership.dialBackoffMillisecondsMax,
            failureCount: dialFailureCount)
        dialFailureCount += 1
        return now.advanced(milliseconds: wait)
    }

    private static func backoff(_ first: Int, _ longest: Int, failureCount: Int) -> Int {
        // Twenty doublings are beyond every limit, and far from the end of the numbers.
        min(first << min(failureCount, 20), longest)
    }

    // MARK: Signs of life

    mutating func onHeartbeatReply(sequence: UInt64, now: Moment) -> [Directive] {
        switch state {
        case .linked(var liveness):
            let isKnown = note(sequence, &liveness, now)
            state = .linked(liveness)
            return isKnown ? onHeard(now: now) : []
        case .suspect(var liveness):
            let isKnown = note(sequence, &liveness, now)
            state = .suspect(liveness)
            return isKnown ? onHeard(now: now) : []
        case .connecting, .dead: return []
        }
    }

    /// Whether the heartbeat was sent on this link and not answered before.
    private mutating func note(_ sequence: UInt64, _ liveness: inout Liveness, _ now: Moment) -> Bool {
        guard let sentAt = liveness.sentAt.removeValue(forKey: sequence) else { return false }
        roundTripMicroseconds.append(now.microseconds(since: sentAt))
        if roundTripMicroseconds.count > Limits.Membership.roundTripsKept { roundTripMicroseconds.removeFirst() }
        return true
    }

    mutating func onHeard(now: Moment) -> [Directive] {
        switch state {
        case .linked(var liveness):
            liveness.lastHeard = max(now, liveness.lastHeard)
            state = .linked(liveness)
            return []
        case .suspect(var liveness):
            liveness.lastHeard = max(now, liveness.lastHeard)
            state = .linked(liveness)
            return isServing(liveness) ? [.declareReady(node)] : []
        case .connecting, .dead: return []
        }
    }

    private func isServing(_ liveness: Liveness) -> Bool {
        switch liveness.duty {
        case .serving: true
        case .loading, .loadFailed: false
        }
    }

    // MARK: Shards

    mutating func onAssignProgress(_ progress: AssignProgress, now: Moment) -> [Directive] {
        let directives = onHeard(now: now)
        guard case .linked(var liveness) = state, !isServing(liveness) else { return directives }
        loadedBytes = progress.bytesLoaded
        shardBytes = progress.bytesTotal
        liveness.duty = progress.isComplete ? .serving : .loading
        state = .linked(liveness)
        guard progress.isComplete else { return directives }
        dialFailureCount = 0
        assignFailureCount = 0
        return directives + [.declareReady(node)]
    }

    mutating func onAssignFailed(reason: String, now: Moment) -> [Directive] {
        let directives = onHeard(now: now)
        guard case .linked(var liveness) = state else { return directives }
        let wait = Self.backoff(
            Limits.Membership.assignBackoffMilliseconds, Limits.Membership.assignBackoffMillisecondsMax,
            failureCount: assignFailureCount)
        assignFailureCount += 1
        liveness.duty = .loadFailed(reason: reason, retryAt: now.advanced(milliseconds: wait))
        state = .linked(liveness)
        return directives
    }

    mutating func onReassigned(now: Moment) -> [Directive] {
        switch state {
        case .linked(var liveness):
            liveness.duty = .loading
            state = .linked(liveness)
            return [.assign(node)]
        case .suspect(var liveness):
            liveness.duty = .loading
            state = .suspect(liveness)
            return [.assign(node)]
        case .connecting, .dead: return []
        }
    }
}
