import Dispatch
import Glibc
import Logging

/// Takes clients off a listening socket, on a queue of its own.
///
/// `source` and `isPaused` are touched on that queue only, which is what makes the class safe to share.
final class Acceptor: @unchecked Sendable {
    let port: UInt16
    private let socket: Socket
    private let logger: Logger
    private let queue = DispatchQueue(label: "http.accept")
    private var source: (any DispatchSourceRead)?
    private var isPaused = false

    init(host: String, port: UInt16, logger: Logger) throws(HTTPError) {
        socket = try Socket.listening(host: host, port: port)
        self.port = socket.port
        self.logger = logger
    }

    /// Begins to hand each client and its address to `serve`.
    func start(_ serve: @escaping @Sendable (Socket, String) -> Void) {
        queue.sync {
            let source = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
            source.setEventHandler { [weak self] in self?.acceptWaiting(serve) }
            // The descriptor must outlive the source that watches it.
            let socket = socket
            source.setCancelHandler { withExtendedLifetime(socket) {} }
            source.activate()
            self.source = source
        }
    }

    /// Takes no more clients; after this call none is being handed over, and new ones are refused by the system.
    func stop() { queue.sync { end() } }

    /// The same without waiting: what a `deinit` may do, which can run on this very queue.
    func stopLater() { queue.async { self.end() } }

    private func end() {
        // A suspended source never runs its cancel handler.
        if isPaused { source?.resume() }
        isPaused = false
        source?.cancel()
        source = nil
        shutdown(socket.descriptor, Int32(SHUT_RDWR))
    }

    private func acceptWaiting(_ serve: (Socket, String) -> Void) {
        for _ in 0..<64 {
            if let (client, address) = socket.accept() {
                serve(client, address)
            } else {
                if errno == EMFILE || errno == ENFILE { pause() }
                return
            }
        }
    }

    /// Out of descriptors: the client that waits would wake this queue again and again, so it has to wait a little.
    private func pause() {
        logger.warning("no descriptor left for a further connection")
        isPaused = true
        source?.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(100)) { [weak self] in
            guard let self, isPaused else { return }
            isPaused = false
            source?.resume()
        }
    }
}
