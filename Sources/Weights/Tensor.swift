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
        precondition(!shape.isEmpty && (0..<shape[0]).contains(leadingIndex), "slice \(leadingIndex) of \(shape)")
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
            !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
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
        let rows = try storedRows()
        guard rows.format.isPlain else {
            throw .elementTypeUnsupported(
                tensor: name, file: filePath, type: rows.format.rawValue, supported: WeightFormat.plain.map(\.rawValue))
        }
        return part(shape: [shape[1], shape[0]], .stored(rows.transposed(rowCount: shape[0], columnCount: shape[1])))
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
        if case .composed(var weight) = source, weight.codes == .pairs {
            weight.firstRow += first * weight.rowStep
            weight.rowStep *= step
            return part(shape: shape, .composed(weight))
        }
        let rows = try storedRows()
        return part(
            shape: shape, .stored(rows.every(step, from: first, rowCount: self.shape[0], columnCount: shape[1])))
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

    /// The transposed matrix in the kernels' layout: in the tensor's own format if that is a plain one, else, because
    /// blocks lie along rows, as the f32 that it decodes to. Kept in the cache as by `packed`; a view is packed in one
    /// of the two ways only.
    public func packedTransposed() throws(WeightsError) -> PackedMatrix {
        guard shape.count == 2 else {
            throw .packingFailed(tensor: name, reason: "shape \(shape) is not that of a matrix")
        }
        if format.isPlain { return try transposed().packed() }
        let key = PackedKey(
            file: packedKey.file, modifiedNanoseconds: packedKey.modifiedNanoseconds, byteOffset: packedKey.byteOffset,
            rows: shape[1], columns: shape[0], format: .stored(.f32))
        if let kept = packedWeights?.matrix(key, columnOrder: nil) { return kept }
        let weights = try floats()
        do {
            let matrix = try weights.withUnsafeBytes { bytes in
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
            try weight.checkContent()
            return try packing { () throws(KernelError) in
                try weight.packed(rowCount: shape[0], columnOrder: columnOrder, placement: placement)
            }
        case .stored(let stored):
            try stored.file.populate(stored.byteRange, tensor: name)
            defer { stored.file.giveBack(stored.byteRange) }
            return try packing { () throws(KernelError) in
                try PackedMatrix(
                    packing: stored.file.bytes(stored.byteRange), rows: shape[0], columns: shape[1],
                    format: stored.format, strides: stored.strides, placement: placement)
            }
        }
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
        case .stored(let rows): return rows.withBytes(rows.format.decoded)
        case .composed(let weight):
            let order = try weight.columnOrder()
            guard shape.count == 3 else {
                return weight.decoded(rowCount: count / weight.columns, columnOrder: order)
            }
            return (0..<shape[0]).flatMap { index in
                var matrix = weight
                matrix.matrix += index
                return matrix.decoded(rowCount: shape[1], columnOrder: order)
            }
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
