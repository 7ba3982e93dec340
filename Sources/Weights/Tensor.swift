public import Kernels

/// A view of a stored tensor: row-major, in the file's own format. Copying it is cheap; it keeps the file mapped.
///
/// The bytes are the file's. If the file is truncated or overwritten in place while the model is in use, `packed`
/// reports it; `withBytes` and `floats` may stop the process (SIGBUS), as with any mapped file.
public struct Tensor: Sendable {
    /// The stored tensor's name, also that of a part of it.
    public let name: String
    /// The dimensions, slowest first.
    public let shape: [Int]
    /// How one weight is stored.
    public let format: WeightFormat
    let file: MappedFile
    /// Where the view begins, in bytes from the start of the file.
    let byteOffset: Int
    /// How a matrix lies in the file where it is not row-major.
    var strides: MatrixStrides?
    /// Where packed matrices are kept, if they are, and the file's number there.
    var packedWeights: PackedWeights?
    var fileNumber = 0
    /// Where packed matrices go.
    var placement = WeightPlacement.anywhere

    /// How many weights the view has.
    public var count: Int { shape.reduce(1, *) }

    /// Size of the weights that the view names, in bytes.
    public var byteCount: Int { format.byteCount(of: count) }

    /// Path of the file that holds it.
    public var filePath: String { file.path }

    /// From the first byte of the view to the end of its last.
    private var byteRange: Range<Int> {
        let span = strides.map { $0.byteSpan(rows: shape[0], columns: shape[1], format: format) }
        return byteOffset..<byteOffset + (span ?? byteCount)
    }

    /// Part `leadingIndex` along the first dimension, without that dimension: [E, R, C] → [R, C].
    public func slice(_ leadingIndex: Int) -> Tensor {
        precondition(
            strides == nil && !shape.isEmpty && (0..<shape[0]).contains(leadingIndex),
            "slice \(leadingIndex) of \(shape)")
        let inner = Array(shape.dropFirst())
        let stride = format.byteCount(of: inner.reduce(1, *))
        return part(shape: inner, byteOffset: byteOffset + leadingIndex * stride)
    }

    /// Rows `range` along the first dimension, which stays: [R, C] → [range.count, C].
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(
            strides == nil && !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0],
            "rows \(range) of \(shape)")
        let stride = format.byteCount(of: shape.dropFirst().reduce(1, *))
        return part(
            shape: [range.count] + shape.dropFirst(), byteOffset: byteOffset + range.lowerBound * stride)
    }

    /// The matrix with rows and columns exchanged: [R, C] → [C, R]. Only of formats that are not blocks.
    public func transposed() -> Tensor {
        precondition(shape.count == 2 && format.isPlain, "a matrix of single weights")
        let strides = strides ?? MatrixStrides(rows: shape[1], columns: 1)
        var result = part(shape: [shape[1], shape[0]], byteOffset: byteOffset)
        result.strides = MatrixStrides(rows: strides.columns, columns: strides.rows)
        return result
    }

    /// Every `step`-th row of a matrix from row `first` on, which is below `step`, a divisor of its rows:
    /// [R, C] → [R / step, C].
    public func rows(from first: Int, by step: Int) -> Tensor {
        precondition(
            shape.count == 2 && step > 0 && (0..<step).contains(first) && shape[0] % step == 0,
            "every \(step)th row of \(shape), from \(first) on")
        let strides = strides ?? MatrixStrides(rows: shape[1], columns: 1)
        var result = part(
            shape: [shape[0] / step, shape[1]], byteOffset: byteOffset + format.byteCount(of: first * strides.rows))
        result.strides = MatrixStrides(rows: step * strides.rows, columns: strides.columns)
        return result
    }

    private func part(shape: [Int], byteOffset: Int) -> Tensor {
        Tensor(
            name: name, shape: shape, format: format, file: file, byteOffset: byteOffset,
            packedWeights: packedWeights, fileNumber: fileNumber, placement: placement)
    }

    /// The matrix in the kernels' layout, from the cache of packed weights if it is there. Otherwise it is packed;
    /// afterwards the pages that were read leave this process's memory, so that
    /// one copy of the weights stays. Throws unless the view has two dimensions and its file is still whole.
    public func packed() throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2 else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of a matrix")
        }
        if let kept = packedWeights?.matrix(packedKey) { return kept }
        let matrix = try packedFromFile()
        packedWeights?.add(packedKey, matrix)
        return matrix
    }

    /// The transposed matrix in the kernels' layout: in the tensor's own format if that is a plain one, else, because
    /// blocks lie along rows, as the f32 that it decodes to. Kept in the cache as by `packed`; a view is packed in one
    /// of the two ways only.
    public func packedTransposed() throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2 else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of a matrix")
        }
        if format.isPlain { return try transposed().packed() }
        let key = PackedKey(
            file: fileNumber, modifiedNanoseconds: file.modifiedNanoseconds, byteOffset: byteOffset, rows: shape[1],
            columns: shape[0], format: .f32)
        if let kept = packedWeights?.matrix(key) { return kept }
        try file.populate(byteRange, tensor: name)
        defer { file.giveBack(byteRange) }
        do {
            let matrix = try floats().withUnsafeBytes { bytes in
                try PackedMatrix(
                    packing: bytes, rows: shape[1], columns: shape[0], format: .f32,
                    strides: MatrixStrides(rows: 1, columns: shape[1]), placement: placement)
            }
            packedWeights?.add(key, matrix)
            return matrix
        } catch {
            throw .packingFailed(tensor: name, reason: "\(error)")
        }
    }

    /// Strides are no part of it: what is read with some is never read with others.
    private var packedKey: PackedKey {
        PackedKey(
            file: fileNumber, modifiedNanoseconds: file.modifiedNanoseconds, byteOffset: byteOffset, rows: shape[0],
            columns: shape[1], format: format)
    }

    private func packedFromFile() throws(WeightsError) -> PackedMatrix {
        try file.populate(byteRange, tensor: name)
        defer { file.giveBack(byteRange) }
        do throws(KernelError) {
            return try PackedMatrix(
                packing: file.bytes(byteRange), rows: shape[0], columns: shape[1], format: format,
                strides: strides, placement: placement)
        } catch {
            throw .packingFailed(tensor: name, reason: "\(error)")
        }
    }

    /// All weights, decoded to f32 (exact for every format).
    public func floats() -> [Float] { withBytes(format.decoded) }

    /// Takes the pages that were read out of this process's memory; they stay in the system's cache of files, and come
    /// back when they are read again.
    public func giveBackPages() { file.giveBack(byteRange) }

    /// Calls `body` with the stored bytes, of any alignment, little-endian; they must not be kept beyond the call.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(strides == nil, "a row-major view")
        return try withExtendedLifetime(file) { try body(file.bytes(byteRange)) }
    }
}
