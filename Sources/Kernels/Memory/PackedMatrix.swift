import Basics
import CKernels

/// The weights of a linear layer with its rows interleaved in panels of 16, the last panel padded with zeros:
/// [panel][column][16 rows], or [panel][block][field][16 rows] of formats that are stored in blocks. One lane is one
/// row, which is what makes every instruction set add in the same order. Nothing grows by it but the padding.
///
/// `@unchecked Sendable`: written once, before or in the initialiser.
public final class PackedMatrix: @unchecked Sendable {
    /// Output features.
    public let rows: Int
    /// Input features.
    public let columns: Int
    /// How each weight is stored.
    public let format: WeightFormat
    /// Size in memory, padding included.
    public let byteCount: Int
    /// The packed bytes, which `owner` keeps where they are.
    let base: UnsafeRawPointer
    private let owner: any AnyObject & Sendable

    /// Interleaves row-major `source` ([rows][columns], at any alignment).
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, `matrixSizeMismatch`, or `outOfMemory`.
    public init(packing source: UnsafeRawBufferPointer, rows: Int, columns: Int, format: WeightFormat)
        throws(KernelError)
    {
        try Self.check(rows: rows, columns: columns, format: format)
        let expected = rows * format.byteCount(of: columns)
        guard source.count == expected, let sourceBase = source.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: expected, foundBytes: source.count)
        }
        let memory = try Self.memory(rows: rows, columns: columns, format: format)
        if format.isPlain {
            colony_pack_panels(sourceBase, memory.base, rows, columns, format.bytesPerBlock)
        } else {
            colony_pack_blocks(Int32(format.tableIndex), sourceBase, memory.base, rows, columns)
        }
        base = UnsafeRawPointer(memory.base)
        owner = memory
        (self.rows, self.columns, self.format) = (rows, columns, format)
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
    }

    /// A matrix that was packed before (by this `layoutVersion`) and lies at `packed`, where `owner` keeps it.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial` or `matrixSizeMismatch`.
    package init(
        packed: UnsafeRawBufferPointer, owner: any AnyObject & Sendable, rows: Int, columns: Int, format: WeightFormat
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: format)
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
        guard packed.count == byteCount, let base = packed.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: byteCount, foundBytes: packed.count)
        }
        self.base = base
        self.owner = owner
        (self.rows, self.columns, self.format) = (rows, columns, format)
    }

    /// A matrix that was packed before, in memory of its own: `fill` writes it and answers whether it could. Nil if it
    /// could not.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial` or `outOfMemory`.
    package init?(
        rows: Int, columns: Int, format: WeightFormat, fill: (UnsafeMutableRawBufferPointer) -> Bool
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: format)
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
        let memory = try Self.memory(rows: rows, columns: columns, format: format)
        guard fill(UnsafeMutableRawBufferPointer(start: memory.base, count: byteCount)) else { return nil }
        base = UnsafeRawPointer(memory.base)
        owner = memory
        (self.rows, self.columns, self.format) = (rows, columns, format)
    }

    /// Calls `body` with the packed bytes, which must not be kept beyond the call.
    package func withPackedBytes<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        defer { withExtendedLifetime(self) {} }
        try body(UnsafeRawBufferPointer(start: base, count: byteCount))
    }

    private static func check(rows: Int, columns: Int, format: WeightFormat) throws(KernelError) {
        let rowsMax = Limits.Kernels.matrixRowsMax
        let columnsMax = Limits.Kernels.matrixColumnsMax
        guard (1...rowsMax).contains(rows), (1...columnsMax).contains(columns) else {
            throw .matrixShapeInvalid(rows: rows, columns: columns, rowsMax: rowsMax, columnsMax: columnsMax)
        }
        guard columns % format.columnsPerBlock == 0 else {
            throw .matrixBlocksPartial(columns: columns, format: format)
        }
    }

    private static func memory(rows: Int, columns: Int, format: WeightFormat) throws(KernelError) -> WeightMemory {
        let byteCount = byteCount(rows: rows, columns: columns, format: format)
        guard let memory = WeightMemory.allocate(byteCount: byteCount) else {
            throw .outOfMemory(byteCount: byteCount)
        }
        return memory
    }

    /// The layout of packed bytes. It counts up whenever the packing code changes what it writes, so that no cache on a
    /// disk is read as something else; a test holds the two together.
    package static let layoutVersion: UInt32 = 1

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
