import CKernels

/// How one layer's keys and values lie in a block of positions, f32: keys as [kvHead][position / 16][keyDim][16
/// positions], then values as [kvHead][position][valueDim].
public struct KeyValueLayout: Hashable, Sendable {
    /// Key/value heads.
    public let kvHeadCount: Int
    /// Floats of a key.
    public let keyDim: Int
    /// Floats of a value.
    public let valueDim: Int
    /// Positions per block, a multiple of 16.
    public let blockPositions: Int

    /// Describes a block; `blockPositions` is a multiple of 16.
    public init(kvHeadCount: Int, keyDim: Int, valueDim: Int, blockPositions: Int) {
        precondition(kvHeadCount > 0 && keyDim > 0 && valueDim > 0)
        precondition(blockPositions > 0 && blockPositions % panelRows == 0, "a block is whole panels of 16 positions")
        self.kvHeadCount = kvHeadCount
        self.keyDim = keyDim
        self.valueDim = valueDim
        self.blockPositions = blockPositions
    }

    /// Floats of one block.
    public var blockFloatCount: Int { kvHeadCount * blockPositions * (keyDim + valueDim) }
}

/// What one query row attends to.
///
/// `@unchecked Sendable`: pointers that are only read.
public struct AttentionSpan: @unchecked Sendable {
    /// The blocks of the row's sequence, in order.
    public let blocks: UnsafePointer<UnsafeMutablePointer<Float>>
    /// The first position that counts; not 0 only under a sliding window.
    public let firstPosition: Int
    /// How many positions there are up to the row's own, included; at least 1.
    public let visiblePositions: Int

    /// Names blocks, which must hold `visiblePositions` positions; those before `firstPosition` weigh nothing.
    public init(
        blocks: UnsafePointer<UnsafeMutablePointer<Float>>, firstPosition: Int = 0, visiblePositions: Int
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
    fileprivate let scores = GrowingBuffer<Float>()

    /// Empty scratch.
    public init() {}
}

extension Compute {
    /// Writes one position's keys (`keys[row]`, [kvHead][keyDim]) and values (`values[row]`, [kvHead][valueDim]) into
    /// its block at `offset`, the position within the block.
    public func storeKeyValue(
        keys: RowsView, values: RowsView, row: Int, layout: KeyValueLayout, block: UnsafeMutablePointer<Float>,
        offset: Int
    ) {
        precondition(keys.width == layout.kvHeadCount * layout.keyDim && row < keys.count)
        precondition(values.width == layout.kvHeadCount * layout.valueDim && row < values.count)
        precondition(row >= 0 && offset >= 0 && offset < layout.blockPositions)
        colony_store_key_value(
            keys.base + row * keys.width, values.base + row * values.width, block, offset, layout.blockPositions,
            layout.kvHeadCount, layout.keyDim, layout.valueDim)
    }

    /// Softmax attention of each query row over its span. Queries: [rows][headCount x keyDim], output:
    /// [rows][headCount x valueDim]; heads `g * h` to `g * h + g - 1` share key/value head `h`, with
    /// `g = headCount / kvHeadCount`.
    public func attention(
        queries: RowsView, headCount: Int, spans: [AttentionSpan], layout: KeyValueLayout, scale: Float,
        output: RowsView, scratch: inout AttentionScratch
    ) {
        precondition(headCount > 0 && headCount % layout.kvHeadCount == 0, "query heads divide among key/value heads")
        precondition(queries.count == spans.count && output.count == spans.count, "one span per row")
        precondition(queries.width == headCount * layout.keyDim && output.width == headCount * layout.valueDim)
        let group = headCount / layout.kvHeadCount
        let longest = spans.reduce(0) { max($0, $1.visiblePositions) }
        let stride = (longest + panelRows - 1) / panelRows * panelRows
        scratch.scores.reserve(pool.threadCount * group * stride)
        let scores = scratch.scores.base
        var shared = colony_attention_arguments()
        shared.block_positions = layout.blockPositions
        shared.kv_head_count = layout.kvHeadCount
        shared.key_dim = layout.keyDim
        shared.value_dim = layout.valueDim
        shared.group = group
        shared.scale = scale
        shared.scores_stride = stride
        let positions = spans.reduce(0) { $0 + $1.visiblePositions }
        let work = positions * headCount * (layout.keyDim + layout.valueDim)
        run(spans.count * layout.kvHeadCount, work: work) { task, thread in
            // The longest spans of a prompt come last: starting there leaves the short ones to even out the end.
            let row = spans.count - 1 - task / layout.kvHeadCount
            var arguments = shared
            arguments.kv_head = task % layout.kvHeadCount
            arguments.query = UnsafePointer(
                queries.base + row * queries.width + arguments.kv_head * group * layout.keyDim)
            arguments.output = output.base + row * output.width + arguments.kv_head * group * layout.valueDim
            // Blocks that lie before the window are not even read.
            let skippedBlocks = spans[row].firstPosition / layout.blockPositions
            arguments.blocks = spans[row].blocks + skippedBlocks
            arguments.first = spans[row].firstPosition - skippedBlocks * layout.blockPositions
            arguments.visible = spans[row].visiblePositions - skippedBlocks * layout.blockPositions
            arguments.scores = scores + thread * group * stride
            table.attention(&arguments)
        }
    }
}
