import CKernels

/// Memory for rows as 8-bit integers; it grows to the largest use and stays. One owner at a time.
public final class QuantisedRows: Sendable {
    private let blocks = GrowingBuffer<colony_activation_block>()

    /// Empty memory.
    public init() {}

    /// Blocks of 32 values that a row takes, the last one padded with zeros.
    static func blocksPerRow(width: Int) -> Int {
        (width + Int(COLONY_BLOCK_COLUMNS) - 1) / Int(COLONY_BLOCK_COLUMNS)
    }

    /// Makes room; what was there is lost.
    func reserve(rows: Int, width: Int) -> UnsafeMutablePointer<colony_activation_block> {
        blocks.reserve(rows * Self.blocksPerRow(width: width))
        return blocks.base
    }
}

/// The input of linear layers, in the forms that their kernels take: `Compute.linearInput` makes it.
///
/// `@unchecked Sendable`: pointers that are only read; whoever made it keeps the memory alive meanwhile.
public struct LinearInput: @unchecked Sendable {
    /// How many rows.
    public let count: Int
    /// Values per row.
    public let width: Int
    let rows: RowsView?
    let quantised: UnsafePointer<colony_activation_block>?

    /// Rows of f32, which plain weights take, and the same as 8-bit integers where others take them.
    init(_ rows: RowsView, quantised: UnsafePointer<colony_activation_block>? = nil) {
        count = rows.count
        width = rows.width
        self.rows = rows
        self.quantised = quantised
    }

    /// Rows of which only the 8-bit integers are known.
    init(quantised: UnsafePointer<colony_activation_block>, count: Int, width: Int) {
        self.count = count
        self.width = width
        rows = nil
        self.quantised = quantised
    }
}
