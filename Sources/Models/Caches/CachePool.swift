import Basics
import Glibc
import Kernels

/// Memory for what layers keep of sequences: blocks of a fixed number of positions, each with the keys and values of
/// those positions in all layers that have any; and recurrent states, all of a sequence's layers together.
///
/// ```
/// block b:  | layer 3: K, V | layer 7: K, V | …      one block = `blockPositions` tokens of one sequence
/// state s:  | layer 0 | layer 1 | layer 2 | layer 4 | …         one state = one running sequence
/// ```
/// A sequence needs as many blocks as it is long, and one state however long it is. The memory is divided once: states
/// for all sequences that may run, but no more than half of the memory where blocks need some too; blocks get the rest.
/// It is reserved whole at the start and occupied page by page as it is first used.
///
/// `@unchecked Sendable`: owned by the engine's thread, which is the only one that calls it.
public final class CachePool: @unchecked Sendable {
    /// What each layer keeps.
    public let layouts: [LayerCacheLayout]
    /// Positions per block.
    public let blockPositions: Int
    /// Blocks in all.
    public let blockCount: Int
    /// Sequences that can have a cache at a time.
    public let sequenceCount: Int

    private let base: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let blocksOffset: Int
    private let blockOffsets: [Int]
    private let stateOffsets: [Int]
    private var freeBlocks: FreeNumbers
    private var freeStates: FreeNumbers

    /// Reserves about `byteCount` bytes, for up to `sequencesMax` sequences: whole blocks and states, at least one of
    /// each.
    /// - Returns: nil if the system does not grant the address space.
    public init?(layouts: [LayerCacheLayout], byteCount: Int, sequencesMax: Int = 1) {
        let positions = Set(layouts.compactMap(\.blockPositions))
        precondition(positions.count <= 1, "all layers share one block size")
        self.layouts = layouts
        blockPositions = positions.first ?? Limits.Models.keyValueBlockPositions
        blockOffsets = layouts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.blockBytes) }
        stateOffsets = layouts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.stateStride) }
        let (blockBytes, stateBytes) = (layouts.blockBytes, layouts.stateBytes)
        let statesBudget = blockBytes == 0 ? byteCount : byteCount / 2
        sequenceCount = stateBytes == 0 ? sequencesMax : max(1, min(sequencesMax, statesBudget / stateBytes))
        blocksOffset = sequenceCount * stateBytes
        // Blocks without content cost nothing: there are enough for every sequence.
        let blocksPerSequence = (Limits.Models.contextTokensMax + blockPositions - 1) / blockPositions
        blockCount =
            blockBytes == 0
            ? sequenceCount * blocksPerSequence : max(1, (byteCount - blocksOffset) / blockBytes)
        mappedBytes = max(1, blocksOffset + blockCount * blockBytes)
        let mapping = mmap(
            nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { return nil }
        base = mapping
        freeBlocks = FreeNumbers(count: blockCount)
        freeStates = FreeNumbers(count: sequenceCount)
    }

    deinit { munmap(base, mappedBytes) }

    /// Blocks that no sequence holds.
    public var freeBlockCount: Int { freeBlocks.count }

    /// Whether any layer has a recurrent state.
    var hasStates: Bool { stateBytes > 0 }

    /// Size of a sequence's recurrent states, in bytes.
    var stateBytes: Int { stateOffsets[layouts.count] }

    func takeBlock() -> Int? { freeBlocks.take() }

    func takeState() -> Int? { freeStates.take() }

    func giveBack(blocks: [Int], state: Int?) {
        for block in blocks.reversed() { freeBlocks.giveBack(block) }
        if let state { freeStates.giveBack(state) }
    }

    func pointer(block: Int, layer: Int) -> UnsafeMutableRawPointer {
        base + blocksOffset + block * blockOffsets[layouts.count] + blockOffsets[layer]
    }

    func pointer(state: Int, layer: Int) -> UnsafeMutableRawPointer {
        base + state * stateBytes + stateOffsets[layer]
    }
}

/// Numbers from 0 that nobody holds: first those that were given back, the latest first, then those never taken.
private struct FreeNumbers {
    private var untouched: Range<Int>
    private var returned: [Int] = []

    init(count: Int) { untouched = 0..<count }

    var count: Int { untouched.count + returned.count }

    mutating func take() -> Int? { returned.popLast() ?? untouched.popFirst() }

    mutating func giveBack(_ number: Int) { returned.append(number) }
}
