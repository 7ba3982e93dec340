import Basics
import Synchronization

/// Recycles memory blocks aligned to 64 bytes: fresh large blocks cost a page fault per 4 KiB, on every frame.
///
/// Blocks have sizes that are powers of two. What is kept is bounded; the rest goes back to the system.
final class BufferPool: Sendable {
    /// One for the process: what links send and what they receive is of similar sizes.
    static let shared = BufferPool()

    /// A block that is nobody else's.
    struct Block: @unchecked Sendable {
        let base: UnsafeMutableRawPointer
        let byteCount: Int
    }

    private struct Kept {
        var blocks: [[Block]] = Array(repeating: [], count: 64)
        var byteCount = 0
    }

    private let kept = Mutex(Kept())

    /// A block of at least `byteCount` bytes, with whatever was in it.
    func take(_ byteCount: Int) -> Block {
        let order = Self.order(of: byteCount)
        let recycled = kept.withLock { kept -> Block? in
            guard let block = kept.blocks[order].popLast() else { return nil }
            kept.byteCount -= block.byteCount
            return block
        }
        if let recycled { return recycled }
        return Block(base: .allocate(byteCount: 1 << order, alignment: 64), byteCount: 1 << order)
    }

    /// Gives a block back.
    func give(_ block: Block) {
        let isKept = kept.withLock { kept -> Bool in
            guard kept.byteCount + block.byteCount <= Limits.Transport.recycledBytesMax else { return false }
            kept.byteCount += block.byteCount
            kept.blocks[block.byteCount.trailingZeroBitCount].append(block)
            return true
        }
        if !isKept { block.base.deallocate() }
    }

    /// Blocks are at least 256 bytes.
    private static func order(of byteCount: Int) -> Int {
        max(8, Int.bitWidth - max(byteCount - 1, 0).leadingZeroBitCount)
    }
}
