import CKernels

/// How one layer's keys and values lie in a block of positions: keys as [kvHead][position / 16][keyDim][16 positions],
/// then values as [kvHead][position][valueDim], then, with `int8`, the scales of the keys and those of the values.
/// Where values lie in the keys there are only keys and their scales. Index keys, if there are any, come last, as keys.
public struct KeyValueLayout: Hashable, Sendable {
    /// Keys of so many positions lie beside each other.
    public static let panelPositions = panelRows
    /// How numbers are stored.
    public let format: KeyValueFormat
    /// Key/value heads.
    public let kvHeadCount: Int
    /// Numbers of a key.
    public let keyDim: Int
    /// Numbers of a value.
    public let valueDim: Int
    /// Positions per block, a multiple of 16.
    public let blockPositions: Int
    /// Whether a value is the first `valueDim` numbers of its key, and not stored again.
    public let hasValuesInKeys: Bool
    /// Numbers of the key by which positions are chosen before they are looked at; 0: there is none.
    public let indexDim: Int

    /// Describes a block; `blockPositions` is a multiple of 16.
    public init(
        format: KeyValueFormat, kvHeadCount: Int, keyDim: Int, valueDim: Int, blockPositions: Int,
        hasValuesInKeys: Bool = false, indexDim: Int = 0
    ) {
        precondition(kvHeadCount > 0 && keyDim > 0 && valueDim > 0)
        precondition(!hasValuesInKeys || valueDim <= keyDim, "a value is part of its key")
        precondition(blockPositions > 0 && blockPositions % panelRows == 0, "a block is whole panels of 16 positions")
        self.format = format
        self.kvHeadCount = kvHeadCount
        self.keyDim = keyDim
        self.valueDim = valueDim
        self.blockPositions = blockPositions
        self.hasValuesInKeys = hasValuesInKeys
        self.indexDim = indexDim
    }

    /// Size of one position, in bytes.
    public var positionBytes: Int { attentionBytes + (indexKeys?.positionBytes ?? 0) }

    /// Size of one position without its index key, in bytes.
    private var attentionBytes: Int {
        hasValuesInKeys
            ? kvHeadCount * (keyDim * format.numberBytes + format.scaleBytes)
            : kvHeadCount * ((keyDim + valueDim) * format.numberBytes + 2 * format.scaleBytes)
    }

    /// How index keys lie, from `indexOffset` on; nil if there are none.
    var indexKeys: KeyValueLayout? {
        guard indexDim > 0 else { return nil }
        return KeyValueLayout(
            format: format, kvHeadCount: 1, keyDim: indexDim, valueDim: indexDim, blockPositions: blockPositions,
            hasValuesInKeys: true)
    }

    /// Where index keys begin in a block, in bytes.
    var indexOffset: Int { blockPositions * attentionBytes }

    /// Size of one block, in bytes.
    public var blockBytes: Int { blockPositions * positionBytes }

    var arguments: colony_key_value_layout {
        colony_key_value_layout(
            positions: blockPositions, kv_heads: kvHeadCount, key_dim: keyDim, value_dim: valueDim,
            values_in_keys: hasValuesInKeys ? 1 : 0)
    }
}

/// What one query row attends to.
///
/// `@unchecked Sendable`: pointers that are only read.
public struct AttentionSpan: @unchecked Sendable {
    /// The blocks of the row's sequence, in order.
    public let blocks: UnsafePointer<UnsafeMutableRawPointer>
    /// The first position that counts; not 0 only under a sliding window.
    public let firstPosition: Int
    /// How many positions there are up to the row's own, included; at least 1.
    public let visiblePositions: Int

    /// Names blocks, which must hold `visiblePositions` positions; those before `firstPosition` weigh nothing.
    public init(
        blocks: UnsafePointer<UnsafeMutableRawPointer>, firstPosition: Int = 0, visiblePositions: Int
    ) {
        precondition(visiblePositions > firstPosition && firstPosition >= 0, "a row sees at least itself")
        self.blocks = blocks
        self.firstPosition = firstPosition
        self.visiblePositions = visiblePositions
    }
}

/// Memory that `attention` works in, a part for each thread; it grows to the longest context and stays. A copy shares
/// the memory: one for each call that runs at a time.
public struct AttentionScratch {
    let scores = GrowingBuffer<Float>()

    /// Empty scratch.
    public init() {}
}

extension Compute {
    /// Writes one position's keys (`keys[row]`, [kvHead][keyDim]) and values (`values[row]`, [kvHead][valueDim]) into
    /// its block at `offset`, the position within the block.
    public func storeKeyValue(
        keys: RowsView, values: RowsView, row: Int, layout: KeyValueLayout, block: UnsafeMutableRawPointer,
        offset: Int
    ) {
        precondition(keys.width == layout.kvHeadCount * layout.keyDim && row < keys.count)
        precondition(!layout.hasValuesInKeys, "the layout has values of their own")
        precondition(values.width == layout.kvHeadCount * layout.valueDim && row < values.count)
        precondition(row >= 0 && offset >= 0 && offset < layout.blockPositions)
        var arguments = layout.arguments
        kernels.storeKeyValue(layout.format)(
            keys.base + row * keys.width, values.base + row * values.width, &arguments, block, offset)
    }

    /// Writes one position's keys (`keys[row]`, [kvHead][keyDim]), in which the values lie, into its block at `offset`.
    public func storeKey(
        keys: RowsView, row: Int, layout: KeyValueLayout, block: UnsafeMutableRawPointer, offset: Int
    ) {
        precondition(layout.hasValuesInKeys, "the layout has no values of their own")
        precondition(keys.width == layout.kvHeadCount * layout.keyDim && row < keys.count)
        precondition(row >= 0 && offset >= 0 && offset < layout.blockPositions)
        var arguments = layout.arguments
        let key = keys.base + row * keys.width
        kernels.storeKeyValue(layout.format)(key, key, &arguments, block, offset)
    }

    /// Writes one position's index key, `keys[row]`, into its block at `offset`.
    public func storeIndexKey(
        keys: RowsView, row: Int, layout: KeyValueLayout, block: UnsafeMutableRawPointer, offset: Int
    ) {
        guard let index = layout.indexKeys else { return precondition(keys.count == 0, "no index keys") }
        storeKey(keys: keys, row: row, layout: index, block: block + layout.indexOffset, offset: offset)
    }

    /// Softmax attention of each query row over its span. Queries: [rows][headCount x keyDim], output:
    /// [rows][headCount x valueDim]; heads `g * h` to `g * h + g - 1` share key/value head `h`, with
    /// `g = headCount / kvHeadCount`. `sinks`, one per query head, are scores that take part in the softmax and have no
    /// value.
    public func attention(
        queries: RowsView, headCount: Int, spans: [AttentionSpan], layout: KeyValueLayout, scale: Float,
        sinks: [Float]? = nil, output: RowsView, scratch: inout AttentionScratch
    ) {
        precondition(headCount > 0 && headCount % layout.kvHeadCount == 0, "query heads divide among key/value heads")
        precondition(queries.count == spans.count && output.count == spans.count, "one span per row")
        precondition(queries.width == headCount * layout.keyDim && output.width == headCount * layout.valueDim)
        precondition(sinks.map { $0.count == headCount } ?? true, "one sink per query head")
        func run(sinks: UnsafePointer<Float>?) {
            AttentionRun(
                compute: self, queries: queries, group: headCount / layout.kvHeadCount, spans: spans, layout: layout,
                scale: scale, sinks: sinks, output: output
            ).run(scratch)
        }
        guard let sinks else { return run(sinks: nil) }
        sinks.withUnsafeBufferPointer { run(sinks: $0.baseAddress) }
    }
}
