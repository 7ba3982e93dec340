import Basics
import Dispatch
import HTTPServer
public import Logging
import Synchronization
import Transport

/// The gateway: speaks OpenAI's HTTP interface to clients and hands sequences to a backend.
///
/// Threads: the HTTP server's queues only look at the path; a small fixed set of *intake* queues parses, renders and
/// tokenises, another one carries the sessions, so that a long prompt does not make other clients' streams stutter.
public final class Gateway: Sendable {
    private struct State {
        var listener: HTTPListener?
        var isStopped = false
    }

    private let configuration: GatewayConfiguration
    private let logger: Logger
    private let handler: GatewayHandler
    private let backend: any GenerationBackend
    private let timerQueue = DispatchQueue(label: "colony.gateway.timer")
    private let state = Mutex(State())

    /// A gateway in front of `backend`; it serves, and the backend connects, from `start()` on.
    public init(configuration: GatewayConfiguration, backend: any GenerationBackend, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.backend = backend
        handler = GatewayHandler(configuration: configuration, backend: backend, logger: logger)
    }

    /// The port that is listened on; 0 before `start()`.
    public var port: UInt16 { state.withLock { $0.listener?.port ?? 0 } }

    /// Starts to serve; throws if the address cannot be listened on.
    public func start() throws(GatewayError) {
        let listener: HTTPListener
        do {
            listener = try HTTPListener(configuration: configuration.http, handler: handler, logger: logger)
        } catch {
            throw .cannotListen(reason: error.description)
        }
        let address = Endpoint(host: configuration.http.host, port: listener.port).description
        handler.listens(at: address)
        state.withLock { $0.listener = listener }
        // Only now is the port known under which the cluster shows this gateway.
        backend.open(listenAddress: address)
        tick()
        logger.info("listening", metadata: ["address": "\(address)"])
    }

    /// Stops: new requests are refused, those in progress have a moment to end, then everything is closed. Blocks
    /// until that is done.
    public func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        handler.drain(milliseconds: Limits.Gateway.drainMilliseconds)
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        listener?.stop()
        backend.stop()
        logger.info("stopped")
    }

    /// Looks after silent streams every second until the gateway stops.
    private func tick() {
        timerQueue.asyncAfter(deadline: .now() + 1) { [weak self] in
            guard let self, !self.state.withLock({ $0.isStopped }) else { return }
            self.handler.tick()
            self.tick()
        }
    }
}
