import Kernels

/// An order of the rows or columns of a stored matrix in which two neighbouring factors of their index have changed
/// places: what the model calls row `((group · outer + o) · inner + i) · unit + u` lies in the file as
/// `((group · inner + i) · outer + o) · unit + u`, for o below `outer` and i below `inner`, both counted behind the
/// `first` rows, which are where they are.
///
/// The halves of a head that are stored as pairs are one (`unit` 1), heads that are grouped in another way another
/// (`unit` the width of a head).
public struct IndexExchange: Hashable, Sendable {
    /// How many come first and stay where they are.
    public let first: Int
    /// The factor that varies slowest in the model's index.
    public let outer: Int
    /// The factor that varies faster in the model's index.
    public let inner: Int
    /// How many neighbours stay beside each other.
    public let unit: Int
    /// How many make up a group.
    private let period: Int

    /// Nil unless the factors are positive, `first` is not negative, and a group is no more than `Int` can count.
    init?(first: Int = 0, outer: Int, inner: Int, unit: Int = 1) {
        let (pairs, pairsOverflow) = outer.multipliedReportingOverflow(by: inner)
        let (period, overflow) = pairs.multipliedReportingOverflow(by: unit)
        guard first >= 0, outer > 0, inner > 0, unit > 0, !pairsOverflow, !overflow else { return nil }
        (self.first, self.outer, self.inner, self.unit, self.period) = (first, outer, inner, unit, period)
    }

    /// Whether so many are whole groups behind the first.
    func fits(count: Int) -> Bool { count >= first && (count - first) % period == 0 }

    /// Where the file has what the model calls `index`.
    public func stored(_ index: Int) -> Int {
        guard index >= first else { return index }
        let (group, place) = (index - first).quotientAndRemainder(dividingBy: period)
        let (pair, rest) = place.quotientAndRemainder(dividingBy: unit)
        let (slow, fast) = pair.quotientAndRemainder(dividingBy: inner)
        return first + group * period + (fast * outer + slow) * unit + rest
    }
}

/// In which order a matrix lies in its file where that is not the model's.
struct StoredOrder: Hashable, Sendable {
    var rows: IndexExchange?
    var columns: IndexExchange?

    /// Whether a tensor of these dimensions has such rows and columns.
    func fits(_ shape: [Int]) -> Bool {
        let columnCount = shape.dropFirst().reduce(1, *)
        return rows?.fits(count: shape.first ?? 1) ?? true && columns?.fits(count: columnCount) ?? true
    }
}

extension StoredRows {
    /// The order of columns that is left when the matrix is packed: nil where weights, or whole blocks of them, can be
    /// moved. Otherwise the input has to be brought into the file's order.
    var remainingColumns: IndexExchange? {
        guard let columns = ordered?.order.columns else { return nil }
        let block = format.columnsPerBlock
        return columns.unit % block == 0 && columns.first % block == 0 ? nil : columns
    }

    /// The matrix's bytes in the model's order, with the columns that can be moved; `matrix` says what is stored.
    func orderedBytes(_ matrix: OrderedMatrix) -> [UInt8] {
        let source = file.bytes(byteRange)
        let columns = remainingColumns == nil ? matrix.order.columns : nil
        let rowBytes = format.byteCount(of: matrix.columns)
        return [UInt8](unsafeUninitializedCapacity: source.count) { target, filled in
            let target = UnsafeMutableRawBufferPointer(target)
            for row in 0..<matrix.rows {
                let stored = UnsafeRawBufferPointer(
                    rebasing: source[matrix.rowRange(matrix.order.rows?.stored(row) ?? row, rowBytes)])
                let place = UnsafeMutableRawBufferPointer(rebasing: target[matrix.rowRange(row, rowBytes)])
                moveColumns(columns, of: matrix.columns, from: stored, to: place)
            }
            filled = source.count
        }
    }

    private func moveColumns(
        _ columns: IndexExchange?, of count: Int, from stored: UnsafeRawBufferPointer,
        to target: UnsafeMutableRawBufferPointer
    ) {
        guard let columns else { return target.copyMemory(from: stored) }
        func move(_ range: Range<Int>) {
            let size = format.byteCount(of: range.count)
            let (from, to) = (columns.stored(range.lowerBound), range.lowerBound)
            let place = UnsafeMutableRawBufferPointer(rebasing: target[format.byteCount(of: to)...])
            let begin = format.byteCount(of: from)
            place.copyMemory(from: UnsafeRawBufferPointer(rebasing: stored[begin..<begin + size]))
        }
        if columns.first > 0 { move(0..<columns.first) }
        for column in stride(from: columns.first, to: count, by: columns.unit) { move(column..<column + columns.unit) }
    }

    /// All weights in the model's order.
    func orderedFloats(_ matrix: OrderedMatrix) -> [Float] {
        let weights = format.decoded(file.bytes(byteRange))
        guard matrix.order.columns != nil || matrix.order.rows != nil else { return weights }
        return (0..<matrix.rows).flatMap { row in
            let start = (matrix.order.rows?.stored(row) ?? row) * matrix.columns
            return (0..<matrix.columns).map { weights[start + (matrix.order.columns?.stored($0) ?? $0)] }
        }
    }
}

/// A matrix that lies in its file in another order.
struct OrderedMatrix {
    let order: StoredOrder
    let rows: Int
    let columns: Int

    fileprivate func rowRange(_ row: Int, _ rowBytes: Int) -> Range<Int> { row * rowBytes..<(row + 1) * rowBytes }
}
