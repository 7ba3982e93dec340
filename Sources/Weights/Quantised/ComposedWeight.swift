import Kernels

/// A weight that is stored as several tensors: codes and scales, maybe zeros and an order of columns. It may be one
/// matrix, or one for each of several experts; a view of it is some rows of one of them, or all of it.
struct ComposedWeight: Sendable {
    /// How codes lie in their tensor.
    enum Codes: Hashable, Sendable {
        /// 4-bit integers [columns][rows / 8], eight rows in a word in an order of their own.
        case awq
        /// Integers of some bits [rows][columns / n], n neighbouring columns in a word, low bits first.
        case compressed(bits: Int)
        /// 8-bit floats [rows][columns].
        case e4m3
        /// Integers of some bits [columns / n][rows], n neighbouring columns in a word, low bits first.
        case gptq(bits: Int)
        /// 4-bit floats [rows][columns / 2], two neighbouring columns in a byte, low bits first.
        case pairs
    }

    let codes: Codes
    let codePart: WeightPart
    let scalePart: WeightPart
    var zeroPart: WeightPart?
    /// For each column its group.
    var groupPart: WeightPart?
    /// Rows and columns, once more.
    var shapePart: WeightPart?
    /// How many matrices the tensors hold.
    let matrixCount: Int
    /// Rows of one of these.
    let storedRows: Int
    let columns: Int
    /// Columns that share a scale; nil: all.
    let groupColumns: Int?
    /// Rows that share a scale.
    var scaleRows = 1
    var zeros = GroupedFormat.Zeros.center
    /// Whether columns are grouped in another order than that in which they are stored.
    var isReordered = false
    /// The matrix of the view, and its first row.
    var matrix = 0
    var firstRow = 0
    /// From a row of the view to the next, in stored rows; not 1 only for pairs.
    var rowStep = 1

    /// Groups of a row.
    var groupCount: Int { groupColumns.map { (columns + $0 - 1) / $0 } ?? 1 }

    /// All parts.
    var parts: [WeightPart] { [codePart, scalePart] + [zeroPart, groupPart, shapePart].compactMap(\.self) }

    /// How the view is packed. Rows of a panel have one scale where no panel has rows of two blocks.
    var format: MatrixFormat {
        let isShared =
            scaleRows >= storedRows
            || (scaleRows % GroupedPanel.rowCount == 0
                && firstRow % GroupedPanel.rowCount == 0)
        switch codes {
        case .pairs: return .stored(.mxfp4)
        case .e4m3:
            return .grouped(
                GroupedFormat(code: .e4m3, groupColumns: groupColumns, scale: .f32, isSharedByPanel: isShared))
        case .awq: return integers(bits: 4)
        case .compressed(let bits), .gptq(let bits): return integers(bits: bits)
        }
    }

    private func integers(bits: Int) -> MatrixFormat {
        .grouped(
            GroupedFormat(
                code: bits == 4 ? .int4 : .int8, groupColumns: groupColumns, scale: scaleFormat, zeros: zeros,
                isReordered: isReordered))
    }

    private var scaleFormat: GroupedFormat.Scale {
        switch scalePart.elementType {
        case "BF16": .bf16
        case "F16": .f16
        default: .f32
        }
    }

    /// A number for the view that no other view of the model has, in bytes from the start of the codes' file: a row has
    /// at least a byte.
    var place: Int { codePart.range(matrix, of: matrixCount).lowerBound + firstRow }

    /// When any of the files was changed last.
    var modifiedNanoseconds: Int64 { parts.map(\.file.modifiedNanoseconds).max() ?? 0 }

    /// Makes sure that what the view's rows need can be read.
    func populate(rowCount: Int) throws(WeightsError) {
        for part in parts { try part.file.populate(range(of: part, rowCount: rowCount), tensor: part.name) }
    }

    /// Gives the pages of these rows back.
    func giveBack(rowCount: Int) {
        for part in parts { part.file.giveBack(range(of: part, rowCount: rowCount)) }
    }

    func range(of part: WeightPart, rowCount: Int) -> Range<Int> {
        if part.name == groupPart?.name || part.name == shapePart?.name { return part.range(0, of: 1) }
        let whole = part.range(matrix, of: matrixCount)
        guard part.name == codePart.name else { return whole }
        switch codes {
        case .awq, .gptq: return whole
        case .compressed, .e4m3, .pairs:
            let rowBytes = whole.count / max(storedRows, 1)
            let start = whole.lowerBound + firstRow * rowBytes
            return start..<start + ((rowCount - 1) * rowStep + 1) * rowBytes
        }
    }
}
