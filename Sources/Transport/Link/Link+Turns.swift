import CLinux
import Glibc
import Synchronization
import Wire

/// Who receives on a link with busy-polling: its reader thread, or a thread that waits for an answer.
///
/// Handing an answer from one thread to another costs as much as a small round trip itself. So while a thread waits for
/// an answer it receives in place of the reader thread, and looks for data as long as the budget allows; then it sleeps
/// and the reader thread takes over. One thread receives at a time (`receiving`), so one thread spins per link. What
/// such a thread receives and is not an answer that someone waits for it hands to the reader thread, where handlers
/// run.
///
/// While threads come and go with requests the reader thread stays away for a millisecond at a time: otherwise data
/// would wake it each time together with the thread that is receiving. It does so only while no answer is awaited by
/// anyone else, so all that can be late, by that millisecond, is what the other side sends of its own accord.
final class LinkTurns: @unchecked Sendable {
    /// Held by the thread that receives.
    let receiving = Mutex(())
    /// Threads that receive, or want to, in place of the reader thread.
    let callerCount = Atomic<Int>(0)
    let budgetNanoseconds: UInt64
    /// When a thread last received in place of the reader thread.
    private let lastCall = Atomic<UInt64>(0)
    private let isOver = Atomic<Bool>(false)
    private let spinningPays = Atomic<Bool>(true)
    private let handedOver = Mutex<[FrameReader.Outcome]>([])
    private let bell: Int32

    private static let pauseMilliseconds: Int32 = 1

    /// Nil where the system has no descriptor left: then the reader thread alone receives.
    init?(busyPollMicroseconds: Int) {
        bell = colony_bell_open()
        guard bell >= 0 else { return nil }
        budgetNanoseconds = UInt64(busyPollMicroseconds) * 1000
    }

    deinit { if bell >= 0 { _ = Glibc.close(bell) } }

    /// Whether a thread that waits should look for data first: not after a wait that was much longer than the budget.
    var isWorthwhile: Bool {
        !isOver.load(ordering: .acquiring) && spinningPays.load(ordering: .relaxed)
    }

    func note(waitNanoseconds: UInt64) {
        spinningPays.store(waitNanoseconds < budgetNanoseconds * 2, ordering: .relaxed)
    }

    func noteCall() { lastCall.store(colony_monotonic_nanoseconds(), ordering: .releasing) }

    /// Whether threads came and went a moment ago.
    var hasRecentCall: Bool {
        colony_monotonic_nanoseconds() < lastCall.load(ordering: .acquiring) + UInt64(Self.pauseMilliseconds)
            * 1_000_000
    }

    func ring() { colony_bell_ring(bell) }

    func clearBell() { colony_bell_clear(bell) }

    /// Waits for the bell, for a short time.
    func pause() { colony_bell_wait(bell, -1, Self.pauseMilliseconds) }

    /// Waits for the bell or for data.
    func waitUntilReadable(_ socket: Socket) { colony_bell_wait(bell, socket.descriptor, -1) }

    func handOver(_ outcome: FrameReader.Outcome) {
        handedOver.withLock { $0.append(outcome) }
        ring()
    }

    var hasHandedOver: Bool { handedOver.withLock { !$0.isEmpty } }

    func takeHandedOver() -> [FrameReader.Outcome] {
        handedOver.withLock { outcomes in
            defer { outcomes.removeAll() }
            return outcomes
        }
    }

    /// The last act of the reader thread: returns when no thread is receiving or ever will be.
    func excludeCallers() {
        isOver.store(true, ordering: .sequentiallyConsistent)
        receiving._unsafeLock()
        receiving._unsafeUnlock()
    }

    var isClosed: Bool { isOver.load(ordering: .sequentiallyConsistent) }
}

extension Link {
    /// The reader thread's share.
    func takeTurns(_ turns: LinkTurns) throws(TransportError) {
        while true {
            turns.clearBell()
            for outcome in turns.takeHandedOver() { try handle(outcome) }
            if let reason = closeReason { throw reason }
            if turns.callerCount.load(ordering: .acquiring) > 0 || (turns.hasRecentCall && !hasPending) {
                turns.pause()
                continue
            }
            if try !receiveForAWhile(turns) { turns.waitUntilReadable(channel.socket) }
        }
    }

    /// Receives and deals with what comes, then looks for more as long as that pays.
    ///
    /// - Returns: false if the thread should sleep until something comes.
    private func receiveForAWhile(_ turns: LinkTurns) throws(TransportError) -> Bool {
        turns.receiving._unsafeLock()
        defer { turns.receiving._unsafeUnlock() }
        // What was handed over before comes before what is received now.
        guard !turns.hasHandedOver else { return true }
        var start = colony_monotonic_nanoseconds()
        while turns.callerCount.load(ordering: .acquiring) == 0 {
            if let outcome = try reader.poll() {
                try handle(outcome)
                start = colony_monotonic_nanoseconds()
            } else if try !channel.receiveCiphertextIfAvailable() {
                if colony_monotonic_nanoseconds() - start > turns.budgetNanoseconds { return false }
                // Where both ends share a processor the other one gets it.
                colony_yield()
            }
        }
        return true
    }

    /// Receives on the calling thread until a reply is there, or the budget is used up.
    func receiveInPlace(of turns: LinkTurns, until reply: PendingReply) {
        guard turns.isWorthwhile else { return }
        turns.callerCount.add(1, ordering: .acquiringAndReleasing)
        let start = colony_monotonic_nanoseconds()
        while !reply.isResolved, !turns.isClosed, colony_monotonic_nanoseconds() - start < turns.budgetNanoseconds {
            guard turns.receiving._unsafeTryLock() else {
                // The thread that receives now may need this processor to notice that it should stop.
                colony_yield()
                continue
            }
            receiveOnce(turns)
            turns.receiving._unsafeUnlock()
        }
        turns.noteCall()
        turns.callerCount.subtract(1, ordering: .acquiringAndReleasing)
        // Answers that others wait for are the reader thread's again.
        if hasPending { turns.ring() }
    }

    /// Once around, while no other thread receives.
    private func receiveOnce(_ turns: LinkTurns) {
        guard !turns.isClosed else { return }
        do throws(TransportError) {
            // Whoever receives ciphertext also reads what is in it: the reader thread, which waits for the socket,
            // would not learn of it.
            repeat {
                while let outcome = try reader.poll() {
                    if case .frame(let frame) = outcome, deliverIfAwaited(frame) { continue }
                    turns.handOver(outcome)
                }
            } while try channel.receiveCiphertextIfAvailable()
            colony_yield()
        } catch {
            close(error)
        }
    }
}
