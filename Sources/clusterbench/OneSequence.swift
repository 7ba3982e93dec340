import Kernels
import Models

extension SequenceCache {
    /// The cache of one sequence, in a pool that holds no other.
    static func alone(_ model: Model, positions: Int, format: KeyValueFormat?) throws -> SequenceCache {
        let layouts = model.cacheLayouts(format)
        let byteCount = layouts.byteCount(ofPositions: positions)
        guard let pool = CachePool(layouts: layouts, byteCount: byteCount) else {
            throw MeasurementError("no memory for keys and values: \(byteCount) bytes")
        }
        let cache = SequenceCache(pool: pool, positionsMax: positions)
        guard cache.reserve(positions) else {
            throw MeasurementError("\(byteCount) bytes do not hold \(positions) tokens")
        }
        return cache
    }
}

extension RandomAccessCollection<Float> where Index == Int {
    /// The token with the greatest logit or probability.
    var likeliest: Int? { indices.max { self[$0] < self[$1] } }
}
