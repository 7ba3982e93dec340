import CKernels

/// What one row attends to where the last positions and entries that stand for earlier ones meet in one softmax.
///
/// `@unchecked Sendable`: pointers that are only read.
public struct JoinedSpan: @unchecked Sendable {
    /// The block of the last positions: position p lies at p modulo its number of positions.
    public let window: UnsafeMutableRawPointer
    /// The positions that the row sees, its own the last; no more than the block has.
    public let positions: Range<Int>
    /// The blocks of the sequence's entries; nil if there are none.
    public let entryBlocks: UnsafePointer<UnsafeMutableRawPointer>?
    /// How many entries there are for the row to see, from the first on.
    public let entryCount: Int

    /// Names both.
    public init(
        window: UnsafeMutableRawPointer, positions: Range<Int>,
        entryBlocks: UnsafePointer<UnsafeMutableRawPointer>? = nil, entryCount: Int = 0
    ) {
        precondition(!positions.isEmpty && (entryBlocks != nil || entryCount == 0), "a row sees at least itself")
        self.window = window
        self.positions = positions
        self.entryBlocks = entryBlocks
        self.entryCount = entryCount
    }
}

/// Which of a row's entries it looks at where it does not look at all.
public struct EntryChoices {
    /// The choice.
    public let choices: PositionChoices
    /// How many entries; all where there are no more.
    public let count: Int
    /// The number of the first row in `choices`.
    public let firstRow: Int

    /// Names a choice.
    public init(choices: PositionChoices, count: Int, firstRow: Int) {
        self.choices = choices
        self.count = count
        self.firstRow = firstRow
    }
}

/// How the keys lie that meet in one softmax; the values are the keys.
public struct JoinedLayout {
    /// Those of the last positions, all in one block.
    public let window: KeyValueLayout
    /// The entries; nil if there are none.
    public let entries: KeyValueLayout?

    /// Joins both, which must have the same keys.
    public init(window: KeyValueLayout, entries: KeyValueLayout?) {
        for layout in [window, entries ?? window] {
            precondition(layout.hasValuesInKeys && layout.kvHeadCount == 1, "keys that hold their values, of one head")
            precondition(layout.keyDim == window.keyDim && layout.valueDim == window.valueDim)
            precondition(layout.format == window.format, "one format")
        }
        self.window = window
        self.entries = entries
    }

    /// Positions of a block of gathered keys.
    fileprivate static let gatheredPositions = 64

    /// The keys of a row beside each other.
    fileprivate var gathered: KeyValueLayout {
        KeyValueLayout(
            format: window.format, kvHeadCount: 1, keyDim: window.keyDim, valueDim: window.valueDim,
            blockPositions: Self.gatheredPositions, hasValuesInKeys: true)
    }
}

extension JoinedSpan {
    fileprivate func entryCount(_ chosen: EntryChoices?) -> Int { min(entryCount, chosen?.count ?? entryCount) }

    fileprivate func keyCount(_ chosen: EntryChoices?) -> Int { positions.count + entryCount(chosen) }

    fileprivate func blockCount(_ chosen: EntryChoices?) -> Int {
        (keyCount(chosen) + JoinedLayout.gatheredPositions - 1) / JoinedLayout.gatheredPositions
    }
}

extension Compute {
    /// Rows of one call of `joinedAttention`: a bound on the memory for gathered keys.
    public static let joinedRowsMax = 32

    /// Attention as `attention`, of each row over the last positions, in order, and then over its entries, in order.
    ///
    /// The keys of a row are first copied beside each other, so that the sums are those of a sequence that has no
    /// others. There are no more than `joinedRowsMax` rows.
    public func joinedAttention(
        queries: RowsView, headCount: Int, spans: [JoinedSpan], layout: JoinedLayout, chosen: EntryChoices?,
        scale: Float, sinks: [Float], output: RowsView, scratch: inout SparseScratch,
        attentionScratch: inout AttentionScratch
    ) {
        precondition(spans.count <= Self.joinedRowsMax, "rows whose keys fit")
        let gathered = layout.gathered
        let firstBlocks = spans.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.blockCount(chosen)) }
        let blockCount = firstBlocks[spans.count]
        scratch.keys.reserve(blockCount * gathered.blockBytes)
        scratch.blocks.reserve(blockCount)
        let blocks = scratch.blocks.base
        for index in 0..<blockCount {
            blocks[index] = UnsafeMutableRawPointer(scratch.keys.base + index * gathered.blockBytes)
        }
        run(blockCount, work: blockCount * gathered.blockPositions * gathered.keyDim) { task, _ in
            let row = (firstBlocks.firstIndex { $0 > task } ?? 1) - 1
            let first = (task - firstBlocks[row]) * gathered.blockPositions
            gather(
                spans[row], first..<min(first + gathered.blockPositions, spans[row].keyCount(chosen)), layout,
                chosen: chosen.map { UnsafePointer($0.choices.row($0.firstRow + row, count: $0.count)) },
                count: chosen?.count ?? .max, into: blocks[task])
        }
        attention(
            queries: queries, headCount: headCount,
            spans: spans.indices.map {
                AttentionSpan(
                    blocks: UnsafePointer(blocks + firstBlocks[$0]), visiblePositions: spans[$0].keyCount(chosen))
            }, layout: gathered, scale: scale, sinks: sinks, output: output, scratch: &attentionScratch)
    }

    /// Copies the keys of `range`, counted through positions and entries, to the beginning of a gathered block.
    private func gather(
        _ span: JoinedSpan, _ range: Range<Int>, _ layout: JoinedLayout, chosen: UnsafePointer<UInt32>?, count: Int,
        into block: UnsafeMutableRawPointer
    ) {
        let inWindow = range.clamped(to: 0..<span.positions.count)
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: range.count) { numbers in
            for (index, key) in range.enumerated() {
                if key < span.positions.count {
                    numbers[index] = UInt32((span.positions.lowerBound + key) % layout.window.blockPositions)
                } else {
                    let entry = key - span.positions.count
                    numbers[index] = span.entryCount > count ? chosen?[entry] ?? 0 : UInt32(entry)
                }
            }
            guard let base = numbers.baseAddress else { return }
            withUnsafePointer(to: span.window) { window in
                copyKeys(layout.window, window, base, 0..<inWindow.count, into: block)
            }
            guard let entries = layout.entries, let entryBlocks = span.entryBlocks else { return }
            copyKeys(entries, entryBlocks, base, inWindow.count..<range.count, into: block)
        }
    }

    private func copyKeys(
        _ layout: KeyValueLayout, _ blocks: UnsafePointer<UnsafeMutableRawPointer>,
        _ numbers: UnsafePointer<UInt32>, _ places: Range<Int>, into block: UnsafeMutableRawPointer
    ) {
        withUnsafePointer(to: layout.arguments) { keys in
            colony_gather_keys(
                keys, layout.format.numberBytes, blocks, numbers + places.lowerBound, places.count, block,
                JoinedLayout.gatheredPositions, places.lowerBound)
        }
    }
}
