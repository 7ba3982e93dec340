import Basics
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// How links fail: with the reason, in time, and with nothing left behind.
struct LinkFailureTests {
    private func dial(
        _ listener: LinkListener, _ identity: NodeIdentity, role: Role = .worker, node: NodeID? = nil
    ) throws {
        let link = try Link.dial(
            listener.loopback, identity: identity, linkClass: .control, expectedRole: role, expectedNode: node
        ).link
        link.close(.linkClosed(reason: "it should not have opened"))
    }

    @Test func aPeerOfAnotherClusterIsTurnedAway() throws {
        let ours = try TestCluster()
        let theirs = try TestCluster()
        let listener = try ours.listen("worker-1", .worker)
        defer { listener.stop() }
        let error = #expect(throws: TransportError.self) {
            try dial(listener, try theirs.identity("coordinator", .coordinator))
        }
        #expect(error?.description.contains("certificate") == true, "\(String(describing: error))")
        #expect(listener.links.isEmpty)
    }

    @Test func theWrongRoleIsTurnedAway() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let identity = try cluster.identity("gateway-1", .gateway)
        let error = #expect(throws: TransportError.self) { try dial(listener, identity, role: .coordinator) }
        #expect(error == .wrongRole(expected: .coordinator, found: .worker))
    }

    @Test func theWrongNodeIsTurnedAway() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let identity = try cluster.identity("coordinator", .coordinator)
        let error = #expect(throws: TransportError.self) { try dial(listener, identity, node: NodeID("worker-2")) }
        #expect(error == .wrongNode(expected: NodeID("worker-2"), found: NodeID("worker-1")))
    }

    @Test func certificatesThatHaveExpiredAreTurnedAway() throws {
        let cluster = try TestCluster()
        let past = CertificateValidity(startSeconds: -7200, endSeconds: -3600)
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let client = #expect(throws: TransportError.self) {
            try dial(listener, try cluster.identity("coordinator", .coordinator, validity: past))
        }
        #expect(client?.description.contains("expired") == true, "\(String(describing: client))")
        let old = try cluster.listen("worker-2", .worker, validity: past)
        defer { old.stop() }
        let server = #expect(throws: TransportError.self) {
            try dial(old, try cluster.identity("gateway-1", .gateway))
        }
        #expect(server?.description.contains("certificate has expired") == true, "\(String(describing: server))")
    }

    @Test func whoeverListensMayRefuse() throws {
        let cluster = try TestCluster()
        let refusal = Refusal(.modelMismatch, "this worker serves 00aa, not 11bb")
        let listener = try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: try cluster.identity("worker-1", .worker),
            logger: .quiet
        ) { (_, _, _) throws(Refusal) in throw refusal }
        defer { listener.stop() }
        let error = #expect(throws: TransportError.self) {
            try dial(listener, try cluster.identity("coordinator", .coordinator))
        }
        #expect(error == .refused(refusal))
    }

    @Test func refusedRequestsFailWithTheRefusal() throws {
        let codes = Mutex(RefusalCode.allCases)
        let pair = try LinkPair(
            worker: ClosureHandler { link, frame in
                if let code = codes.withLock({ $0.popLast() }) { link.refuse(frame, Refusal(code, "because")) }
            })
        defer { pair.stop() }
        let heartbeat = try FrameBuffer(Heartbeat(sequence: 1))
        for code in RefusalCode.allCases.reversed() {
            let error = #expect(throws: TransportError.self) {
                try pair.link.request(kind: .heartbeat, heartbeat, timeoutMilliseconds: LinkPair.patience)
            }
            #expect(error == .refused(Refusal(code, "because")))
        }
        #expect(pair.link.isOpen)
        #expect(pair.link.statistics.refusalsReceived == UInt64(RefusalCode.allCases.count))
    }

    @Test func aRequestThatNobodyAnswersIsRefused() throws {
        let opened = Mutex<Link?>(nil)
        let isOpen = DispatchSemaphore(value: 0)
        let pair = try LinkPair(
            worker: OpeningHandler { link in
                opened.withLock { $0 = link }
                isOpen.signal()
            })
        defer { pair.stop() }
        isOpen.wait()
        let link = try #require(opened.withLock { $0 })
        let error = #expect(throws: TransportError.self) {
            try link.request(
                kind: .heartbeat, try FrameBuffer(Heartbeat(sequence: 1)), timeoutMilliseconds: LinkPair.patience)
        }
        #expect(error == .refused(Refusal(.unexpectedKind, "nobody here answers heartbeat")))
    }

    @Test func tooLargePayloadsAreNotSent() throws {
        let pair = try LinkPair()
        defer { pair.stop() }
        let limit = Limits.Wire.echoPayloadBytesMax
        let error = #expect(throws: TransportError.self) {
            try pair.link.request(
                kind: .echo, FrameBuffer(payloadByteCount: limit + 1), timeoutMilliseconds: LinkPair.patience)
        }
        #expect(error == .payloadBeyondLimit(kind: .echo, byteCount: limit + 1, limit: limit))
        #expect(pair.link.isOpen)
    }

    @Test(arguments: [0, 200]) func everythingOpenFailsWhenThePeerGoes(busyPollMicroseconds: Int) throws {
        let arrived = DispatchSemaphore(value: 0)
        let closing = ClosingHandler()
        let pair = try LinkPair(
            options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds),
            worker: ClosureHandler { _, _ in arrived.signal() }, coordinator: closing)
        defer { pair.stop() }
        let heartbeat = try FrameBuffer(Heartbeat(sequence: 1))
        let streamed = Mutex<[Result<Bool, TransportError>]>([])
        try pair.link.start(kind: .heartbeat, heartbeat) { result in
            streamed.withLock { $0.append(result.map { _ in true }) }
        }
        let reply = try pair.link.begin(kind: .heartbeat, heartbeat)
        arrived.wait()
        arrived.wait()
        pair.listener.stop()
        let error = #expect(throws: TransportError.self) { try reply.wait(timeoutMilliseconds: LinkPair.patience) }
        let address = "127.0.0.1:\(pair.listener.port)"
        #expect(error == .peerClosed(address: address))
        #expect(closing.wait() == .peerClosed(address: address))
        #expect(streamed.withLock { $0 } == [.failure(.peerClosed(address: address))])
        #expect(throws: TransportError.peerClosed(address: address)) {
            try pair.link.begin(kind: .heartbeat, heartbeat)
        }
    }

    @Test(arguments: [0, 200, 1_000_000]) func closingWakesWhoeverWaits(busyPollMicroseconds: Int) throws {
        let pair = try LinkPair(options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds))
        defer { pair.stop() }
        let reply = try pair.link.begin(kind: .heartbeat, try FrameBuffer(Heartbeat(sequence: 1)))
        let reason = TransportError.linkClosed(reason: "enough")
        Thread.detachNewThread { pair.link.close(reason) }
        #expect(throws: reason) { try reply.wait(timeoutMilliseconds: LinkPair.patience) }
        #expect(pair.link.waitUntilClosed(timeoutMilliseconds: LinkPair.patience))
        #expect(pair.link.closeReason == reason)
    }

    @Test func aHandlerMayCloseItsOwnLink() throws {
        let pair = try LinkPair(
            worker: ClosureHandler { link, _ in link.close(.linkClosed(reason: "from within")) })
        defer { pair.stop() }
        let error = #expect(throws: TransportError.self) {
            try pair.link.request(
                kind: .heartbeat, try FrameBuffer(Heartbeat(sequence: 1)), timeoutMilliseconds: LinkPair.patience)
        }
        #expect(error == .peerClosed(address: "127.0.0.1:\(pair.listener.port)"))
    }

    @Test func aPeerThatTakesNothingIsGivenUp() throws {
        let (link, peer) = try stalledPeer(sendTimeoutMilliseconds: 200)
        let echo = FrameBuffer(payloadByteCount: Limits.Wire.echoPayloadBytesMax)
        let start = ContinuousClock.now
        let error = #expect(throws: TransportError.self) {
            for _ in 0..<10 { try link.send(kind: .echo, requestID: 0, echo) }
        }
        #expect(error == .sendStalled(address: link.remoteAddress, milliseconds: 200))
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(link.waitUntilClosed(timeoutMilliseconds: LinkPair.patience))
        withExtendedLifetime(peer) {}
    }

    @Test func closingEndsASendThatIsStuck() throws {
        let (link, peer) = try stalledPeer(sendTimeoutMilliseconds: 60000)
        let echo = FrameBuffer(payloadByteCount: Limits.Wire.echoPayloadBytesMax)
        let reason = TransportError.linkClosed(reason: "enough")
        Thread.detachNewThread {
            Waiting.pace(milliseconds: 100)
            link.close(reason)
        }
        #expect(throws: reason) {
            for _ in 0..<10 { try link.send(kind: .echo, requestID: 0, echo) }
        }
        #expect(link.waitUntilClosed(timeoutMilliseconds: LinkPair.patience))
        withExtendedLifetime(peer) {}
    }

    /// A link to a worker that says welcome and then reads nothing.
    private func stalledPeer(sendTimeoutMilliseconds: Int) throws -> (Link, RawPeer) {
        let cluster = try TestCluster()
        let directory = try cluster.issue("worker-1", .worker)
        let identity = try cluster.identity("coordinator", .coordinator)
        let server = try RawServer()
        let port = server.port
        let dialled = Mutex<Link?>(nil)
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let link = try? Link.dial(
                Endpoint(host: "127.0.0.1", port: port), identity: identity, linkClass: .control,
                expectedRole: .worker, options: LinkOptions(sendTimeoutMilliseconds: sendTimeoutMilliseconds)
            ).link
            dialled.withLock { $0 = link }
            done.signal()
        }
        let peer = try server.accept()
        try peer.startTLS(directory: directory, side: .server)
        _ = try peer.receiveFrame()
        let welcome = try Welcome(node: NodeID("worker-1"), role: .worker, version: 1, modelDigest: nil).payload()
        try peer.sendFrame(RawPeer.header(kind: .welcome, byteCount: welcome.count), welcome)
        done.wait()
        return (try #require(dialled.withLock { $0 }), peer)
    }

    @Test func aPortInUseIsNamed() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        defer { listener.stop() }
        let identity = try cluster.identity("worker-2", .worker)
        let error = #expect(throws: TransportError.self) {
            try LinkListener(endpoint: listener.loopback, identity: identity, logger: .quiet) {
                (_, _, _) throws(Refusal) in throw Refusal(.unavailable, "")
            }
        }
        #expect(error == .addressInUse(address: "127.0.0.1:\(listener.port)"))
    }

    @Test func nobodyListeningIsToldApartFromNoSuchHost() throws {
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker)
        let endpoint = listener.loopback
        listener.stop()
        listener.stop()
        let identity = try cluster.identity("coordinator", .coordinator)
        let error = #expect(throws: TransportError.self) {
            try Link.dial(endpoint, identity: identity, linkClass: .control, expectedRole: .worker)
        }
        #expect(error == .connectFailed(address: endpoint.description, reason: "Connection refused"))
    }

    @Test func aWelcomeThatLiesIsNotBelieved() throws {
        let cluster = try TestCluster()
        let identity = try cluster.identity("coordinator", .coordinator)
        let worker = try cluster.identity("worker-1", .worker)
        let listener = try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: worker, logger: .quiet
        ) { (_, _, _) throws(Refusal) in
            (Welcome(node: NodeID("worker-7"), role: .worker, version: 1, modelDigest: nil), SilentHandler())
        }
        defer { listener.stop() }
        let error = #expect(throws: TransportError.self) { try dial(listener, identity) }
        #expect(error == .wrongNode(expected: NodeID("worker-7"), found: NodeID("worker-1")))
    }
}
