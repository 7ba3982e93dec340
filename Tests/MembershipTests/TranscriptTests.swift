import Basics
import Membership
import Testing
import Wire

/// What happens, line by line: `TIME EVENT`, below it what is to be done, and `→` the states that changed.
struct TranscriptTests {
    @Test func aWorkerComesUpIsMissedAndComesBack() {
        expect(
            """
            0 tick
              dial a
            3 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            4 reply a 1
            50 progress a 10/100
            90 progress a 100/100 complete
              ready a
              → a ready, 1.0 ms
            203 tick
              heartbeat a 2
            205 reply a 2
            403 tick
              heartbeat a 3
            603 tick
              heartbeat a 4
            704 tick
            706 tick
              suspect a after 501 ms
              → a suspect (silent for more than 500 ms), 1.5 ms
            800 reply a 4
              ready a
              → a ready, 2.0 ms
            """, nodes: ["a"])
    }

    @Test func silenceKills() {
        expect(
            """
            0 tick
              dial a
            0 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            0 progress a 5/5 complete
              ready a
              → a ready
            200 tick
              heartbeat a 2
            400 tick
              heartbeat a 3
            600 tick
              suspect a after 600 ms
              heartbeat a 4
              → a suspect (silent for more than 500 ms)
            800 tick
              heartbeat a 5
            1000 tick
              close a: silent for 1000 ms
              dead a: silent for 1000 ms
              → a dead (silent for 1000 ms)
            1001 closed a: because we did
            1099 tick
            1100 tick
              dial a
            1101 dialled a
              assign a
              heartbeat a 6
              → a loading (loading its shards)
            1102 reply a 5
            1103 reply a 6
            """, nodes: ["a"])
    }

    @Test func aClosedLinkIsDeathAtOnceAndOthersLiveOn() {
        expect(
            """
            0 tick
              dial a
              dial b
            1 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            1 dialled b
              assign b
              heartbeat b 1
              → b loading (loading its shards)
            2 progress b 7/7 complete
              ready b
              → b ready
            3 closed a: 127.0.0.2:7001 closed the connection
              dead a: 127.0.0.2:7001 closed the connection
              → a dead (127.0.0.2:7001 closed the connection)
            4 progress a 1/2
            103 tick
              dial a
            104 failed a: Connection refused
            303 tick
              heartbeat b 2
            304 tick
              dial a
            305 failed a: Connection refused
            705 tick
              dial a
              suspect b after 502 ms
              heartbeat b 3
              → b suspect (silent for more than 500 ms)
            """, nodes: ["a", "b"])
    }

    @Test func dialsAreRepeatedForEverAndMoreAndMoreRarely() {
        var membership = Membership(nodes: [NodeID("a")], now: Moment(milliseconds: 0))
        var dialled: [Int] = []
        for time in stride(from: 0, through: 10000, by: 10) {
            let now = Moment(milliseconds: time)
            for directive in membership.onTick(now: now) where directive == .dial(NodeID("a")) {
                dialled.append(time)
                #expect(membership.onDialFailed(NodeID("a"), reason: "no", now: now).isEmpty)
            }
        }
        #expect(dialled == [0, 100, 300, 700, 1500, 3100, 5100, 7100, 9100])
    }

    @Test func loadingThatFailsIsTriedAgain() {
        expect(
            """
            0 tick
              dial a
            0 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            10 load-failed a: tensor x is missing
              → a loading (tensor x is missing)
            150 tick
            300 tick
              heartbeat a 2
            301 reply a 2
            450 tick
            600 tick
              heartbeat a 3
            601 reply a 3
            750 tick
            900 tick
              heartbeat a 4
            901 reply a 4
            1009 tick
            1010 tick
              assign a
              → a loading (loading its shards), 1.0 ms
            1011 progress a 3/3 complete
              ready a
              → a ready, 1.0 ms
            """, nodes: ["a"])
    }

    @Test func ourOwnPauseIsNobodysSilence() {
        expect(
            """
            0 tick
              dial a
            0 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            0 progress a 5/5 complete
              ready a
              → a ready
            5000 tick
              heartbeat a 2
            5100 tick
            5299 tick
              heartbeat a 3
            5301 tick
              suspect a after 501 ms
              → a suspect (silent for more than 500 ms)
            """, nodes: ["a"])
    }

    @Test func newShardsAreLoadedBeforeItIsReadyAgain() {
        expect(
            """
            0 tick
              dial a
            0 dialled a
              assign a
              heartbeat a 1
              → a loading (loading its shards)
            1 progress a 5/5 complete
              ready a
              → a ready
            2 reassigned a
              assign a
              → a loading (loading its shards)
            3 progress a 6/6 complete
              ready a
              → a ready
            """, nodes: ["a"])
    }

    /// Runs the events of a transcript and compares all of it.
    private func expect(_ transcript: String, nodes: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        var printer = TranscriptPrinter(nodes: nodes)
        let events = transcript.split(separator: "\n").filter { !$0.hasPrefix(" ") }
        for event in events { printer.run(String(event)) }
        #expect(printer.text == transcript, "found:\n\(printer.text)", sourceLocation: sourceLocation)
    }
}

/// Runs events given as text, and writes down what comes of them.
struct TranscriptPrinter {
    private var membership: Membership
    private var lines: [String] = []
    private var shown: [NodeID: String] = [:]

    var text: String { lines.joined(separator: "\n") }

    init(nodes: [String]) {
        membership = Membership(nodes: nodes.map { NodeID($0) }, now: Moment(milliseconds: 0))
        for member in membership.members { shown[member.node] = Self.key(member) }
    }

    mutating func run(_ line: String) {
        lines.append(line)
        let words = line.split(separator: " ", maxSplits: 3).map(String.init)
        guard words.count >= 2, let time = Int(words[0]) else { return }
        let now = Moment(milliseconds: time)
        let node = NodeID(words.count > 2 ? words[2].replacing(":", with: "") : "")
        let rest = words.count > 3 ? words[3] : ""
        for directive in apply(words[1], node, rest, now) { lines.append("  " + Self.text(directive)) }
        for member in membership.members where shown[member.node] != Self.key(member) {
            shown[member.node] = Self.key(member)
            let roundTrip = member.roundTripMilliseconds.map { ", \($0) ms" } ?? ""
            lines.append("  → \(Self.key(member))\(roundTrip)")
        }
    }

    private mutating func apply(
        _ event: String, _ node: NodeID, _ rest: String, _ now: Moment
    ) -> [Membership.Directive] {
        switch event {
        case "tick": return membership.onTick(now: now)
        case "dialled": return membership.onDialSucceeded(node, now: now)
        case "failed": return membership.onDialFailed(node, reason: rest, now: now)
        case "closed": return membership.onLinkClosed(node, reason: rest, now: now)
        case "reply": return membership.onHeartbeatReply(node, sequence: UInt64(rest) ?? 0, now: now)
        case "load-failed": return membership.onAssignFailed(node, reason: rest, now: now)
        case "reassigned": return membership.onReassigned(node, now: now)
        case "progress":
            let numbers = rest.split { !$0.isNumber }.compactMap { UInt64($0) }
            let progress = AssignProgress(
                bytesLoaded: numbers[0], bytesTotal: numbers[1], isComplete: rest.hasSuffix("complete"))
            return membership.onAssignProgress(node, progress, now: now)
        default: return []
        }
    }

    private static func key(_ member: Membership.Member) -> String {
        "\(member.node) \(member.state)" + (member.reason.map { " (\($0))" } ?? "")
    }

    private static func text(_ directive: Membership.Directive) -> String {
        switch directive {
        case .assign(let node): "assign \(node)"
        case .closeLink(let node, let reason): "close \(node): \(reason)"
        case .declareDead(let node, let reason): "dead \(node): \(reason)"
        case .declareReady(let node): "ready \(node)"
        case .declareSuspect(let node, let milliseconds): "suspect \(node) after \(milliseconds) ms"
        case .dial(let node): "dial \(node)"
        case .sendHeartbeat(let node, let sequence): "heartbeat \(node) \(sequence)"
        }
    }
}
