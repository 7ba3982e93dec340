import CLinux

/// A thread of its own for a loop that blocks. Nothing that a thread waits for ever runs on a shared queue.
enum BlockingThread {
    /// Starts a thread that ends when `body` does; nobody joins it, whoever must know when it ends waits for an
    /// `Event`.
    ///
    /// - Parameter name: what tools show, at most 15 characters.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(TransportError) {
        let start = Unmanaged.passRetained(Start(body))
        let outcome = colony_start_thread(name, run, start.toOpaque())
        guard outcome == 0 else {
            start.release()
            throw .systemCall(name: "start thread \(name)", errorNumber: outcome)
        }
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
        guard let argument else { return }
        Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
    }

    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
