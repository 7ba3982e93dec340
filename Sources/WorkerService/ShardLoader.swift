import Basics
import ExpertParallel
import Kernels
import Models
import Weights
import Wire

/// Loads an assignment: checks it, reads its shards and tells how far it is. Shards that the old table already holds
/// are kept, not read again.
final class ShardLoader: Sendable {
    /// What a load came to.
    enum Outcome: Sendable {
        case failed(Refusal)
        case loaded(ExpertTable)
    }

    private let reader: ShardReader

    /// Checks the assignment against the model and the budget, and starts reading.
    /// - Throws: `Refusal` with the numbers if the shards do not exist or do not fit.
    init(
        _ assign: Assign, loader: ExpertLoader, old: ExpertTable, memoryBudgetBytes: UInt64, threadCount: Int,
        onProgress: @escaping @Sendable (AssignProgress) -> Void, onEnd: @escaping @Sendable (Outcome) -> Void
    ) throws(Refusal) {
        let sizes = try Self.sizes(of: assign.shards, loader)
        let bytesTotal = sizes.values.reduce(0, +)
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
        reader = ShardReader(
            assign.shards, kept: kept, loader: loader, threadCount: threadCount,
            onShard: { bytesRead in
                onProgress(
                    AssignProgress(bytesLoaded: keptBytes + bytesRead, bytesTotal: bytesTotal, isComplete: false))
            },
            onEnd: { outcome in
                switch outcome {
                case .cancelled: break
                case .failed(let error): onEnd(.failed(Refusal(.loadFailed, error.description)))
                case .finished(let weights): onEnd(.loaded(ExpertTable(epoch: assign.epoch, weights: weights)))
                }
            })
    }

    /// Stops at the next shard; `onEnd` is not called any more.
    func cancel() { reader.cancel() }

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
}
