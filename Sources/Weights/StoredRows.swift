public import Kernels

/// Weights that lie in a file one behind the other, as numbers or blocks.
public struct StoredRows: Sendable {
    /// How one weight is stored.
    public let format: WeightFormat
    let file: MappedFile
    /// The file's number in the model.
    let fileNumber: Int
    /// Where the first is, in bytes from the start of the file.
    let byteOffset: Int
    /// How many weights there are from the first to the last.
    let count: Int
    /// How the rows of a matrix lie where they are not one behind the other.
    var strides: MatrixStrides?

    var byteRange: Range<Int> { byteOffset..<byteOffset + format.byteCount(of: count) }

    /// `count` of the parts of `size` weights each, from part `index` on.
    func part(_ index: Int, size: Int, count: Int) -> StoredRows {
        precondition(strides == nil, "a row-major view")
        return StoredRows(
            format: format, file: file, fileNumber: fileNumber,
            byteOffset: byteOffset + index * format.byteCount(of: size), count: count * size)
    }

    /// The matrix with rows and columns exchanged.
    func transposed(rowCount: Int, columnCount: Int) -> StoredRows {
        let strides = strides ?? MatrixStrides(rows: columnCount, columns: 1)
        var result = self
        result.strides = MatrixStrides(rows: strides.columns, columns: strides.rows)
        return result
    }

    /// Every `step`-th row of the matrix from row `first` on.
    func every(_ step: Int, from first: Int, rowCount: Int, columnCount: Int) -> StoredRows {
        let old = strides ?? MatrixStrides(rows: columnCount, columns: 1)
        let new = MatrixStrides(rows: step * old.rows, columns: old.columns)
        return StoredRows(
            format: format, file: file, fileNumber: fileNumber,
            byteOffset: byteOffset + format.byteCount(of: first * old.rows),
            count: new.span(rows: rowCount / step, columns: columnCount), strides: new)
    }

    /// Takes the pages that were read out of this process's memory; they stay in the system's cache of files, and come
    /// back when they are read again.
    public func giveBackPages() { file.giveBack(byteRange) }

    /// Calls `body` with the stored bytes, of any alignment, little-endian; they must not be kept beyond the call.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(strides == nil, "a row-major view")
        return try withExtendedLifetime(file) { try body(file.bytes(byteRange)) }
    }
}
