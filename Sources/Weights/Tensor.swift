public import Kernels

/// A view of a stored tensor: row-major, in the file's own format. Copying it is cheap; it keeps the file mapped. A
/// quantised weight may be stored as several tensors, codes and scales and more, and is one here.
///
/// The bytes are the file's. If the file is truncated or overwritten in place while the model is in use, `packed`
/// reports it; `StoredRows.withBytes` and `floats` may stop the process (SIGBUS), as with any mapped file.
public struct Tensor: Sendable {
    /// The stored tensor's name, also that of a part of it.
    public let name: String
    /// The dimensions, slowest first.
    public let shape: [Int]
    let source: Source
    /// Where packed matrices are kept, if they are.
    var packedWeights: PackedWeights?
    /// Where packed matrices go.
    var placement = WeightPlacement.anywhere

    /// Where the weights are.
    enum Source {
        /// In several tensors.
        case composed(ComposedWeight)
        /// In one, the view as it will be computed with.
        case stored(StoredRows)
    }

    /// How the weights are stored once they are packed.
    public var format: MatrixFormat {
        switch source {
        case .composed(let weight): weight.format
        case .stored(let rows): .stored(rows.format)
        }
    }

    /// How many weights the view has.
    public var count: Int { shape.reduce(1, *) }

    /// Path of the file that holds it; of the codes, if there are several.
    public var filePath: String {
        switch source {
        case .composed(let weight): weight.codePart.file.path
        case .stored(let rows): rows.file.path
        }
    }

    /// Part `leadingIndex` along the first dimension, without that dimension: [E, R, C] → [R, C].
    public func slice(_ leadingIndex: Int) -> Tensor {
        precondition(
            !isStrided && !shape.isEmpty && (0..<shape[0]).contains(leadingIndex), "slice \(leadingIndex) of \(shape)")
        let inner = Array(shape.dropFirst())
        switch source {
        case .composed(var weight):
            if shape.count == 3 { weight.matrix = leadingIndex } else { weight.firstRow += leadingIndex }
            return part(shape: inner, .composed(weight))
        case .stored(let rows):
            return part(shape: inner, .stored(rows.part(leadingIndex, size: inner.reduce(1, *), count: 1)))
        }
    }

    /// Rows `range` along the first dimension, which stays: [R, C] → [range.count, C].
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(
            !isStrided && !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0],
            "rows \(range) of \(shape)")
        let inner = Array(shape.dropFirst())
        switch source {
        case .composed(var weight):
            if shape.count == 3 { weight.matrix += range.lowerBound } else { weight.firstRow += range.lowerBound }
            return part(shape: [range.count] + inner, .composed(weight))
        case .stored(let rows):
            let size = inner.reduce(1, *)
            return part(
                shape: [range.count] + inner, .stored(rows.part(range.lowerBound, size: size, count: range.count)))
        }
    }

    /// The matrix with rows and columns exchanged: [R, C] → [C, R].
    ///
    /// Throws `elementTypeUnsupported` where weights are not numbers of their own.
    public func transposed() throws(WeightsError) -> Tensor {
        precondition(shape.count == 2, "a matrix, not \(shape)")
        var stored = try storedRows()
        guard stored.format.isPlain else {
            throw .elementTypeUnsupported(
                tensor: name, file: filePath, type: stored.format.rawValue,
                supported: WeightFormat.plain.map(\.rawValue))
        }
        let strides = stored.strided?.strides ?? MatrixStrides(rows: shape[1], columns: 1)
        stored.strided = StridedMatrix(
            rows: shape[1], columns: shape[0], strides: MatrixStrides(rows: strides.columns, columns: strides.rows))
        return part(shape: [shape[1], shape[0]], .stored(stored))
    }

    /// Every `step`-th row of a matrix from row `first` on, which is below `step`, a divisor of its rows:
    /// [R, C] → [R / step, C].
    ///
    /// Throws `elementTypeUnsupported` where weights are stored in several tensors, unless as 4-bit floats.
    public func rows(from first: Int, by step: Int) throws(WeightsError) -> Tensor {
        precondition(
            shape.count == 2 && step > 0 && (0..<step).contains(first) && shape[0] % step == 0,
            "every \(step)th row of \(shape), from \(first) on")
        let shape = [shape[0] / step, shape[1]]
        guard case .composed(var weight) = source, weight.codes == .pairs else {
            return part(shape: shape, .stored(try storedRows().rows(from: first, by: step, shape: shape)))
        }
        weight.firstRow += first * weight.rowStep
        weight.rowStep *= step
        return part(shape: shape, .composed(weight))
    }

    private var isStrided: Bool {
        switch source {
        case .composed(let weight): weight.rowStep > 1
        case .stored(let rows): rows.strided != nil || rows.ordered != nil
        }
    }

    /// The order in which the columns of the packed matrix expect the input, if it is not the model's: rows that are
    /// stored in blocks cannot be taken apart.
    public var inputOrder: IndexExchange? {
        guard case .stored(let rows) = source else { return nil }
        return rows.remainingColumns
    }

    private func part(shape: [Int], _ source: Source) -> Tensor {
        Tensor(name: name, shape: shape, source: source, packedWeights: packedWeights, placement: placement)
    }

    /// The matrix in the kernels' layout, from the cache of packed weights if it is there. Otherwise it is packed;
    /// afterwards the pages that were read leave this process's memory, so that
    /// one copy of the weights stays. Throws unless the view has two dimensions and its file is still whole.
    public func packed() throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2 else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of a matrix")
        }
        var columnOrder: [Int32]?
        if case .composed(let weight) = source { columnOrder = try weight.columnOrder() }
        if let kept = packedWeights?.matrix(packedKey, columnOrder: columnOrder) { return kept }
        let matrix = try packedFromFile(columnOrder)
        packedWeights?.add(packedKey, matrix)
        return matrix
    }

    private func packedTransposed(_ floats: [Float]) throws(WeightsError) -> PackedMatrix {
        let strides = MatrixStrides(rows: 1, columns: shape[1])
        return try packed(floats, .f32, rows: shape[1], columns: shape[0], strides: strides)
    }

    /// Packs what is in memory.
    private func packed<Element>(
        _ weights: [Element], _ format: WeightFormat, rows: Int, columns: Int, strides: MatrixStrides? = nil
    ) throws(WeightsError) -> PackedMatrix {
        do {
            return try weights.withUnsafeBytes { bytes in
                try PackedMatrix(
                    packing: bytes, rows: rows, columns: columns, format: format, strides: strides,
                    placement: placement)
            }
        } catch {
            throw .packingFailed(tensor: name, reason: "\(error)")
        }
    }

    /// Strides are no part of it: what is read with some is never read with others.
    private var packedKey: PackedKey {
        switch source {
        case .composed(let weight):
            PackedKey(
                file: weight.codePart.fileNumber, modifiedNanoseconds: weight.modifiedNanoseconds,
                byteOffset: weight.place, rows: shape[0], columns: shape[1], format: format)
        case .stored(let stored):
            PackedKey(
                file: stored.fileNumber, modifiedNanoseconds: stored.file.modifiedNanoseconds,
                byteOffset: stored.byteOffset, rows: shape[0], columns: shape[1], format: format)
        }
    }

    private func packedFromFile(_ columnOrder: [Int32]?) throws(WeightsError) -> PackedMatrix {
        switch source {
        case .composed(let weight):
            try weight.populate(rowCount: shape[0])
            defer { weight.giveBack(rowCount: shape[0]) }
            try weight.checkContent(rowCount: shape[0])
            return try packing { () throws(KernelError) in
                try weight.packed(rowCount: shape[0], columnOrder: columnOrder, placement: placement)
            }
        case .stored(let stored):
            try stored.file.populate(stored.byteRange, tensor: name)
            defer { stored.file.giveBack(stored.byteRange) }
            if let matrix = stored.ordered {
                return try packed(stored.orderedBytes(matrix), stored.format, rows: shape[0], columns: shape[1])
            }
            return try packing { () throws(KernelError) in
                try PackedMatrix(
                    packing: stored.file.bytes(stored.byteRange), rows: shape[0], columns: shape[1],
                    format: stored.format, strides: stored.strided?.strides, placement: placement)
            }
        }
    }

    /// The transposed matrix in the kernels' layout: in the tensor's own format if that is a plain one, else, because
    /// codes share their scales along rows, as the f32 that it decodes to. Kept in the cache as by `packed`; a view is
    /// packed in one of the two ways only.
    public func packedTransposed() throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2 else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of a matrix")
        }
        if case .stored(let stored) = source, stored.format.isPlain { return try transposed().packed() }
        let key = packedKey.transposed(as: .f32)
        if let kept = packedWeights?.matrix(key, columnOrder: nil) { return kept }
        let matrix = try packedTransposed(try floats())
        packedWeights?.add(key, matrix)
        return matrix
    }

    /// The matrix as f32 in the kernels' layout, with rows of zeros behind its own so that there are `rowCount`. Not
    /// kept in the cache.
    public func packed(paddedTo rowCount: Int) throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2, rowCount >= shape[0] else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of \(rowCount) rows at most")
        }
        let floats = try floats() + Array(repeating: 0, count: (rowCount - shape[0]) * shape[1])
        return try packed(floats, .f32, rows: rowCount, columns: shape[1])
    }

    private func packing(
        _ body: () throws(KernelError) -> PackedMatrix
    ) throws(WeightsError) -> PackedMatrix {
        do throws(KernelError) { return try body() } catch {
            throw .packingFailed(tensor: name, reason: "\(error)")
        }
    }

    /// All weights, decoded to f32 (exact for every format). Throws where an order of columns is not what it must be.
    public func floats() throws(WeightsError) -> [Float] {
        switch source {
        case .stored(let rows): return rows.ordered.map(rows.orderedFloats) ?? rows.withBytes(rows.format.decoded)
        case .composed(let weight):
            let order = try weight.columnOrder()
            var floats: [Float] = []
            for index in 0..<(shape.count == 3 ? shape[0] : 1) {
                var matrix = weight
                matrix.matrix += index
                try matrix.checkContent(rowCount: shape[shape.count - 2])
                floats += matrix.decoded(rowCount: shape[shape.count - 2], columnOrder: order)
            }
            return floats
        }
    }

    /// Its rows as they are stored, for looking some of them up.
    ///
    /// Throws `elementTypeUnsupported` where a weight is stored in several tensors.
    public func storedRows() throws(WeightsError) -> StoredRows {
        switch source {
        case .stored(let rows): return rows
        case .composed(let weight):
            throw .elementTypeUnsupported(
                tensor: weight.codePart.name, file: filePath, type: weight.codePart.elementType,
                supported: WeightFormat.plain.map(\.rawValue))
        }
    }
}

/// Weights that lie in a file one behind the other, as numbers or blocks.
public struct StoredRows: Sendable {
    /// How one weight is stored.
    public let format: WeightFormat
    let file: MappedFile
    /// The file's number in the model.
    let fileNumber: Int
    /// Where the first is, in bytes from the start of the file.
    let byteOffset: Int
    /// How many weights.
    let count: Int
    /// How a matrix lies there where it is not row-major.
    var strided: StridedMatrix?
    /// How a matrix lies there where its rows or columns are in another order.
    var ordered: OrderedMatrix?

    /// From the first byte to the end of the last.
    var byteRange: Range<Int> {
        let span = strided.map { $0.strides.span(rows: $0.rows, columns: $0.columns) }
        return byteOffset..<byteOffset + format.byteCount(of: span ?? count)
    }

    /// Every `step`-th row of a matrix from row `first` on; `shape` is that of the result.
    func rows(from first: Int, by step: Int, shape: [Int]) -> StoredRows {
        let strides = strided?.strides ?? MatrixStrides(rows: shape[1], columns: 1)
        return StoredRows(
            format: format, file: file, fileNumber: fileNumber,
            byteOffset: byteOffset + format.byteCount(of: first * strides.rows), count: shape[0] * shape[1],
            strided: StridedMatrix(
                rows: shape[0], columns: shape[1],
                strides: MatrixStrides(rows: step * strides.rows, columns: strides.columns)))
    }

    /// `count` of the parts of `size` weights each, from part `index` on.
    func part(_ index: Int, size: Int, count: Int) -> StoredRows {
        StoredRows(
            format: format, file: file, fileNumber: fileNumber,
            byteOffset: byteOffset + index * format.byteCount(of: size), count: count * size)
    }

    /// Calls `body` with the stored bytes, of any alignment, little-endian; they must not be kept beyond the call.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(strided == nil && ordered == nil, "rows one behind the other")
        return try withExtendedLifetime(file) { try body(file.bytes(byteRange)) }
    }

    /// Takes the pages that were read out of this process's memory; they stay in the system's cache of files, and come
    /// back when they are read again.
    public func giveBackPages() { file.giveBack(byteRange) }
}

/// A matrix with strides between its weights.
struct StridedMatrix {
    let rows: Int
    let columns: Int
    let strides: MatrixStrides
}
