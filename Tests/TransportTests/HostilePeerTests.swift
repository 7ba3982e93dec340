import Basics
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// What comes from peers that break the rules: each is answered with a reason or cut off, and nobody else notices.
struct HostilePeerTests {
    private func withCoordinator(
        linkClass: LinkClass = .control, handler: any LinkHandler = SilentHandler(),
        _ body: (RawPeer, LinkListener) throws -> Void
    ) throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker, handler: handler)
        defer { listener.stop() }
        let peer = try RawPeer(port: listener.port)
        try peer.open(
            directory: try cluster.issue("coordinator", .coordinator),
            as: Hello(
                node: NodeID("coordinator"), role: .coordinator, versionMin: 1, versionMax: 1, linkClass: linkClass,
                modelDigest: nil))
        try body(peer, listener)
    }

    /// A header of an echo with some bytes changed.
    private func header(_ changes: (at: Int, to: [UInt8])...) -> [UInt8] {
        var bytes = RawPeer.header(kind: .echo, byteCount: 0, requestID: 7)
        for change in changes { bytes.replaceSubrange(change.at..<change.at + change.to.count, with: change.to) }
        return bytes
    }

    @Test(arguments: [
        (0, [UInt8(0x47), 0x45, 0x54, 0x20], RefusalCode.badMagic, UInt64(0)),
        (4, [9, 0], .versionMismatch, 7),
        (4, [0, 0], .versionMismatch, 7),
        (12, [1, 0, 0, 1], .payloadBeyondLimit, 7),
        (12, [255, 255, 255, 255], .payloadBeyondLimit, 7),
    ])
    func whatCannotBeReadOnEndsTheLink(at: Int, bytes: [UInt8], code: RefusalCode, requestID: UInt64) throws {
        let closing = ClosingHandler()
        try withCoordinator(handler: closing) { peer, listener in
            try peer.sendFrame(header((at, bytes)))
            let answer = try #require(try peer.receiveRefusal())
            #expect(answer.refusal.code == code)
            #expect(answer.header.requestID == requestID)
            #expect(peer.isClosed())
            guard case .protocolViolated = closing.wait() else {
                Issue.record("closed for \(String(describing: closing.wait()))")
                return
            }
        }
    }

    @Test(arguments: [
        (6, [UInt8(0xFF), 0xFF], RefusalCode.unknownKind),
        (6, [0, 0], .unknownKind),
        (8, [2, 0, 0, 0], .reservedNotZero),
        (32, [1, 0, 0, 0], .reservedNotZero),
        (39, [1], .reservedNotZero),
        (6, [16, 0], .malformedPayload),
        (6, [48, 0], .roleNotAllowed),
        (6, [33, 0], .roleNotAllowed),
        (6, [32, 0], .unexpectedKind),
        (6, [1, 0], .unexpectedKind),
        (6, [2, 0], .unexpectedKind),
    ])
    func whatCanBeSkippedIsRefusedAndTheLinkLivesOn(at: Int, bytes: [UInt8], code: RefusalCode) throws {
        let handler = ClosureHandler { link, frame in
            do {
                _ = try frame.decode(Assign.self)
            } catch {
                link.refuse(frame, Refusal(.malformedPayload, "\(error)"))
            }
        }
        try withCoordinator(handler: handler) { peer, listener in
            // With a payload, so that skipping is tried too.
            var refused = header((at, bytes))
            refused[12] = 100
            try peer.sendFrame(refused, Array(repeating: 0x43, count: 100))
            let answer = try #require(try peer.receiveRefusal())
            #expect(answer.refusal.code == code, "\(answer.refusal)")
            try peer.sendFrame(header())
            let echo = try #require(try peer.receiveFrame())
            #expect(echo.header.kind == .echoReply)
            #expect(echo.header.requestID == 7)
            #expect(listener.links.first?.statistics.refusalsSent == 1)
            #expect(listener.links.first?.statistics.framesReceived == 2)
        }
    }

    /// A peer of an older version is no enemy: it gets answers as it knows them.
    @Test func answersHaveTheFormOfTheVersionThatWasAgreedOn() throws {
        let handler = ClosureHandler { link, frame in
            let reply = HeartbeatReply(
                sequence: 5, residentBytes: 1, dispatchCount: 2, computeMicroseconds: 3, expertRowCount: 4)
            FrameReply(to: frame, on: link).send(reply)
        }
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker, handler: handler)
        defer { listener.stop() }
        let directory = try cluster.issue("coordinator", .coordinator)
        for version in ProtocolVersion.supported {
            let peer = try RawPeer(port: listener.port)
            try peer.open(
                directory: directory,
                as: Hello(node: "coordinator", role: .coordinator, versions: 1...version))
            try peer.sendFrame(
                RawPeer.header(kind: .heartbeat, byteCount: 8, requestID: 7), Array(repeating: 0, count: 8))
            let answer = try #require(try peer.receiveFrame())
            #expect(answer.header.version == version)
            let reply = try HeartbeatReply(payload: answer.payload, version: version)
            #expect(reply.computeMicroseconds == 3)
            #expect(reply.expertRowCount == (version >= ProtocolVersion.expertRows ? 4 : nil))
        }
    }

    @Test func answersNobodyWaitsForAreDropped() throws {
        try withCoordinator { peer, listener in
            for number in 1...50 {
                try peer.sendFrame(RawPeer.header(kind: .heartbeatReply, byteCount: 0, requestID: UInt64(number)))
                try peer.sendFrame(RawPeer.header(kind: .refusal, byteCount: 0, requestID: UInt64(number)))
            }
            try peer.sendFrame(header())
            #expect(try peer.receiveFrame()?.header.kind == .echoReply)
            #expect(listener.links.first?.statistics.lateReplies == 100)
        }
    }

    @Test func randomFramesNeverHurt() throws {
        try withCoordinator { peer, listener in
            var random = SystemRandomNumberGenerator()
            for _ in 0..<300 {
                var frame = header()
                // Kinds, flags, request, epoch and reserved at random; the rest leads to the next frame.
                for position in [6, 7, 8, 16, 24, 25, 33] where Bool.random(using: &random) {
                    frame[position] = UInt8.random(in: 0...255, using: &random)
                }
                try peer.sendFrame(frame)
            }
            try peer.sendFrame(header())
            while let answer = try peer.receiveFrame() {
                if answer.header.kind == .echoReply, answer.header.requestID == 7 { break }
            }
            #expect(listener.links.count == 1)
        }
    }

    @Test func garbageInsteadOfTLSIsCutOff() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        for garbage in ["GET / HTTP/1.1\r\n\r\n", String(repeating: "\u{16}\u{3}\u{1}\u{7}", count: 100), "\0"] {
            let peer = try RawPeer(port: listener.port)
            peer.send(Array(garbage.utf8))
            if garbage == "\0" { continue }
            #expect(peer.isClosed())
        }
        #expect(listener.links.isEmpty)
    }

    @Test func aHandshakeThatNeverEndsIsCutOff() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen(
            "worker-1", .worker, options: LinkOptions(handshakeTimeoutMilliseconds: 300))
        defer { listener.stop() }
        let silent = try RawPeer(port: listener.port)
        let slow = try RawPeer(port: listener.port)
        let start = ContinuousClock.now
        // A byte now and then: each is progress, all together are not.
        for byte: UInt8 in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + Array(repeating: 0, count: 200) {
            guard slow.send([byte]), ContinuousClock.now - start < .seconds(15) else { break }
            Waiting.pace(milliseconds: 20)
        }
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(silent.isClosed())
        #expect(slow.isClosed())
    }

    @Test func halfASecureHandshakeIsCutOff() throws {
        // TLS is complete, but hello does not come.
        let cluster = try TestCluster()
        let listener = try cluster.listen(
            "worker-1", .worker, options: LinkOptions(handshakeTimeoutMilliseconds: 300))
        defer { listener.stop() }
        let peer = try RawPeer(port: listener.port)
        try peer.startTLS(directory: try cluster.issue("coordinator", .coordinator))
        try peer.sendPlaintext(Array(RawPeer.header(kind: .hello, byteCount: 100).prefix(20)))
        #expect(try peer.receiveFrame() == nil)
    }

    @Test func manySilentConnectionsDoNotKeepOthersOut() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen(
            "worker-1", .worker, options: LinkOptions(handshakeTimeoutMilliseconds: 500))
        defer { listener.stop() }
        let silent = try (0..<100).map { _ in try RawPeer(port: listener.port) }
        let identity = try cluster.identity("coordinator", .coordinator)
        var link: Link?
        _ = Waiting.until {
            link = try? Link.dial(
                listener.loopback, identity: identity, linkClass: .control, expectedRole: .worker
            ).link
            return link != nil
        }
        let opened = try #require(link)
        #expect(opened.isOpen)
        opened.close(.linkClosed(reason: "test is over"))
        #expect(silent.count == 100)
    }

    @Test(arguments: [
        Hello(node: "other", role: .coordinator), Hello(node: "coordinator", role: .gateway),
        Hello(node: "coordinator", role: .coordinator, versions: 90...99),
        Hello(node: "coordinator", role: .coordinator, versions: 0...0),
    ])
    func introductionsThatLieAreRefused(hello: Hello) throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let peer = try RawPeer(port: listener.port)
        try peer.startTLS(directory: try cluster.issue("coordinator", .coordinator))
        let payload = try hello.payload()
        try peer.sendFrame(RawPeer.header(kind: .hello, byteCount: payload.count), payload)
        let refusal = try #require(try peer.receiveRefusal()).refusal
        #expect(refusal.code == (hello.versionMin == 1 ? .roleNotAllowed : .versionMismatch), "\(refusal)")
        #expect(peer.isClosed())
    }

    @Test func aLinkBeginsWithHello() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let peer = try RawPeer(port: listener.port)
        try peer.startTLS(directory: try cluster.issue("coordinator", .coordinator))
        try peer.sendFrame(RawPeer.header(kind: .echo, byteCount: 0))
        #expect(try peer.receiveRefusal()?.refusal.code == .unexpectedKind)
    }
}

extension Hello {
    fileprivate init(node: String, role: Role, versions: ClosedRange<UInt16> = 1...1) {
        self.init(
            node: NodeID(node), role: role, versionMin: versions.lowerBound, versionMax: versions.upperBound,
            linkClass: .control, modelDigest: nil)
    }
}
