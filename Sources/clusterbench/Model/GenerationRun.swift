import Basics
import Dispatch
import Engine
import Synchronization
import Wire

/// Watches sequences that were started together.
final class GenerationRun: Sendable {
    /// When what had happened, in seconds since the start.
    struct Times {
        /// When every sequence had its first token.
        var untilAllBegan = 0.0
        /// When the last sequence ended.
        var untilAllEnded = 0.0
        /// Tokens that all sequences together generated after each had its first.
        var tokensAfterAllBegan = 0
    }

    private struct State {
        var times = Times()
        var hasBegun: [Bool]
        var endedCount = 0
        var failure: Refusal?

        var allBegan: Bool { !hasBegun.contains(false) }
    }

    private let start = ContinuousClock.now
    private let state: Mutex<State>
    private let ended = DispatchSemaphore(value: 0)

    /// Expects events of `sequences` sequences.
    init(sequences: Int) { state = Mutex(State(hasBegun: Array(repeating: false, count: sequences))) }

    /// An event of sequence `number`.
    func take(_ event: GenerationEvent, from number: Int) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let isOver = state.withLock { state in
            switch event {
            case .failed(let refusal):
                state.failure = refusal
                state.hasBegun[number] = true
                state.endedCount += 1
            case .progress(let news):
                if state.allBegan { state.times.tokensAfterAllBegan += news.tokens.count }
                if !news.tokens.isEmpty, !state.hasBegun[number] {
                    state.hasBegun[number] = true
                    if state.allBegan { state.times.untilAllBegan = seconds }
                }
                if news.finish != nil { state.endedCount += 1 }
            }
            state.times.untilAllEnded = seconds
            return state.endedCount == state.hasBegun.count
        }
        if isOver { ended.signal() }
    }

    /// Waits for all sequences.
    func wait() throws -> Times {
        ended.wait()
        let (times, failure) = state.withLock { ($0.times, $0.failure) }
        if let failure { throw MeasurementError("the engine refused: \(failure.message)") }
        return times
    }
}
