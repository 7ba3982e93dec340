import Glibc
import Kernels

/// Memory for keys and values: blocks of a fixed number of positions, each holding those positions for all layers.
///
/// ```
/// block b:  | layer 0: K, V | layer 1: K, V | …      one block = `blockPositions` tokens of one sequence
/// ```
/// The memory is reserved whole at the start and occupied page by page as blocks are first used.
///
/// `@unchecked Sendable`: owned by the engine's thread, which is the only one that calls it.
public final class KeyValueBlockPool: @unchecked Sendable {
    /// The layout of each layer's share of a block.
    public let layouts: [KeyValueLayout]
    /// Positions per block.
    public let blockPositions: Int
    /// Blocks in all.
    public let blockCount: Int

    private let base: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let layerOffsets: [Int]
    private var freeBlocks: [Int]

    /// Bytes of one block of these layouts.
    public static func blockBytes(_ layouts: [KeyValueLayout]) -> Int {
        layouts.reduce(0) { $0 + $1.blockBytes }
    }

    /// Reserves `byteCount` bytes (rounded down to whole blocks, at least one).
    /// - Returns: nil if the system does not grant the address space.
    public init?(layouts: [KeyValueLayout], byteCount: Int) {
        precondition(Set(layouts.map(\.blockPositions)).count == 1, "all layers share one block size")
        self.layouts = layouts
        blockPositions = layouts[0].blockPositions
        layerOffsets = layouts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.blockBytes) }
        blockCount = max(1, byteCount / Self.blockBytes(layouts))
        mappedBytes = blockCount * layerOffsets[layouts.count]
        let mapping = mmap(
            nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { return nil }
        base = mapping
        freeBlocks = Array((0..<blockCount).reversed())
    }

    deinit { munmap(base, mappedBytes) }

    /// Blocks that no sequence holds.
    public var freeBlockCount: Int { freeBlocks.count }

    func take() -> Int? { freeBlocks.popLast() }

    func giveBack(_ blocks: [Int]) { freeBlocks.append(contentsOf: blocks.reversed()) }

    func pointer(block: Int, layer: Int) -> UnsafeMutableRawPointer {
        base + block * layerOffsets[layouts.count] + layerOffsets[layer]
    }
}
