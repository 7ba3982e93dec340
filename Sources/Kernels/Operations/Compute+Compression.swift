import CKernels

/// How the keys of a window of positions become one entry (DeepSeek-V4); `operations/compression.h` has the order of
/// operations.
public struct CompressionShape: Hashable, Sendable {
    /// Positions of a window.
    public let windowPositions: Int
    /// Floats of an entry.
    public let dims: Int
    /// Whether an entry stands for the window before its own too.
    public let overlaps: Bool

    /// Describes entries.
    public init(windowPositions: Int, dims: Int, overlaps: Bool) {
        precondition(windowPositions > 0 && dims > 0)
        self.windowPositions = windowPositions
        self.dims = dims
        self.overlaps = overlaps
    }

    /// Floats of the keys, and of the gates, that a position brings.
    public var width: Int { overlaps ? 2 * dims : dims }
    /// Floats of what is kept of incomplete windows.
    public var stateFloats: Int { 3 * width }

    /// The entries that the positions of a range complete.
    public func entries(completedBy positions: Range<Int>) -> Range<Int> {
        positions.lowerBound / windowPositions..<positions.upperBound / windowPositions
    }
}

/// Neighbouring rows of one sequence whose keys are compressed.
///
/// `@unchecked Sendable`: a pointer that one call uses at a time.
public struct CompressionRun: @unchecked Sendable {
    /// The rows, in order of position.
    public let rows: Range<Int>
    /// The first row's position in the sequence.
    public let position: Int
    /// What the sequence's incomplete windows left, `CompressionShape.stateFloats`; anything at position 0.
    public let state: UnsafeMutablePointer<Float>
    /// Where the first entry goes that the rows complete.
    public let firstEntry: Int

    /// Names rows and what they go on from.
    public init(rows: Range<Int>, position: Int, state: UnsafeMutablePointer<Float>, firstEntry: Int) {
        self.rows = rows
        self.position = position
        self.state = state
        self.firstEntry = firstEntry
    }

    /// Positions of the rows.
    public var positions: Range<Int> { position..<position + rows.count }
}

extension Compute {
    /// Dimensions that one task compresses.
    private static let dimsPerTask = 64
    /// What a position and dimension costs, beside a multiply-add: two exponentials.
    private static let compressionWork = 16

    /// Compresses `keys` by `gates`, both [rows][shape.width]; `bias` is [shape.windowPositions][shape.width]. The
    /// entries of each run follow each other in `entries`, [entries][shape.dims].
    public func compress(
        keys: RowsView, gates: RowsView, bias: Rows, _ shape: CompressionShape, runs: [CompressionRun],
        entries: RowsView
    ) {
        precondition(keys.width == shape.width && gates.width == shape.width && gates.count == keys.count)
        precondition(bias.capacity == shape.windowPositions && bias.width == shape.width)
        precondition(entries.width == shape.dims)
        let cuts = (shape.dims + Self.dimsPerTask - 1) / Self.dimsPerTask
        let rowCount = runs.reduce(0) { $0 + $1.rows.count }
        run(runs.count * cuts, work: rowCount * shape.width * Self.compressionWork) { task, _ in
            let run = runs[task / cuts]
            let entryCount = shape.entries(completedBy: run.positions).count
            precondition(run.rows.upperBound <= keys.count && run.firstEntry + entryCount <= entries.count)
            let offset = run.rows.lowerBound * shape.width
            var arguments = colony_compression_arguments(
                keys: keys.base + offset, gates: gates.base + offset, bias: bias.view.base, state: run.state,
                entries: entries.base + run.firstEntry * shape.dims, rows: run.rows.count, position: run.position,
                positions: shape.windowPositions, dims: shape.dims, overlaps: shape.overlaps ? 1 : 0)
            let first = task % cuts * Self.dimsPerTask
            table.compress(&arguments, first, min(Self.dimsPerTask, shape.dims - first))
        }
    }
}
