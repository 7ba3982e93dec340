import CKernels

/// One call of `attention`: how its work is cut. No bit depends on the cut.
///
/// Many rows: a task is one row and key/value head, all three steps. Few rows, for instance one long sequence that
/// generates, would leave threads idle. Then a key/value head that serves many query heads is cut into parts of these,
/// a task each; if that is not enough, each step is a loop of its own, with scores cut by blocks of positions, weights
/// by heads and values by dimensions.
struct AttentionRun {
    let compute: Compute
    let queries: RowsView
    /// Query heads per key/value head.
    let group: Int
    let spans: [AttentionSpan]
    let layout: KeyValueLayout
    let scale: Float
    /// One per query head, or nil.
    let sinks: UnsafePointer<Float>?
    let output: RowsView

    /// A row and key/value head with fewer tasks than this per thread leaves some of them idle at the end.
    private static let tasksPerThread = 2
    /// Query heads of a part of a group: keys are read for so many heads at a time anyway.
    private static let partHeadsMin = 8
    /// Parts are whole tiles of so many heads.
    private static let tileHeads = 4
    /// Values are read in whole lines of memory.
    private static let lineBytes = 64

    /// Rows and key/value heads.
    private var pairCount: Int { spans.count * layout.kvHeadCount }
    private var stride: Int {
        let longest = spans.reduce(0) { max($0, $1.visiblePositions - skippedBlocks($1) * layout.blockPositions) }
        return (longest + panelRows - 1) / panelRows * panelRows
    }

    /// Query heads of each part of a group: all of them, unless that gives threads too little to do. Only keys that
    /// hold their values are read so much faster than they are computed with that every part may read them.
    private var partHeads: Int {
        guard layout.hasValuesInKeys else { return group }
        let parts = (Self.tasksPerThread * compute.pool.threadCount + pairCount - 1) / max(pairCount, 1)
        let heads = (group + parts - 1) / parts
        return min(group, max(Self.partHeadsMin, (heads + Self.tileHeads - 1) / Self.tileHeads * Self.tileHeads))
    }

    func run(_ scratch: AttentionScratch) {
        let positions = spans.reduce(0) { $0 + $1.visiblePositions - $1.firstPosition }
        let work = positions * group * layout.kvHeadCount * (layout.keyDim + layout.valueDim)
        let threadCount = compute.pool.threadCount
        let parts = GroupParts(group: group, heads: work > serialWorkMax ? partHeads : group)
        let taskCount = pairCount * parts.count
        let stride = stride
        // The sums need whole lines of their own only to keep the scores behind them aligned.
        let sumsCount = (parts.heads + panelRows - 1) / panelRows * panelRows
        let taskFloats = sumsCount + parts.heads * stride
        // The parts of one group take the same time, so that one for each thread is enough.
        let tasksMin = parts.count > 1 ? threadCount : Self.tasksPerThread * threadCount
        let isSplit = taskCount < tasksMin && work > serialWorkMax && threadCount > 1
        scratch.scores.reserve((isSplit ? taskCount : threadCount) * taskFloats)
        let base = scratch.scores.base
        func arguments(task: Int, slot: Int) -> colony_attention_arguments {
            var arguments = self.arguments(pair: task / parts.count, heads: parts[task % parts.count])
            arguments.sums = base + slot * taskFloats
            arguments.scores = base + slot * taskFloats + sumsCount
            arguments.scores_stride = stride
            return arguments
        }
        if isSplit { return runSplit(taskCount, headsMax: parts.heads) { arguments(task: $0, slot: $0) } }
        let kernels = compute.kernels.attention(layout.format)
        compute.run(taskCount, work: work) { task, thread in
            // The longest spans of a prompt come last: starting there leaves the short ones to even out the end.
            var arguments = arguments(task: taskCount - 1 - task, slot: thread)
            kernels.scores(&arguments, 0, blockCount(arguments))
            for head in 0..<arguments.group { kernels.weights(&arguments, head) }
            kernels.values(&arguments, 0, layout.valueDim)
        }
    }

    /// `taskCount` pairs or parts of them, of up to `headsMax` query heads.
    private func runSplit(
        _ taskCount: Int, headsMax: Int, _ arguments: (_ task: Int) -> colony_attention_arguments
    ) {
        let kernels = compute.kernels.attention(layout.format)
        let pool = compute.pool
        let cuts = (Self.tasksPerThread * pool.threadCount + taskCount - 1) / taskCount
        pool.run(taskCount * cuts) { task in
            var arguments = arguments(task / cuts)
            let blocks = blockCount(arguments)
            let cut = task % cuts
            let first = blocks * cut / cuts
            kernels.scores(&arguments, first, blocks * (cut + 1) / cuts - first)
        }
        pool.run(taskCount * headsMax) { task in
            var arguments = arguments(task / headsMax)
            if task % headsMax < arguments.group { kernels.weights(&arguments, task % headsMax) }
        }
        // In keys, a dimension of 16 positions is whole lines by itself.
        let lineDims = layout.hasValuesInKeys ? panelRows : Self.lineBytes / layout.format.numberBytes
        let lines = (layout.valueDim + lineDims - 1) / lineDims
        let partDims = (lines + cuts - 1) / cuts * lineDims
        let parts = (layout.valueDim + partDims - 1) / partDims
        pool.run(taskCount * parts) { task in
            var arguments = arguments(task / parts)
            let first = task % parts * partDims
            kernels.values(&arguments, first, min(partDims, layout.valueDim - first))
        }
    }

    private func blockCount(_ arguments: colony_attention_arguments) -> Int {
        (arguments.visible + layout.blockPositions - 1) / layout.blockPositions
    }

    /// Blocks that lie before the window are not even read.
    private func skippedBlocks(_ span: AttentionSpan) -> Int { span.firstPosition / layout.blockPositions }

    /// Some query heads of a row and key/value head, without scratch.
    private func arguments(pair: Int, heads: Range<Int>) -> colony_attention_arguments {
        let row = pair / layout.kvHeadCount
        var arguments = colony_attention_arguments()
        arguments.layout = layout.arguments
        arguments.group = heads.count
        arguments.scale = scale
        arguments.kv_head = pair % layout.kvHeadCount
        let head = arguments.kv_head * group + heads.lowerBound
        arguments.sinks = sinks.map { $0 + head }
        arguments.query = UnsafePointer(queries.base + row * queries.width + head * layout.keyDim)
        arguments.output = output.base + row * output.width + head * layout.valueDim
        let skippedBlocks = skippedBlocks(spans[row])
        arguments.blocks = spans[row].blocks + skippedBlocks
        arguments.first = spans[row].firstPosition - skippedBlocks * layout.blockPositions
        arguments.visible = spans[row].visiblePositions - skippedBlocks * layout.blockPositions
        return arguments
    }
}

/// The query heads of a key/value head, cut into parts of `heads` and what is left.
private struct GroupParts {
    let group: Int
    let heads: Int

    var count: Int { (group + heads - 1) / heads }

    subscript(part: Int) -> Range<Int> { part * heads..<min((part + 1) * heads, group) }
}
