import CKernels

/// In which form the rows that experts give are added up, and travel where workers compute them.
public enum ResultFormat: String, Hashable, Sendable, CaseIterable {
    /// f32: nothing is rounded.
    case f32
    /// bfloat16, to the nearest, ties to even: half the bytes, 8 bits of each number.
    case bf16
    /// 8-bit integers with an f32 scale per 32 columns: 36 bytes for 128.
    case int8

    /// Bytes of a row of `width` columns.
    public func bytesPerRow(width: Int) -> Int {
        switch self {
        case .f32: width * 4
        case .bf16: width * 2
        case .int8: CompactRowsView.bytesPerRow(width: width)
        }
    }

    /// Its index in the kernel table's `store_result` and `add`.
    var tableIndex: Int {
        switch self {
        case .f32: COLONY_RESULT_F32
        case .bf16: COLONY_RESULT_BF16
        case .int8: COLONY_RESULT_INT8
        }
    }
}

/// Rows that experts give: what `gatedExperts` writes and `add` reads. Contiguous, in any of the forms; see
/// `operations/results.h`.
///
/// `@unchecked Sendable`: a pointer and three values; whoever made it keeps the memory alive and says who may write.
public struct ResultRowsView: @unchecked Sendable {
    /// The first byte of the first row, at a multiple of 4 in memory.
    public let base: UnsafeMutableRawPointer
    /// How many rows.
    public let count: Int
    /// Columns of a row.
    public let width: Int
    /// In which form.
    public let format: ResultFormat
    /// Bytes of a row.
    public let bytesPerRow: Int

    /// Borrows `count` rows of `width` columns at `base`.
    public init(base: UnsafeMutableRawPointer, count: Int, width: Int, format: ResultFormat) {
        precondition(count >= 0 && width >= 0 && UInt(bitPattern: base) % 4 == 0)
        self.base = base
        self.count = count
        self.width = width
        self.format = format
        bytesPerRow = format.bytesPerRow(width: width)
    }

    /// Rows of f32.
    public init(_ rows: RowsView) {
        self.init(base: UnsafeMutableRawPointer(rows.base), count: rows.count, width: rows.width, format: .f32)
    }

    /// Where one row begins.
    public subscript(row: Int) -> UnsafeMutableRawPointer {
        precondition(row >= 0 && row < count, "row outside the view")
        return base + row * bytesPerRow
    }
}

/// Memory for results; it grows to the largest use and stays. One owner at a time.
public final class ResultRows: Sendable {
    /// Floats, so that the memory is aligned for the scales.
    private let words = GrowingBuffer<Float>()

    /// Empty memory.
    public init() {}

    /// Room for `count` rows; what was there is lost.
    public func reserve(_ count: Int, width: Int, format: ResultFormat) -> ResultRowsView {
        let bytes = count * format.bytesPerRow(width: width)
        words.reserve((bytes + MemoryLayout<Float>.size - 1) / MemoryLayout<Float>.size)
        return ResultRowsView(
            base: UnsafeMutableRawPointer(words.base), count: count, width: width, format: format)
    }
}
