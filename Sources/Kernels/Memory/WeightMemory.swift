import Basics
import CLinux
import Glibc
import Synchronization

/// Memory for packed weights, taken from the system in large pieces that may become huge pages.
///
/// `@unchecked Sendable`: the address never changes; whoever made it writes before anybody else reads.
final class WeightMemory: @unchecked Sendable {
    /// What memory is asked of the system.
    struct Kind: Hashable {
        /// The node that it should lie in; nil: wherever it is first written from.
        var node: MemoryNodeID?
        var hasHugePages = true
    }

    let base: UnsafeMutableRawPointer
    private let byteCount: Int
    private let piece: Piece

    private init(base: UnsafeMutableRawPointer, byteCount: Int, piece: Piece) {
        self.base = base
        self.byteCount = byteCount
        self.piece = piece
    }

    /// Gives the whole pages back at once; the rest goes with the last weights of its piece.
    deinit {
        let page = SystemPages.byteCount
        let start = SystemPages.whole(Int(bitPattern: base), unit: page)
        let end = (Int(bitPattern: base) + byteCount) / page * page
        guard end > start, let first = UnsafeMutableRawPointer(bitPattern: start) else { return }
        madvise(first, end - start, MADV_DONTNEED)
    }

    /// `byteCount` bytes at a cache line's start, zero; nil if the system has none.
    static func allocate(byteCount: Int, kind: Kind) -> WeightMemory? {
        let rounded = (byteCount + 63) / 64 * 64
        return current.withLock { pieces in
            if let piece = pieces[kind], let found = piece.take(rounded) {
                return WeightMemory(base: found, byteCount: byteCount, piece: piece)
            }
            let wanted = max(rounded, Limits.Kernels.weightPieceBytes)
            guard let fresh = Piece(byteCount: wanted, kind: kind), let base = fresh.take(rounded) else { return nil }
            // A piece made for one large matrix is full: what the current one has left is of more use.
            if rounded < Limits.Kernels.weightPieceBytes { pieces[kind] = fresh }
            return WeightMemory(base: base, byteCount: byteCount, piece: fresh)
        }
    }

    /// Whether the system was told the node. Where a container may not, who writes first decides.
    var hasPolicy: Bool { piece.hasPolicy }

    /// Bytes, to the nearest page of 2 MiB, that lie in another node than `node`; 0 where the system does not tell.
    func bytesOutside(_ node: MemoryNodeID) -> Int {
        let samples = stride(from: 0, to: byteCount, by: SystemPages.hugeByteCount)
            .map { Optional(UnsafeRawPointer(base + $0)) }
        var nodes = [Int32](repeating: -1, count: samples.count)
        guard !samples.isEmpty, colony_get_memory_nodes(samples, samples.count, &nodes) == 0 else { return 0 }
        let outside = nodes.count { $0 >= 0 && Int($0) != node.value }
        return byteCount / samples.count * outside
    }

    private static let current = Mutex<[Kind: Piece]>([:])

    /// Address space from the system; unmapped when nothing in it is used any more.
    ///
    /// `@unchecked Sendable`: `take` is called under the lock of `current` only, the rest never changes.
    private final class Piece: @unchecked Sendable {
        private let base: UnsafeMutableRawPointer
        private let byteCount: Int
        private var taken = 0
        let hasPolicy: Bool

        init?(byteCount wanted: Int, kind: Kind) {
            byteCount = SystemPages.whole(wanted, unit: SystemPages.hugeByteCount)
            guard let base = SystemPages.reserve(byteCount, protection: PROT_READ | PROT_WRITE) else { return nil }
            self.base = base
            let span = byteCount
            hasPolicy = kind.node.map { colony_prefer_memory_node(base, span, $0.value) == 0 } ?? true
            if kind.hasHugePages { SystemPages.preferHuge(base, span) } else { SystemPages.preferSmall(base, span) }
        }

        deinit { munmap(base, byteCount) }

        /// The next `count` bytes; nil if there are not as many left. Called under the lock.
        func take(_ count: Int) -> UnsafeMutableRawPointer? {
            guard byteCount - taken >= count else { return nil }
            defer { taken += count }
            return base + taken
        }
    }
}
