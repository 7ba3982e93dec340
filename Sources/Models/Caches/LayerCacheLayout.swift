import Basics
public import Kernels

/// What a layer keeps of a sequence from step to step: keys and values of every position, a state that each token
/// changes, both, or nothing.
public struct LayerCacheLayout: Hashable, Sendable {
    /// How keys and values lie in a block of positions; nil if the layer keeps none.
    public let keyValues: KeyValueLayout?
    /// Size of the recurrent state, one per sequence, in bytes; zeros before the first position.
    public let stateBytes: Int

    /// Keeps either, both or nothing.
    public init(keyValues: KeyValueLayout? = nil, stateBytes: Int = 0) {
        precondition(stateBytes >= 0, "a size")
        self.keyValues = keyValues
        self.stateBytes = stateBytes
    }

    /// Keys and values of every position.
    public static func paged(_ layout: KeyValueLayout) -> LayerCacheLayout { LayerCacheLayout(keyValues: layout) }

    /// A state of so many bytes.
    public static func recurrent(byteCount: Int) -> LayerCacheLayout { LayerCacheLayout(stateBytes: byteCount) }

    /// Size of the layer's share of a block of positions, in bytes.
    public var blockBytes: Int { keyValues?.blockBytes ?? 0 }

    /// What the state takes among those of other layers: whole lines of memory.
    var stateStride: Int { (stateBytes + Self.lineBytes - 1) / Self.lineBytes * Self.lineBytes }

    private static let lineBytes = 64
}

extension Sequence<LayerCacheLayout> {
    /// Size of one block of positions, all layers together, in bytes.
    public var blockBytes: Int { reduce(0) { $0 + $1.blockBytes } }

    /// Size of what is kept of one position in all layers, in bytes; recurrent states do not grow.
    public var positionBytes: Int { reduce(0) { $0 + ($1.keyValues?.positionBytes ?? 0) } }

    /// Size of the recurrent states of one sequence in all layers, in bytes.
    public var stateBytes: Int { reduce(0) { $0 + $1.stateStride } }

    /// How large a pool must be for each sequence of so many positions, in bytes; `CachePool` says how it is divided.
    public func byteCount(ofPositions count: Int) -> Int {
        let positions = compactMap(\.keyValues?.blockPositions).first ?? 1
        return (count / positions + 2) * blockBytes + (blockBytes == 0 ? 1 : 2) * stateBytes
    }
}
