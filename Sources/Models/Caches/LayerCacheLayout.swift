import Basics
public import Kernels

/// What a layer keeps of a sequence from step to step: keys and values of every position or of every so many, those of
/// the last positions alone, a state that each token changes, several of these, or nothing.
public struct LayerCacheLayout: Hashable, Sendable {
    /// How keys and values lie in a block of positions; nil if the layer keeps none.
    public let keyValues: KeyValueLayout?
    /// Positions that each of these keys and values stands for.
    public let positionsPerKey: Int
    /// The last positions that the layer keeps keys of, at the beginning of the state; nil if it keeps none there.
    public let window: WindowLayout?
    /// Size of the state, one per sequence, in bytes, keys of the last positions included; zeros before the first
    /// position.
    public let stateBytes: Int

    /// Keeps any of these or nothing; `stateBytes` are those beside the window.
    public init(
        keyValues: KeyValueLayout? = nil, positionsPerKey: Int = 1, window: WindowLayout? = nil, stateBytes: Int = 0
    ) {
        precondition(stateBytes >= 0 && positionsPerKey > 0, "a size")
        self.keyValues = keyValues
        self.positionsPerKey = positionsPerKey
        self.window = window
        self.stateBytes = stateBytes + (window?.byteCount ?? 0)
    }

    /// Keys and values of every position.
    public static func paged(_ layout: KeyValueLayout) -> LayerCacheLayout { LayerCacheLayout(keyValues: layout) }

    /// Keys and values of the last positions alone.
    public static func window(_ window: WindowLayout) -> LayerCacheLayout { LayerCacheLayout(window: window) }

    /// A state of so many bytes.
    public static func recurrent(byteCount: Int) -> LayerCacheLayout { LayerCacheLayout(stateBytes: byteCount) }

    /// Where the state begins that is not the window, in bytes.
    var ownStateOffset: Int { window?.byteCount ?? 0 }

    /// Positions of a block; nil if the layer keeps no keys in blocks.
    var blockPositions: Int? { keyValues.map { $0.blockPositions * positionsPerKey } }

    /// Size of the layer's share of a block of positions, in bytes.
    public var blockBytes: Int { keyValues?.blockBytes ?? 0 }

    /// What the state takes among those of other layers: whole lines of memory.
    var stateStride: Int { wholeLines(stateBytes) }
}

/// Memory for the last positions of a sequence, which take each other's places: that of position p is p modulo
/// `positionCount`.
public struct WindowLayout: Hashable, Sendable {
    /// How keys and values lie in one block.
    public let layout: KeyValueLayout
    /// Blocks, one behind the other.
    public let blockCount: Int

    /// So many blocks.
    public init(_ layout: KeyValueLayout, blockCount: Int = 1) {
        precondition(blockCount > 0, "a size")
        self.layout = layout
        self.blockCount = blockCount
    }

    /// As few blocks as hold the last `tokens` positions of each of `rows` neighbouring rows, which are stored before
    /// the first of them is computed.
    public init(_ layout: KeyValueLayout, tokens: Int, rows: Int) {
        // So many positions, wherever in a block they begin.
        let positions = tokens + rows - 1
        self.init(layout, blockCount: (positions + 2 * layout.blockPositions - 2) / layout.blockPositions)
    }

    /// Positions that are kept.
    public var positionCount: Int { blockCount * layout.blockPositions }

    /// Size, in bytes.
    public var byteCount: Int { blockCount * blockStride }

    /// From one block to the next, in bytes.
    var blockStride: Int { wholeLines(layout.blockBytes) }
}

private func wholeLines(_ bytes: Int) -> Int {
    let lineBytes = 64
    return (bytes + lineBytes - 1) / lineBytes * lineBytes
}

extension Sequence<LayerCacheLayout> {
    /// Size of one block of positions, all layers together, in bytes.
    public var blockBytes: Int { reduce(0) { $0 + $1.blockBytes } }

    /// Size of what is kept of one position in all layers, in bytes; states do not grow. Where a layer's key
    /// stands for several positions, the share of one, rounded up in all.
    public var positionBytes: Int {
        let positions = compactMap(\.blockPositions).first ?? 1
        return (blockBytes + positions - 1) / positions
    }

    /// Size of the states of one sequence in all layers, windows included, in bytes.
    public var stateBytes: Int { reduce(0) { $0 + $1.stateStride } }

    /// How large a pool must be for each sequence of so many positions, in bytes; `CachePool` says how it is divided.
    public func byteCount(ofPositions count: Int) -> Int {
        let positions = compactMap(\.blockPositions).first ?? 1
        return (count / positions + 2) * blockBytes + (blockBytes == 0 ? 1 : 2) * stateBytes
    }
}
