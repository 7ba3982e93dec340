import Basics
import Dispatch
import Foundation
import Kernels
import Synchronization
import Weights

/// Reads and packs shards on threads of its own, each thread the next shard that nobody has taken.
public final class ShardReader: Sendable {
    /// What reading came to.
    public enum Outcome: Sendable {
        /// `cancel` was called.
        case cancelled
        /// The first shard that could not be read.
        case failed(WeightsError)
        /// All shards, those that were there before included.
        case finished([ShardID: ExpertWeights])
    }

    private struct Progress {
        var remaining: [ShardID]
        var weights: [ShardID: ExpertWeights]
        var failure: WeightsError?
        var isCancelled = false
        var bytesRead: UInt64 = 0
        var threadsLeft: Int
        var outcome: Outcome?
    }

    private let loader: ExpertLoader
    private let progress: Mutex<Progress>
    private let onShard: @Sendable (_ bytesRead: UInt64) -> Void
    private let onEnd: @Sendable (Outcome) -> Void
    private let ended = DispatchSemaphore(value: 0)

    /// Starts reading `shards`, which the model has; `kept` are there already. After each shard
    /// `onShard` is told how many bytes were read so far, at the end `onEnd` what came of it; both on reading threads.
    public init(
        _ shards: [ShardID], kept: [ShardID: ExpertWeights] = [:], loader: ExpertLoader, threadCount: Int,
        onShard: @escaping @Sendable (_ bytesRead: UInt64) -> Void = { _ in },
        onEnd: @escaping @Sendable (Outcome) -> Void = { _ in }
    ) {
        self.loader = loader
        self.onShard = onShard
        self.onEnd = onEnd
        let remaining = shards.filter { kept[$0] == nil }
        progress = Mutex(Progress(remaining: remaining.reversed(), weights: kept, threadsLeft: max(1, threadCount)))
        for number in 0..<max(1, threadCount) {
            let thread = Thread { [self] in work() }
            thread.name = "load-\(number)"
            thread.start()
        }
    }

    /// Stops at the next shard.
    public func cancel() { progress.withLock { $0.isCancelled = true } }

    /// Waits until all threads have ended; not on one of them.
    public func wait() -> Outcome {
        ended.wait()
        ended.signal()
        return progress.withLock { $0.outcome ?? .cancelled }
    }

    private func work() {
        while let shard = nextShard() {
            do {
                let weights = try loader.load(shard)
                let bytesRead = progress.withLock { progress in
                    progress.weights[shard] = weights
                    progress.bytesRead += UInt64(weights.byteCount)
                    return progress.bytesRead
                }
                onShard(bytesRead)
            } catch {
                progress.withLock { $0.failure = $0.failure ?? error }
            }
        }
        let outcome = progress.withLock { progress -> Outcome? in
            progress.threadsLeft -= 1
            guard progress.threadsLeft == 0 else { return nil }
            progress.outcome = progress.isCancelled ? .cancelled : result(of: progress)
            return progress.outcome
        }
        guard let outcome else { return }
        onEnd(outcome)
        ended.signal()
    }

    private func result(of progress: Progress) -> Outcome {
        progress.failure.map(Outcome.failed) ?? .finished(progress.weights)
    }

    private func nextShard() -> ShardID? {
        progress.withLock { progress in
            progress.failure == nil && !progress.isCancelled ? progress.remaining.popLast() : nil
        }
    }
}
