import Basics
import Dispatch
import Logging
import Synchronization

/// A server: HTTP/1.1 and HTTP/2 on one port, in cleartext or over TLS.
///
/// A client chooses HTTP/2 by ALPN over TLS, and by its 24-byte preface in cleartext. Connections are spread over a
/// fixed number of queues; accepting happens on a queue of its own.
public final class HTTPListener: Sendable {
    /// The port that is listened on, also when 0 was asked for.
    public let port: UInt16
    private let acceptor: Acceptor
    private let loops: [EventLoop]
    private let context: ServerContext
    private let makeSecurePipe: (@Sendable () throws(HTTPError) -> any SecurePipe)?
    private let openConnections = DispatchGroup()
    private let nextLoop = Atomic<Int>(0)

    /// Binds and begins to serve. Throws if the address cannot be bound or the TLS files cannot be used.
    public init(configuration: HTTPConfiguration, handler: any HTTPHandler, logger: Logger) throws(HTTPError) {
        if let tls = configuration.tls {
            makeSecurePipe = try TLSPipe.factory(certificatePath: tls.certificatePath, keyPath: tls.keyPath)
        } else {
            makeSecurePipe = nil
        }
        acceptor = try Acceptor(host: configuration.host, port: configuration.port, logger: logger)
        port = acceptor.port
        loops = (0..<configuration.queueCount).map { EventLoop(name: "http.\($0)") }
        context = ServerContext(limits: configuration.limits, handler: handler, logger: logger)
        acceptor.start { [weak self] in self?.serve($0, $1) }
    }

    deinit { acceptor.stopLater() }

    private func serve(_ client: Socket, _ address: String) {
        let count = context.connectionCount.add(1, ordering: .relaxed).newValue
        guard count <= context.limits.connectionsMax else {
            context.connectionCount.subtract(1, ordering: .relaxed)
            context.logger.debug(
                "connection refused: too many", metadata: ["limit": .stringConvertible(context.limits.connectionsMax)])
            return
        }
        let loop = loops[nextLoop.wrappingAdd(1, ordering: .relaxed).oldValue % loops.count]
        let (context, group) = (context, openConnections)
        group.enter()
        loop.queue.async { [makeSecurePipe] in
            do throws(HTTPError) {
                let secure = try makeSecurePipe?()
                let connection = Connection(
                    socket: client, remoteAddress: address, secure: secure, loop: loop, context: context
                ) {
                    context.connectionCount.subtract(1, ordering: .relaxed)
                    group.leave()
                }
                connection.open()
            } catch {
                context.logger.warning("connection refused", metadata: ["reason": .string(error.description)])
                context.connectionCount.subtract(1, ordering: .relaxed)
                group.leave()
            }
        }
    }

    /// The number of open connections.
    public var connectionCount: Int { context.connectionCount.load(ordering: .relaxed) }

    /// Stops: accepts nothing more, tells clients, lets answers under way finish for up to `graceMilliseconds`, closes
    /// everything and returns when that is done. Not to be called from a handler, whose queue it waits for.
    public func stop(graceMilliseconds: Int = Limits.HTTP.stopGraceMilliseconds) {
        acceptor.stop()
        for loop in loops {
            loop.queue.async { for connection in loop.openConnections { connection.shutDown() } }
        }
        if openConnections.wait(timeout: .now() + .milliseconds(graceMilliseconds)) == .success { return }
        for loop in loops {
            loop.queue.async { for connection in loop.openConnections { connection.close() } }
        }
        openConnections.wait()
    }
}
