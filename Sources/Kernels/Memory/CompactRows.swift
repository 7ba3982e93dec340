import CKernels

/// Rows as 8-bit integers without what can be computed from them, as they travel between processes: of each row the
/// codes of all its blocks of 32, the last block padded with zeros, then their f32 scales. That is 36 bytes per block.
///
/// `@unchecked Sendable`: a pointer that is only read; whoever made it keeps the memory alive meanwhile.
public struct CompactRowsView: @unchecked Sendable {
    /// The first code of the first row, at a multiple of 4 in memory.
    public let base: UnsafeRawPointer
    /// How many rows.
    public let count: Int
    /// Values per row.
    public let width: Int

    /// Borrows `count` rows of `width` values at `base`.
    public init(base: UnsafeRawPointer, count: Int, width: Int) {
        precondition(count >= 0 && width >= 0 && UInt(bitPattern: base) % 4 == 0)
        self.base = base
        self.count = count
        self.width = width
    }

    /// Bytes of a row of `width` values, a multiple of 4.
    public static func bytesPerRow(width: Int) -> Int {
        QuantisedRows.blocksPerRow(width: width) * (columns + MemoryLayout<Float>.size)
    }

    /// Where the codes of a row lie, and where its scales.
    fileprivate func parts(ofRow row: Int) -> (codes: UnsafePointer<Int8>, scales: UnsafePointer<Float>) {
        let codes = base + row * Self.bytesPerRow(width: width)
        let scales = codes + QuantisedRows.blocksPerRow(width: width) * Self.columns
        return (codes.assumingMemoryBound(to: Int8.self), scales.assumingMemoryBound(to: Float.self))
    }

    fileprivate static let columns = Int(COLONY_BLOCK_COLUMNS)
}

/// Memory for compact rows; it grows to the largest use and stays. One owner at a time.
public final class CompactRows: Sendable {
    /// Floats, so that the memory is aligned for the scales.
    private let words = GrowingBuffer<Float>()

    /// Empty memory.
    public init() {}

    fileprivate func reserve(rows: Int, width: Int) -> UnsafeMutableRawPointer {
        words.reserve(rows * CompactRowsView.bytesPerRow(width: width) / MemoryLayout<Float>.size)
        return UnsafeMutableRawPointer(words.base)
    }
}

extension Compute {
    /// Rounds rows to 8-bit integers, as kernels of weights in blocks take them, in the form that travels: in `memory`
    /// until that is used again.
    public func compact(_ rows: RowsView, _ memory: CompactRows) -> CompactRowsView {
        let base = memory.reserve(rows: rows.count, width: rows.width)
        round(rows, to: ResultRowsView(base: base, count: rows.count, width: rows.width, format: .int8))
        return CompactRowsView(base: UnsafeRawPointer(base), count: rows.count, width: rows.width)
    }

    /// Rows that arrived as linear layers take them; in `scratch` until it is used again. Whatever the bytes are, what
    /// comes of them is numbers: a scale that is none makes its products none.
    public func linearInput(_ rows: CompactRowsView, _ scratch: QuantisedRows) -> LinearInput {
        let stride = QuantisedRows.blocksPerRow(width: rows.width)
        let blocks = scratch.reserve(rows: rows.count, width: rows.width)
        forEachRow(rows.count, width: rows.width) { row in
            let parts = rows.parts(ofRow: row)
            table.restore_quantised(parts.codes, parts.scales, blocks + row * stride, stride)
        }
        return LinearInput(quantised: UnsafePointer(blocks), count: rows.count, width: rows.width)
    }
}
