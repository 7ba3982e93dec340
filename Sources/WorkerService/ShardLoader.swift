import Basics
import ExpertParallel
import Foundation
import Kernels
import Models
import Synchronization
import Weights
import Wire

/// Reads the shards of an assignment on threads of its own and tells how far it is. Shards that the old table already
/// holds are kept, not read again.
final class ShardLoader: Sendable {
    /// What a load came to.
    enum Outcome: Sendable {
        case failed(Refusal)
        case loaded(ExpertTable)
    }

    private struct Progress {
        var remaining: [ShardID]
        var weights: [ShardID: ExpertWeights]
        var bytesLoaded: UInt64
        var failure: Refusal?
        var isCancelled = false
        var threadsLeft: Int
    }

    private let loader: ExpertLoader
    private let assign: Assign
    private let bytesTotal: UInt64
    private let progress: Mutex<Progress>
    private let onProgress: @Sendable (AssignProgress) -> Void
    private let onEnd: @Sendable (Outcome) -> Void

    /// Checks the assignment against the model and the budget, and starts reading.
    /// - Throws: `Refusal` with the numbers if the shards do not exist or do not fit.
    init(
        _ assign: Assign, loader: ExpertLoader, old: ExpertTable, memoryBudgetBytes: UInt64, threadCount: Int,
        onProgress: @escaping @Sendable (AssignProgress) -> Void, onEnd: @escaping @Sendable (Outcome) -> Void
    ) throws(Refusal) {
        self.loader = loader
        self.assign = assign
        self.onProgress = onProgress
        self.onEnd = onEnd
        let sizes = try Self.sizes(of: assign.shards, loader)
        bytesTotal = sizes.values.reduce(0, +)
        guard bytesTotal <= memoryBudgetBytes else {
            throw Refusal(
                .loadFailed,
                """
                the assignment needs \(bytesTotal) bytes, \(bytesTotal - memoryBudgetBytes) more than this worker's \
                budget of \(memoryBudgetBytes)
                """
            )
        }
        var kept: [ShardID: ExpertWeights] = [:]
        for case .expert(let layer, let expert) in assign.shards {
            kept[.expert(layer: layer, expert: expert)] = old.weights(layer: layer, expert: expert)
        }
        let keptBytes = kept.keys.reduce(UInt64(0)) { $0 + (sizes[$1] ?? 0) }
        let remaining = assign.shards.filter { kept[$0] == nil }
        progress = Mutex(
            Progress(remaining: remaining.reversed(), weights: kept, bytesLoaded: keptBytes, threadsLeft: threadCount))
        for number in 0..<threadCount {
            let thread = Thread { [self] in work() }
            thread.name = "load-\(number)"
            thread.start()
        }
    }

    /// Stops at the next shard; `onEnd` is not called any more.
    func cancel() { progress.withLock { $0.isCancelled = true } }

    private static func sizes(of shards: [ShardID], _ loader: ExpertLoader) throws(Refusal) -> [ShardID: UInt64] {
        if let unknown = shards.first(where: { !loader.contains($0) }) {
            throw Refusal(.loadFailed, "the model has no shard \(unknown)")
        }
        do {
            let wanted = Set(shards)
            let all = try loader.shardSizes().filter { wanted.contains($0.shard) }
            return Dictionary(all.map { ($0.shard, $0.byteCount) }, uniquingKeysWith: { first, _ in first })
        } catch {
            throw Refusal(.loadFailed, error.description)
        }
    }

    private func work() {
        while let shard = nextShard() {
            do {
                let weights = try loader.load(shard)
                report(shard, weights)
            } catch {
                progress.withLock { $0.failure = $0.failure ?? Refusal(.loadFailed, error.description) }
            }
        }
        let outcome = progress.withLock { progress -> Outcome? in
            progress.threadsLeft -= 1
            guard progress.threadsLeft == 0, !progress.isCancelled else { return nil }
            return progress.failure.map(Outcome.failed)
                ?? .loaded(ExpertTable(epoch: assign.epoch, weights: progress.weights))
        }
        if let outcome { onEnd(outcome) }
    }

    private func nextShard() -> ShardID? {
        progress.withLock { progress in
            progress.failure == nil && !progress.isCancelled ? progress.remaining.popLast() : nil
        }
    }

    private func report(_ shard: ShardID, _ weights: ExpertWeights) {
        let loaded = progress.withLock { progress in
            progress.weights[shard] = weights
            progress.bytesLoaded += UInt64(weights.byteCount)
            return progress.bytesLoaded
        }
        onProgress(AssignProgress(bytesLoaded: loaded, bytesTotal: bytesTotal, isComplete: false))
    }
}
