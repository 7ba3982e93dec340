import Basics
import Dispatch
import Foundation
import Glibc
import Kernels
import Synchronization

/// The packed weights of one model on their way between the cache and this process.
final class PackedWeights: Sendable {
    private struct State {
        var usedFiles: Set<String> = []
        /// Packed here and not written yet.
        var pending: [PendingMatrix] = []
        var cachedBytes: UInt64 = 0
        var packedBytes: UInt64 = 0
    }

    /// Weak: a load that is given up gives its memory back.
    private struct PendingMatrix {
        let key: PackedKey
        weak var matrix: PackedMatrix?
    }

    private let cache: WeightCache
    private let digest: ModelDigest
    private let placement: WeightPlacement
    private let places: [PackedKey: (file: PackedFile, position: Int)]
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    init(cache: WeightCache, digest: ModelDigest, placement: WeightPlacement) {
        self.cache = cache
        self.placement = placement
        self.digest = digest
        var places: [PackedKey: (file: PackedFile, position: Int)] = [:]
        for file in cache.files(of: digest) {
            for (key, position) in file.positions { places[key] = (file, position) }
        }
        self.places = places
    }

    /// The matrix as it was packed at an earlier start; nil if it was not, or cannot be had.
    func matrix(_ key: PackedKey, columnOrder: [Int32]?) -> PackedMatrix? {
        guard let place = places[key] else { return nil }
        guard let matrix = try? place.file.matrix(key, at: place.position, columnOrder, placement) else {
            cache.onEvent(.refused(reason: "\(place.file.path) cannot be read"))
            return nil
        }
        state.withLock { state in
            if state.usedFiles.insert(place.file.path).inserted { place.file.markUsed() }
            state.cachedBytes += UInt64(matrix.byteCount)
        }
        return matrix
    }

    /// Notes a matrix that was packed just now, for `keep`.
    func add(_ key: PackedKey, _ matrix: PackedMatrix) {
        state.withLock { state in
            state.pending.append(PendingMatrix(key: key, matrix: matrix))
            state.packedBytes += UInt64(matrix.byteCount)
        }
    }

    /// Tells what the weights came from, and writes those that were packed, on a thread of its own that others go
    /// before. `waits`: returns when they are written.
    func keep(waits: Bool) {
        let (pending, event) = state.withLock { state in
            let event = WeightCacheEvent.loaded(
                cachedBytes: state.cachedBytes, packedBytes: state.packedBytes,
                seconds: (ContinuousClock.now - start) / .seconds(1))
            defer {
                state.pending = []
                (state.cachedBytes, state.packedBytes) = (0, 0)
            }
            let alive = state.pending.compactMap { pending in pending.matrix.map { (key: pending.key, matrix: $0) } }
            return (alive, event)
        }
        cache.onEvent(event)
        let byteCount = pending.reduce(0) { $0 + UInt64($1.matrix.byteCount) }
        guard byteCount >= cache.worthBytes, pending.count <= Limits.Weights.cacheEntriesMax else { return }
        if waits { return write(pending, byteCount: byteCount) }
        let thread = Thread { [self] in
            setpriority(Int32(PRIO_PROCESS.rawValue), 0, 19)  // On Linux that of the calling thread.
            write(pending, byteCount: byteCount)
        }
        thread.name = "weight-cache"
        thread.start()
    }

    private func write(_ matrices: [(key: PackedKey, matrix: PackedMatrix)], byteCount: UInt64) {
        guard let path = cache.makeRoom(for: digest, byteCount: byteCount) else { return }
        let start = ContinuousClock.now
        do throws(WeightsError) {
            try PackedFileWriter(path).write(matrices, digest: digest)
        } catch {
            return cache.onEvent(.refused(reason: error.description))
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        cache.onEvent(.written(path: path, byteCount: byteCount, seconds: seconds))
    }
}
