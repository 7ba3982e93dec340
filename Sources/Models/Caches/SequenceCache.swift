import Glibc
import Kernels

/// What the layers keep of one sequence: which blocks of the pool it holds, as one table of pointers per layer, in the
/// form in which the attention kernel reads them; and its recurrent states.
///
/// A state is that after the last computed position, `positionCount`: it cannot go back by itself. `snapshot` keeps it,
/// `restore` brings it back.
///
/// `@unchecked Sendable`: owned by the engine's thread, which is the only one that calls it.
public final class SequenceCache: @unchecked Sendable {
    private let pool: CachePool
    private let tableCapacity: Int
    private let tables: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var blocks: [Int] = []
    private var state: Int?
    /// Positions whose steps are done. Where there are recurrent states it is 0 while a step runs, and after one that
    /// failed: only a step that begins at the first position, or `restore`, makes sense then.
    public private(set) var positionCount = 0

    /// An empty cache that can grow to `positionsMax` positions.
    public init(pool: CachePool, positionsMax: Int) {
        self.pool = pool
        tableCapacity = (positionsMax + pool.blockPositions - 1) / pool.blockPositions
        tables = .allocate(capacity: max(1, tableCapacity * pool.layouts.count))
    }

    deinit {
        release()
        tables.deallocate()
    }

    /// Makes room for positions below `positionCount`.
    /// - Returns: false if the pool has too few free blocks, or no free state; nothing has changed then.
    public func reserve(_ positionCount: Int) -> Bool {
        let needed = (positionCount + pool.blockPositions - 1) / pool.blockPositions
        precondition(needed <= tableCapacity, "a sequence never outgrows its context")
        guard needed - blocks.count <= pool.freeBlockCount else { return false }
        if pool.hasStates, state == nil {
            guard let free = pool.takeState() else { return false }
            state = free
        }
        while blocks.count < needed, let block = pool.takeBlock() {
            for layer in pool.layouts.indices {
                tables[layer * tableCapacity + blocks.count] = pointer(number: blocks.count, block, layer: layer)
            }
            blocks.append(block)
        }
        return true
    }

    /// Where the sequence's block `number`, `block` of the pool, is in `layer`. If the layer keeps the last positions
    /// alone, blocks take each other's places.
    private func pointer(number: Int, _ block: Int, layer: Int) -> UnsafeMutableRawPointer {
        let layout = pool.layouts[layer]
        guard layout.keyValues == nil, let window = layout.window else {
            return pool.pointer(block: block, layer: layer)
        }
        return state(layer: layer) + number % window.blockCount * window.blockStride
    }

    /// Gives everything back: the sequence starts over, if it goes on at all.
    public func release() {
        pool.giveBack(blocks: blocks, state: state)
        blocks = []
        state = nil
        positionCount = 0
    }

    /// Where `position` of `layer` is stored: its block and the place within it.
    func place(of position: Int, layer: Int) -> (block: UnsafeMutableRawPointer, offset: Int) {
        (table(layer: layer)[position / pool.blockPositions], position % pool.blockPositions)
    }

    /// Where key `number` of `layer` is stored, of those that each stand for several positions.
    func place(ofKey number: Int, layer: Int) -> (block: UnsafeMutableRawPointer, offset: Int) {
        let perBlock = layout(layer: layer).blockPositions
        return (table(layer: layer)[number / perBlock], number % perBlock)
    }

    /// How many layers there are.
    var layerCount: Int { pool.layouts.count }

    /// The blocks of `layer` that the sequence holds, in order of position.
    func blockPointers(layer: Int) -> UnsafeBufferPointer<UnsafeMutableRawPointer> {
        UnsafeBufferPointer(start: table(layer: layer), count: blocks.count)
    }

    /// What `layer` keeps.
    func cacheLayout(layer: Int) -> LayerCacheLayout { pool.layouts[layer] }

    /// How keys and values of `layer`, which has some, lie in a block of its `table`.
    func layout(layer: Int) -> KeyValueLayout {
        let layouts = pool.layouts[layer]
        guard let layout = layouts.keyValues ?? layouts.window?.layout else {
            preconditionFailure("layer \(layer) keeps no keys")
        }
        return layout
    }

    /// The blocks of `layer` in order of position; of a layer that keeps the last positions alone, one that is left
    /// behind is the place of a later one.
    func table(layer: Int) -> UnsafePointer<UnsafeMutableRawPointer> {
        UnsafePointer(tables + layer * tableCapacity)
    }

    /// The recurrent state of `layer`, which has one.
    func state(layer: Int) -> UnsafeMutableRawPointer {
        guard let state else { preconditionFailure("room is reserved before a step") }
        return pool.pointer(state: state, layer: layer)
    }

    /// What `layer` keeps in its state beside the keys of the last positions.
    func ownState(layer: Int) -> UnsafeMutablePointer<Float> {
        (state(layer: layer) + pool.layouts[layer].ownStateOffset).assumingMemoryBound(to: Float.self)
    }

    /// A step begins whose first position of this sequence is `position`.
    func begin(at position: Int) {
        guard let state else { return }
        precondition(position == 0 || position == positionCount, "a recurrent state goes on where it stopped")
        if position == 0 { memset(pool.pointer(state: state, layer: 0), 0, pool.stateBytes) }
        positionCount = 0
    }

    /// The step is done; positions below `end` are computed.
    func finish(at end: Int) { positionCount = end }
}

extension SequenceCache {
    /// What a sequence was after some position.
    public struct Snapshot: Sendable {
        /// Positions that were computed.
        public let positionCount: Int
        fileprivate let states: [UInt8]

        /// Size of the copy of the recurrent states, in bytes.
        public var byteCount: Int { states.count }
    }

    /// The sequence as it is between two steps. Keys and values are not copied: those of computed positions never
    /// change; recurrent states are.
    public func snapshot() -> Snapshot {
        guard let state else { return Snapshot(positionCount: positionCount, states: []) }
        let bytes = UnsafeRawBufferPointer(start: pool.pointer(state: state, layer: 0), count: pool.stateBytes)
        return Snapshot(positionCount: positionCount, states: Array(bytes))
    }

    /// Makes the sequence what it was: the next step begins at `snapshot.positionCount`. The cache still has room for
    /// the positions before, and their keys and values in it.
    public func restore(_ snapshot: Snapshot) {
        precondition(
            snapshot.positionCount <= blocks.count * pool.blockPositions, "keys and values of the snapshot are held")
        if let state {
            precondition(snapshot.states.count == pool.stateBytes, "a snapshot of the same model")
            UnsafeMutableRawBufferPointer(start: pool.pointer(state: state, layer: 0), count: pool.stateBytes)
                .copyBytes(from: snapshot.states)
        }
        positionCount = snapshot.positionCount
    }
}
