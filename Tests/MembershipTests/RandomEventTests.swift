import Basics
import Membership
import Testing
import Wire

/// Random events in random order: whatever happens, the promises hold.
struct RandomEventTests {
    @Test(arguments: 0..<100) func thePromisesHold(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var world = World()
        for _ in 0..<1000 { world.step(&random) }
        world.finish()
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
    }
}

/// A coordinator's surroundings that keep book of what they were told.
private struct World {
    private let nodes = [NodeID("a"), NodeID("b"), NodeID("c")]
    private var membership: Membership
    private var time = 0
    private var isDialling: Set<NodeID> = []
    private var hasLink: Set<NodeID> = []
    private var isReady: Set<NodeID> = []
    private var lastSequence: [NodeID: UInt64] = [:]
    private var deadTime: [NodeID: Int] = [:]
    var violations: [String] = []

    init() {
        membership = Membership(nodes: nodes, now: Moment(milliseconds: 0))
    }

    mutating func step(_ random: inout SeededRandom) {
        time += Int.random(in: 0...120, using: &random)
        let now = Moment(milliseconds: time)
        let node = nodes.randomElement(using: &random) ?? nodes[0]
        switch Int.random(in: 0..<12, using: &random) {
        case 0 where isDialling.contains(node):
            isDialling.remove(node)
            hasLink.insert(node)
            obey(membership.onDialSucceeded(node, now: now))
        case 1 where isDialling.contains(node):
            isDialling.remove(node)
            obey(membership.onDialFailed(node, reason: "refused", now: now))
        case 2: closeLink(node)
        case 3, 4, 5:
            let sequence = UInt64.random(in: 0...(lastSequence[node] ?? 0) + 1, using: &random)
            obey(membership.onHeartbeatReply(node, sequence: sequence, now: now))
        case 6:
            let progress = AssignProgress(bytesLoaded: 1, bytesTotal: 2, isComplete: Bool.random(using: &random))
            obey(membership.onAssignProgress(node, progress, now: now))
        case 7: obey(membership.onAssignFailed(node, reason: "missing", now: now))
        case 8: obey(membership.onReassigned(node, now: now))
        default: obey(membership.onTick(now: now))
        }
        check()
    }

    /// Left alone, everyone without a link is dialled within the longest wait; who falls silent is dead after a second.
    mutating func finish() {
        for _ in 0..<80 {
            time += 50
            obey(membership.onTick(now: Moment(milliseconds: time)))
            check()
        }
        for node in nodes where !hasLink.contains(node) && !isDialling.contains(node) {
            violations.append("\(node) is not dialled any more")
        }
    }

    private mutating func closeLink(_ node: NodeID) {
        hasLink.remove(node)
        obey(membership.onLinkClosed(node, reason: "closed", now: Moment(milliseconds: time)))
    }

    private mutating func obey(_ directives: [Membership.Directive]) {
        for directive in directives {
            switch directive {
            case .dial(let node):
                if isDialling.contains(node) || hasLink.contains(node) { violations.append("\(node) dialled twice") }
                isDialling.insert(node)
            case .closeLink(let node, _):
                if !hasLink.contains(node) { violations.append("\(node) has no link to close") }
                hasLink.remove(node)
            case .assign(let node), .declareSuspect(let node, _):
                if !hasLink.contains(node) { violations.append("\(directive) without a link") }
            case .sendHeartbeat(let node, let sequence):
                if !hasLink.contains(node) { violations.append("heartbeat to \(node) without a link") }
                if sequence <= lastSequence[node] ?? 0 { violations.append("sequence \(sequence) again") }
                lastSequence[node] = sequence
            case .declareReady(let node):
                if !hasLink.contains(node) { violations.append("\(node) ready without a link") }
                isReady.insert(node)
            case .declareDead(let node, _):
                isReady.remove(node)
                deadTime[node] = time
            }
        }
    }

    private mutating func check() {
        for member in membership.members {
            let isLinked = hasLink.contains(member.node)
            switch member.state {
            case .connecting, .dead:
                if isLinked { violations.append("\(member.node) is \(member.state) with a link") }
            case .loading, .ready, .suspect:
                if !isLinked { violations.append("\(member.node) is \(member.state) without a link") }
            }
            if member.state == .ready, !isReady.contains(member.node) {
                violations.append("\(member.node) is ready and nobody was told")
            }
            if (member.reason == nil) != (member.state == .ready) {
                violations.append("\(member.node) is \(member.state) for \(member.reason ?? "no reason")")
            }
        }
    }
}

/// Random numbers that are the same on every run.
private struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        // Xorshift: enough for choosing among events.
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
