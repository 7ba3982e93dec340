public import Basics
import Glibc
public import Logging
import Synchronization
public import Wire

/// Listens for links. Each connection has a thread of its own from the moment it is accepted: it does the handshake,
/// within a time, and then becomes the link's reader thread. One slow or malicious client costs nobody else anything.
public final class LinkListener: Sendable {
    /// Who decides about a link. Gets the other side's introduction and what its certificate says (they agree); answers
    /// with the introduction of this side (its `version` is filled in) and the link's handler, or refuses.
    public typealias Accept = @Sendable (Hello, NodeID, Role) throws(Refusal) -> (Welcome, any LinkHandler)

    /// The port that it listens on, also where the system chose it.
    public let port: UInt16
    /// What it was asked to listen on, with the port in use.
    public let endpoint: Endpoint

    private let descriptor: Int32
    private let identity: NodeIdentity
    private let options: LinkOptions
    private let logger: Logger
    private let accept: Accept
    private let finished = Event()
    private let state = Mutex(State())

    private struct State {
        var isStopping = false
        var nextConnection = 0
        var handshakes: [Int: Socket] = [:]
        var links: [Int: Link] = [:]
        /// Threads that have not ended, the one that accepts included.
        var threadCount = 1
    }

    /// Listens from now on, until `stop`.
    public init(
        endpoint: Endpoint, identity: NodeIdentity, options: LinkOptions = LinkOptions(), logger: Logger,
        accept: @escaping Accept
    ) throws(TransportError) {
        descriptor = try Self.listen(endpoint)
        port = SocketAddress.localPort(descriptor)
        self.endpoint = Endpoint(host: endpoint.host, port: port)
        self.identity = identity
        self.options = options
        self.logger = logger
        self.accept = accept
        do {
            try BlockingThread.start(name: "accept \(port)") { [self] in acceptConnections() }
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
    }

    /// Links that are open now.
    public var links: [Link] { state.withLock { Array($0.links.values) } }

    /// Stops listening, closes all links and returns when their threads have told everyone. Not from within a handler.
    public func stop() {
        let ended = state.withLock { state -> (sockets: [Socket], links: [Link])? in
            guard !state.isStopping else { return nil }
            state.isStopping = true
            // Wakes the thread that accepts; it closes the descriptor itself, but not before this lock is free.
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
            return (Array(state.handshakes.values), Array(state.links.values))
        }
        for socket in ended?.sockets ?? [] { socket.shutdown() }
        for link in ended?.links ?? [] { link.close(.linkClosed(reason: "\(identity.node) is stopping")) }
        _ = finished.wait()
    }

    private static func listen(_ endpoint: Endpoint) throws(TransportError) -> Int32 {
        try SocketAddress.withAddresses(of: endpoint, isPassive: true) { (addresses) throws(TransportError) -> Int32 in
            guard let address = addresses.first else {
                throw .addressUnusable(address: endpoint.description, reason: "it has no address")
            }
            let descriptor = try SocketAddress.makeSocket(address)
            Socket.set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            guard bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0,
                Glibc.listen(descriptor, 128) == 0
            else {
                let errorNumber = errno
                _ = Glibc.close(descriptor)
                guard errorNumber != EADDRINUSE else { throw .addressInUse(address: endpoint.description) }
                throw .addressUnusable(
                    address: endpoint.description, reason: SystemError.text(of: errorNumber))
            }
            return descriptor
        }
    }

    private func acceptConnections() {
        while !state.withLock({ $0.isStopping }) {
            let connection = Glibc.accept(descriptor, nil, nil)
            if connection >= 0 {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                admit(Socket(owning: connection, sendTimeoutMilliseconds: options.sendTimeoutMilliseconds))
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case let errorNumber:
                guard !state.withLock({ $0.isStopping }) else { continue }
                logger.warning("cannot accept on \(endpoint): \(SystemError.text(of: errorNumber))")
                // Out of descriptors, most likely: others have to end first.
                _ = poll(nil, 0, 50)
            }
        }
        _ = Glibc.close(descriptor)
        threadEnds()
    }

    private func admit(_ socket: Socket) {
        let number = state.withLock { state -> Int? in
            guard !state.isStopping, state.handshakes.count < Limits.Transport.pendingHandshakesMax,
                state.links.count < Limits.Transport.linksMax
            else { return nil }
            state.nextConnection += 1
            state.handshakes[state.nextConnection] = socket
            state.threadCount += 1
            return state.nextConnection
        }
        guard let number else {
            logger.warning("turned \(socket.remoteAddress) away: too many connections on \(endpoint)")
            return
        }
        do {
            try BlockingThread.start(name: "link \(port)") { [self] in serve(number, socket) }
        } catch {
            logger.warning("turned \(socket.remoteAddress) away: \(error)")
            state.withLock { _ = $0.handshakes.removeValue(forKey: number) }
            threadEnds()
        }
    }

    private func serve(_ number: Int, _ socket: Socket) {
        do {
            let channel = try SecureChannel(socket: socket, context: identity.server, options: options)
            let handshake = LinkHandshake(
                channel: channel, deadline: Deadline(milliseconds: options.handshakeTimeoutMilliseconds))
            let (opened, handler) = try handshake.receiveIntroduction(accept)
            let link = Link(opened, handler: handler)
            let isStopping = state.withLock { state in
                state.handshakes[number] = nil
                state.links[number] = link
                return state.isStopping
            }
            if isStopping { link.close(.linkClosed(reason: "\(identity.node) is stopping")) }
            logger.debug("\(link.linkClass) link with \(link.peerNode) (\(link.peerRole)) at \(link.remoteAddress)")
            link.runReader()
            logger.debug("link with \(link.peerNode) ended: \(link.closeReason?.description ?? "")")
        } catch {
            logger.warning("no link with \(socket.remoteAddress): \(error)")
        }
        state.withLock { state in
            state.handshakes[number] = nil
            state.links[number] = nil
        }
        threadEnds()
    }

    private func threadEnds() {
        let isLast = state.withLock { state -> Bool in
            state.threadCount -= 1
            return state.threadCount == 0
        }
        if isLast { finished.signal() }
    }
}
