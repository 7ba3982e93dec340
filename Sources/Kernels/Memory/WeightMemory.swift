import Basics
import Glibc
import Synchronization

/// Memory for packed weights, taken from the system in large pieces that may become huge pages.
///
/// `@unchecked Sendable`: the address never changes; whoever made it writes before anybody else reads.
final class WeightMemory: @unchecked Sendable {
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
    static func allocate(byteCount: Int) -> WeightMemory? {
        let rounded = (byteCount + 63) / 64 * 64
        return current.withLock { piece in
            if let found = piece?.take(rounded) {
                return piece.map { WeightMemory(base: found, byteCount: byteCount, piece: $0) }
            }
            guard let fresh = Piece(byteCount: max(rounded, Limits.Kernels.weightPieceBytes)) else { return nil }
            guard let base = fresh.take(rounded) else { return nil }
            // A piece made for one large matrix is full: what the current one has left is of more use.
            if rounded < Limits.Kernels.weightPieceBytes { piece = fresh }
            return WeightMemory(base: base, byteCount: byteCount, piece: fresh)
        }
    }

    private static let current = Mutex<Piece?>(nil)

    /// Address space from the system; unmapped when nothing in it is used any more.
    ///
    /// `@unchecked Sendable`: `take` is called under the lock of `current` only, the rest never changes.
    private final class Piece: @unchecked Sendable {
        private let base: UnsafeMutableRawPointer
        private let byteCount: Int
        private var taken = 0

        init?(byteCount wanted: Int) {
            byteCount = SystemPages.whole(wanted, unit: SystemPages.hugeByteCount)
            guard let base = SystemPages.reserve(byteCount, protection: PROT_READ | PROT_WRITE) else { return nil }
            self.base = base
            SystemPages.preferHuge(base, byteCount)
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
