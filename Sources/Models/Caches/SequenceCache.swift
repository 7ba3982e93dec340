import Kernels

/// The keys and values of one sequence: which blocks of the pool it holds, as one table of pointers per layer, in the
/// form in which the attention kernel reads them.
///
/// `@unchecked Sendable`: owned by the engine's thread, which is the only one that calls it.
public final class SequenceCache: @unchecked Sendable {
    private let pool: KeyValueBlockPool
    private let tableCapacity: Int
    private let tables: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var blocks: [Int] = []

    /// An empty cache that can grow to `positionsMax` positions.
    public init(pool: KeyValueBlockPool, positionsMax: Int) {
        self.pool = pool
        tableCapacity = (positionsMax + pool.blockPositions - 1) / pool.blockPositions
        tables = .allocate(capacity: max(1, tableCapacity * pool.layouts.count))
    }

    deinit {
        release()
        tables.deallocate()
    }

    /// Makes room for positions below `positionCount`.
    /// - Returns: false if the pool has too few free blocks; nothing has changed then.
    public func reserve(_ positionCount: Int) -> Bool {
        let needed = (positionCount + pool.blockPositions - 1) / pool.blockPositions
        precondition(needed <= tableCapacity, "a sequence never outgrows its context")
        guard needed - blocks.count <= pool.freeBlockCount else { return false }
        while blocks.count < needed, let block = pool.take() {
            for layer in pool.layouts.indices {
                tables[layer * tableCapacity + blocks.count] = pool.pointer(block: block, layer: layer)
            }
            blocks.append(block)
        }
        return true
    }

    /// Gives all blocks back.
    public func release() {
        pool.giveBack(blocks)
        blocks = []
    }

    /// Where `position` of `layer` is stored: its block and the place within it.
    func place(of position: Int, layer: Int) -> (block: UnsafeMutableRawPointer, offset: Int) {
        (table(layer: layer)[position / pool.blockPositions], position % pool.blockPositions)
    }

    /// How keys and values of `layer` lie in a block.
    func layout(layer: Int) -> KeyValueLayout { pool.layouts[layer] }

    /// The blocks of `layer` in order of position.
    func table(layer: Int) -> UnsafePointer<UnsafeMutableRawPointer> {
        UnsafePointer(tables + layer * tableCapacity)
    }
}
