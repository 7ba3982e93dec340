import Foundation
import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into an event that the main thread waits for.
///
/// A signal handler may do next to nothing, so ours writes the signal's number to a pipe; a thread of our own reads it.
/// The first signal ends `wait`. The same signal again ends the process at once, as if it were not caught, in
/// case that stopping in order hangs.
/// (Another signal does not: a Ctrl-C reaches all processes of a terminal, and `clusterctl` then sends SIGTERM to the
/// processes that it started; that must not cut short what the Ctrl-C began.)
public final class SignalWaiter: Sendable {
    private struct State {
        /// What `wait` gives.
        var first: Int32?
        var signals: Set<Int32> = []
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let exitAtRepetition: @Sendable (Int32) -> Void

    /// Starts listening for `signals`, and ignores SIGPIPE (a peer that went away is an error code, not the end). Make
    /// one per process, early. `exitAtRepetition` is there for tests.
    public init(
        signals: [Int32] = [SIGINT, SIGTERM],
        exitAtRepetition: (@Sendable (Int32) -> Void)? = nil
    ) {
        self.exitAtRepetition = exitAtRepetition ?? dieOfSignal
        signal(SIGPIPE, SIG_IGN)
        let readEnd = signalPipe.readEnd
        let thread = Thread { [weak self] in SignalWaiter.readSignals(readEnd) { self?.receive($0) } }
        thread.name = "signals"
        thread.start()
        for number in signals { signal(number, handleSignal) }
    }

    /// Blocks until a signal arrives, or `trigger` is called, and gives its number. Further calls return at once.
    public func wait() -> Int32 {
        arrived.wait()
        arrived.signal()
        return state.withLock { $0.first } ?? SIGTERM
    }

    /// As `wait`, nil if nothing arrived in time.
    public func wait(timeoutMilliseconds: Int) -> Int32? {
        guard arrived.wait(timeout: .now() + .milliseconds(timeoutMilliseconds)) == .success else { return nil }
        arrived.signal()
        return state.withLock { $0.first }
    }

    /// Ends `wait` without a signal: how a service stops itself.
    public func trigger() { receive(SIGTERM, isSignal: false) }

    private func receive(_ number: Int32, isSignal: Bool = true) {
        let (isFirst, isRepeated) = state.withLock { state in
            let isFirst = state.first == nil
            if isFirst { state.first = number }
            return (isFirst, isSignal && !state.signals.insert(number).inserted)
        }
        if isFirst { arrived.signal() }
        if isRepeated { exitAtRepetition(number) }
    }

    private static func readSignals(_ descriptor: Int32, receive: (Int32) -> Void) {
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count == 1 { receive(Int32(byte)) } else if count == 0 || errno != EINTR { return }
        }
    }
}

/// Lets a signal do what it does to programs that do not catch it, so that whoever started us sees what happened.
@Sendable private func dieOfSignal(_ number: Int32) {
    signal(number, SIG_DFL)
    kill(getpid(), number)
}

/// The pipe between handler and thread, made before the first handler is installed, so that the handler only reads it.
private let signalPipe: (readEnd: Int32, writeEnd: Int32) = {
    var ends: [Int32] = [-1, -1]
    // Without a pipe (no descriptors left at the start of the process) signals keep doing nothing.
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // The handler must never block.
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
}()

/// Runs in the middle of anything: it may call nothing but `write`, and has to leave `errno` as it was.
private func handleSignal(_ number: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(signalPipe.writeEnd, &byte, 1)
    errno = saved
}
