public import Basics
public import Wire

/// A connection whose two sides know each other.
struct OpenedChannel {
    let channel: SecureChannel
    let node: NodeID
    let role: Role
    let linkClass: LinkClass
    let cipherDescription: String
    let version: UInt16
}

extension Link {
    /// Connects to another process and opens a link: TLS with certificates of the same authority on both sides, then
    /// `Hello` and `Welcome`.
    ///
    /// - Parameters:
    ///   - endpoint: where the other process listens.
    ///   - identity: who this process is.
    ///   - linkClass: what the link is for.
    ///   - modelDigest: the model that this process serves, if it knows.
    ///   - listenAddress: where this process serves clients of its own, `host:port`; empty if it does not.
    ///   - expectedRole: the role that the other side's certificate must have.
    ///   - expectedNode: the name that the other side's certificate must have; nil: any.
    ///   - options: timeouts, busy-polling.
    ///   - handler: gets what is not an answer; nil: requests of the other side are refused.
    /// - Returns: the link, whose reader thread runs already, and the other side's introduction.
    public static func dial(
        _ endpoint: Endpoint, identity: NodeIdentity, linkClass: LinkClass, modelDigest: ModelDigest? = nil,
        listenAddress: String = "", expectedRole: Role, expectedNode: NodeID? = nil,
        options: LinkOptions = LinkOptions(), handler: (any LinkHandler)? = nil
    ) throws(TransportError) -> (link: Link, welcome: Welcome) {
        let descriptor = try Connector.connect(
            endpoint, deadline: Deadline(milliseconds: options.connectTimeoutMilliseconds))
        let socket = Socket(owning: descriptor, sendTimeoutMilliseconds: options.sendTimeoutMilliseconds)
        let channel = try SecureChannel(socket: socket, context: identity.client, options: options)
        let handshake = LinkHandshake(
            channel: channel, deadline: Deadline(milliseconds: options.handshakeTimeoutMilliseconds))
        let hello = Hello(
            node: identity.node, role: identity.role, versionMin: options.versions.lowerBound,
            versionMax: options.versions.upperBound, linkClass: linkClass, modelDigest: modelDigest,
            listenAddress: listenAddress)
        let (opened, welcome) = try handshake.introduce(
            hello, expectedRole: expectedRole, expectedNode: expectedNode)
        let link = Link(opened, handler: handler)
        try BlockingThread.start(name: "link \(link.peerNode)") { link.runReader() }
        return (link, welcome)
    }
}

/// The exchange that opens a link, from both sides.
struct LinkHandshake {
    let channel: SecureChannel
    let deadline: Deadline

    private var address: String { channel.socket.remoteAddress }

    /// The side that dialled: TLS, who is it, `Hello`, `Welcome`.
    func introduce(
        _ hello: Hello, expectedRole: Role, expectedNode: NodeID?
    ) throws(TransportError) -> (OpenedChannel, Welcome) {
        let peer = try authenticate()
        // Before anything is said about this side, the other one must be who was meant.
        guard peer.role == expectedRole else { throw .wrongRole(expected: expectedRole, found: peer.role) }
        if let expectedNode, peer.node != expectedNode {
            throw .wrongNode(expected: expectedNode, found: peer.node)
        }
        try send(hello)
        let frame = try receive(from: peer.role, hello.linkClass)
        if frame.kind == .refusal { throw .refused(try frame.decode(Refusal.self)) }
        guard frame.kind == .welcome else {
            throw .protocolViolated(address: address, reason: "it answered hello with \(frame.kind)")
        }
        let welcome = try frame.decode(Welcome.self)
        try check(node: welcome.node, role: welcome.role, against: peer)
        guard (hello.versionMin...hello.versionMax).contains(welcome.version) else {
            throw .protocolViolated(
                address: address,
                reason: "it chose version \(welcome.version), offered were \(hello.versionMin) to \(hello.versionMax)")
        }
        let opened = OpenedChannel(
            channel: channel, node: peer.node, role: peer.role, linkClass: hello.linkClass,
            cipherDescription: peer.cipher, version: welcome.version)
        return (opened, welcome)
    }

    /// The side that was dialled: TLS, who is it, `Hello`; `decide` says what to answer.
    func receiveIntroduction(
        _ decide: (Hello, NodeID, Role) throws(Refusal) -> (Welcome, any LinkHandler)
    ) throws(TransportError) -> (OpenedChannel, any LinkHandler) {
        let peer = try authenticate()
        // The class is not known yet; hello travels on each.
        let frame = try receive(from: peer.role, .control)
        do {
            guard frame.kind == .hello else {
                throw TransportError.refused(Refusal(.unexpectedKind, "a link begins with hello, not \(frame.kind)"))
            }
            let hello = try frame.decode(Hello.self)
            try check(node: hello.node, role: hello.role, against: peer)
            let (opened, welcome, handler) = try Self.refusing { () throws(Refusal) in
                let version = try ProtocolVersion.negotiate(
                    oldest: hello.versionMin, newest: hello.versionMax, ours: channel.options.versions)
                var (welcome, handler) = try decide(hello, peer.node, peer.role)
                welcome.version = version
                let opened = OpenedChannel(
                    channel: channel, node: peer.node, role: peer.role, linkClass: hello.linkClass,
                    cipherDescription: peer.cipher, version: version)
                return (opened, welcome, handler)
            }
            try send(welcome)
            return (opened, handler)
        } catch let error as TransportError {
            refuse(error)
            throw error
        } catch {
            throw .handshakeFailed(address: address, reason: "\(error)")
        }
    }

    private static func refusing<Value>(_ body: () throws(Refusal) -> Value) throws(TransportError) -> Value {
        do {
            return try body()
        } catch {
            throw .refused(error)
        }
    }

    private func authenticate() throws(TransportError) -> (node: NodeID, role: Role, cipher: String) {
        let peer = try channel.handshake(deadline)
        do {
            let identity = try peer.subject.identity()
            return (identity.node, identity.role, peer.cipher)
        } catch {
            throw .handshakeFailed(address: address, reason: "certificate: \(error.reason)")
        }
    }

    /// What a side says about itself must be what its certificate says.
    private func check(
        node: NodeID, role: Role, against peer: (node: NodeID, role: Role, cipher: String)
    ) throws(TransportError) {
        guard node == peer.node else { throw .wrongNode(expected: node, found: peer.node) }
        guard role == peer.role else { throw .wrongRole(expected: role, found: peer.role) }
    }

    private func send<Message: WireMessage>(_ message: Message) throws(TransportError) {
        let buffer = try FrameBuffer(message)
        let header = FrameHeader(
            version: ProtocolVersion.oldest, kind: Message.kind, flags: .last,
            payloadByteCount: buffer.payloadByteCount)
        try buffer.withFrame(header) { (frame) throws(TransportError) in try channel.send(frame) }
    }

    private func receive(from role: Role, _ linkClass: LinkClass) throws(TransportError) -> ReceivedFrame {
        let outcome: FrameReader.Outcome
        do {
            let reader = FrameReader(channel: channel, sender: role, linkClass: linkClass, counters: nil)
            outcome = try reader.next(deadline)
        } catch {
            throw error.during(handshakeWith: address)
        }
        switch outcome {
        case .frame(let frame): return frame
        case .refused(let refusal, _), .broken(let refusal, _):
            refuse(.refused(refusal))
            throw .protocolViolated(address: address, reason: refusal.message)
        }
    }

    /// Tells the other side why there will be no link, and ends.
    private func refuse(_ error: TransportError) {
        let refusal: Refusal
        switch error {
        case .refused(let reason): refusal = reason
        case .wrongNode, .wrongRole: refusal = Refusal(.roleNotAllowed, error.description)
        case .payloadMalformed: refusal = Refusal(.malformedPayload, error.description)
        default: return
        }
        try? send(refusal)
        channel.closeGracefully(Deadline(milliseconds: Limits.Transport.lingerMilliseconds))
    }
}
