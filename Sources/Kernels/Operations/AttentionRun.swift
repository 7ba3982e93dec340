import CKernels

/// One call of `attention`: how its work is cut. No bit depends on the cut.
///
/// Many rows: a task is one row and key/value head, all three steps. Few rows, for instance one long sequence that
/// generates, would leave threads idle; then each step is a loop of its own, with scores cut by blocks of positions,
/// weights by heads and values by dimensions.
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
    /// Values are read in whole lines of memory.
    private static let lineBytes = 64

    private var pairCount: Int { spans.count * layout.kvHeadCount }
    private var stride: Int {
        let longest = spans.reduce(0) { max($0, $1.visiblePositions) }
        return (longest + panelRows - 1) / panelRows * panelRows
    }

    func run(_ scratch: AttentionScratch) {
        let positions = spans.reduce(0) { $0 + $1.visiblePositions }
        let work = positions * group * layout.kvHeadCount * (layout.keyDim + layout.valueDim)
        let threadCount = compute.pool.threadCount
        let stride = stride
        // The sums need whole lines of their own only to keep the scores behind them aligned.
        let sumsCount = (group + panelRows - 1) / panelRows * panelRows
        let pairFloats = sumsCount + group * stride
        let isSplit = pairCount < Self.tasksPerThread * threadCount && work > serialWorkMax && threadCount > 1
        scratch.scores.reserve((isSplit ? pairCount : threadCount) * pairFloats)
        let base = scratch.scores.base
        func arguments(pair: Int, slot: Int) -> colony_attention_arguments {
            var arguments = self.arguments(pair: pair)
            arguments.sums = base + slot * pairFloats
            arguments.scores = base + slot * pairFloats + sumsCount
            arguments.scores_stride = stride
            return arguments
        }
        if isSplit { return runSplit { arguments(pair: $0, slot: $0) } }
        let kernels = compute.kernels.attention(layout.format)
        compute.run(pairCount, work: work) { task, thread in
            // The longest spans of a prompt come last: starting there leaves the short ones to even out the end.
            var arguments = arguments(pair: pairCount - 1 - task, slot: thread)
            kernels.scores(&arguments, 0, blockCount(arguments))
            for head in 0..<group { kernels.weights(&arguments, head) }
            kernels.values(&arguments, 0, layout.valueDim)
        }
    }

    private func runSplit(_ arguments: (_ pair: Int) -> colony_attention_arguments) {
        let kernels = compute.kernels.attention(layout.format)
        let pool = compute.pool
        let cuts = (Self.tasksPerThread * pool.threadCount + pairCount - 1) / pairCount
        pool.run(pairCount * cuts) { task in
            var arguments = arguments(task / cuts)
            let blocks = blockCount(arguments)
            let cut = task % cuts
            let first = blocks * cut / cuts
            kernels.scores(&arguments, first, blocks * (cut + 1) / cuts - first)
        }
        pool.run(pairCount * group) { task in
            var arguments = arguments(task / group)
            kernels.weights(&arguments, task % group)
        }
        let lineDims = Self.lineBytes / layout.format.numberBytes
        let lines = (layout.valueDim + lineDims - 1) / lineDims
        let partDims = (lines + cuts - 1) / cuts * lineDims
        let parts = (layout.valueDim + partDims - 1) / partDims
        pool.run(pairCount * parts) { task in
            var arguments = arguments(task / parts)
            let first = task % parts * partDims
            kernels.values(&arguments, first, min(partDims, layout.valueDim - first))
        }
    }

    private func blockCount(_ arguments: colony_attention_arguments) -> Int {
        (arguments.visible + layout.blockPositions - 1) / layout.blockPositions
    }

    /// A pair of row and key/value head, without scratch.
    private func arguments(pair: Int) -> colony_attention_arguments {
        let row = pair / layout.kvHeadCount
        var arguments = colony_attention_arguments()
        arguments.layout = layout.arguments
        arguments.group = group
        arguments.scale = scale
        arguments.kv_head = pair % layout.kvHeadCount
        arguments.sinks = sinks.map { $0 + arguments.kv_head * group }
        arguments.query = UnsafePointer(queries.base + row * queries.width + arguments.kv_head * group * layout.keyDim)
        arguments.output = output.base + row * output.width + arguments.kv_head * group * layout.valueDim
        // Blocks that lie before the window are not even read.
        let skippedBlocks = spans[row].firstPosition / layout.blockPositions
        arguments.blocks = spans[row].blocks + skippedBlocks
        arguments.first = spans[row].firstPosition - skippedBlocks * layout.blockPositions
        arguments.visible = spans[row].visiblePositions - skippedBlocks * layout.blockPositions
        return arguments
    }
}
