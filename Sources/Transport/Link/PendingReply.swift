import CLinux
import Synchronization

/// An answer that is on its way.
public final class PendingReply: Sendable {
    /// The request that is answered.
    public let requestID: UInt64
    private let link: Link
    private let event = Event()
    private let outcome = Mutex<Result<ReceivedFrame, TransportError>?>(nil)

    init(requestID: UInt64, link: Link) {
        self.requestID = requestID
        self.link = link
    }

    /// Only the first outcome counts.
    func resolve(_ result: Result<ReceivedFrame, TransportError>) {
        let isFirst = outcome.withLock { outcome -> Bool in
            guard outcome == nil else { return false }
            outcome = result
            return true
        }
        if isFirst { event.signal() }
    }

    /// Whether `wait` would answer at once.
    public var isResolved: Bool { event.isSet }

    /// Waits for the answer. When time runs out the request is forgotten and a later answer is dropped.
    ///
    /// Not on the link's reader thread, which is the one that brings the answer.
    public func wait(timeoutMilliseconds: Int) throws(TransportError) -> ReceivedFrame {
        let start = colony_monotonic_nanoseconds()
        let turns = event.isSet ? nil : link.turns
        if let turns { link.receiveInPlace(of: turns, until: self) }
        defer { turns?.note(waitNanoseconds: colony_monotonic_nanoseconds() - start) }
        if !event.wait(timeoutMilliseconds: max(timeoutMilliseconds, 0)) {
            link.forget(requestID)
            // It may have come between the two lines.
            resolve(.failure(.timedOut(what: "answer from \(link.peerNode)", milliseconds: timeoutMilliseconds)))
        }
        guard let result = outcome.withLock({ $0 }) else {
            throw .linkClosed(reason: "the answer was lost")
        }
        return try result.get()
    }
}
