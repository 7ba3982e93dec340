import Basics
import CKernels

/// The weights of a linear layer with its rows interleaved in panels of 16, the last panel padded with zeros:
/// [panel][column][16 rows], or [panel][block][field][16 rows] of formats that are stored in blocks. One lane is one
/// row, which is what makes every instruction set add in the same order. Nothing grows by it but the padding.
///
/// `@unchecked Sendable`: written once, in the initialiser.
public final class PackedMatrix: @unchecked Sendable {
    /// Output features.
    public let rows: Int
    /// Input features.
    public let columns: Int
    /// How each weight is stored.
    public let format: WeightFormat
    /// Size in memory, padding included.
    public let byteCount: Int
    private let memory: WeightMemory
    var base: UnsafeMutableRawPointer { memory.base }

    /// Interleaves row-major `source` ([rows][columns], at any alignment).
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, `matrixSizeMismatch`, or `outOfMemory`.
    public init(packing source: UnsafeRawBufferPointer, rows: Int, columns: Int, format: WeightFormat)
        throws(KernelError)
    {
        let rowsMax = Limits.Kernels.matrixRowsMax
        let columnsMax = Limits.Kernels.matrixColumnsMax
        guard (1...rowsMax).contains(rows), (1...columnsMax).contains(columns) else {
            throw .matrixShapeInvalid(rows: rows, columns: columns, rowsMax: rowsMax, columnsMax: columnsMax)
        }
        guard columns % format.columnsPerBlock == 0 else {
            throw .matrixBlocksPartial(columns: columns, format: format)
        }
        let expected = rows * format.byteCount(of: columns)
        guard source.count == expected, let sourceBase = source.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: expected, foundBytes: source.count)
        }
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
        guard let memory = WeightMemory.allocate(byteCount: byteCount) else {
            throw .outOfMemory(byteCount: byteCount)
        }
        self.memory = memory
        self.rows = rows
        self.columns = columns
        self.format = format
        if format.isPlain {
            colony_pack_panels(sourceBase, base, rows, columns, format.bytesPerBlock)
        } else {
            colony_pack_blocks(Int32(format.tableIndex), sourceBase, base, rows, columns)
        }
    }

    /// What a matrix of this shape occupies once it is packed, in bytes.
    public static func byteCount(rows: Int, columns: Int, format: WeightFormat) -> Int {
        (rows + panelRows - 1) / panelRows * panelRows * format.byteCount(of: columns)
    }

    /// How many panels of 16 rows.
    var panelCount: Int { (rows + panelRows - 1) / panelRows }
}

/// Rows of a panel.
let panelRows = Int(COLONY_LANES)

/// The three projections of a gated feed-forward expert.
public struct ExpertWeights: Sendable {
    /// [intermediate x hidden], goes through the activation.
    public let gate: PackedMatrix
    /// [intermediate x hidden].
    public let up: PackedMatrix
    /// [hidden x intermediate].
    public let down: PackedMatrix

    /// Joins three projections whose shapes fit each other.
    public init(gate: PackedMatrix, up: PackedMatrix, down: PackedMatrix) {
        precondition(gate.rows == up.rows && gate.columns == up.columns, "gate and up differ in shape")
        precondition(down.columns == gate.rows, "down does not take what gate gives")
        self.gate = gate
        self.up = up
        self.down = down
    }

    /// Size in memory of all three.
    public var byteCount: Int { gate.byteCount + up.byteCount + down.byteCount }
}
