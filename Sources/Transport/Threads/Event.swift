import CLinux

/// Something that happens once and that threads may wait for.
///
/// `@unchecked Sendable`: the state is one word that is only touched by the atomic operations of `CLinux`.
final class Event: @unchecked Sendable {
    private let event: UnsafeMutablePointer<colony_event>

    init() {
        event = .allocate(capacity: 1)
        event.initialize(to: colony_event(state: 0))
    }

    deinit { event.deallocate() }

    /// Makes it happen; once is enough, more is harmless.
    func signal() { colony_event_signal(event) }

    /// Whether it has happened.
    var isSet: Bool { colony_event_is_set(event) }

    /// Waits; spins first, for a bounded time. Negative timeout: for ever.
    func wait(spinMicroseconds: Int = 0, timeoutMilliseconds: Int = -1) -> Bool {
        let timeout = timeoutMilliseconds < 0 ? -1 : Int64(timeoutMilliseconds) * 1_000_000
        return colony_event_wait(event, UInt64(spinMicroseconds) * 1000, timeout)
    }
}
