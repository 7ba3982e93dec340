import Basics
import CKernels

/// The weights of a linear layer with its rows interleaved in panels of 16, the last panel padded with zeros:
/// [panel][column][16 rows], or [panel][block][field][16 rows] of formats that are stored in blocks. One lane is one
/// row, which is what makes every instruction set add in the same order. Nothing grows by it but the padding.
///
/// On a machine with several nodes of memory the panels lie in several parts, see `ThreadPlacement`.
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
    /// The packed bytes of the first part, which `owner` keeps where they are.
    let base: UnsafeRawPointer
    /// Every part, where there are several.
    let parts: [Part]
    private let owner: any AnyObject & Sendable

    /// Panels that lie together.
    struct Part {
        let panels: Range<Int>
        /// Where panel 0 would lie if it lay here too, so that panels have the same numbers in every part.
        let base: UnsafeRawPointer
    }

    /// Interleaves row-major `source` ([rows][columns], at any alignment).
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, `matrixSizeMismatch`, or `outOfMemory`.
    public convenience init(
        packing source: UnsafeRawBufferPointer, rows: Int, columns: Int, format: WeightFormat,
        placement: WeightPlacement = .anywhere
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: format)
        let rowBytes = format.byteCount(of: columns)
        guard source.count == rows * rowBytes, let sourceBase = source.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: rows * rowBytes, foundBytes: source.count)
        }
        try self.init(rows: rows, columns: columns, format: format, placement: placement) { panels, target in
            guard let targetBase = target.baseAddress else { return }
            let first = panels.lowerBound * panelRows
            let count = min(panels.upperBound * panelRows, rows) - first
            if format.isPlain {
                colony_pack_panels(sourceBase + first * rowBytes, targetBase, count, columns, format.bytesPerBlock)
            } else {
                colony_pack_blocks(
                    Int32(format.tableIndex), sourceBase + first * rowBytes, targetBase, count, columns)
            }
        }
    }

    /// Interleaves weights of a plain format that are stored transposed: row-major `source` is [columns][rows].
    ///
    /// Throws `matrixShapeInvalid`, `matrixSizeMismatch`, or `outOfMemory`.
    public convenience init(
        packingTransposed source: UnsafeRawBufferPointer, rows: Int, columns: Int, format: WeightFormat,
        placement: WeightPlacement = .anywhere
    ) throws(KernelError) {
        precondition(format.isPlain, "blocks lie along rows")
        try Self.check(rows: rows, columns: columns, format: format)
        let weightBytes = format.bytesPerBlock
        guard source.count == rows * columns * weightBytes, let sourceBase = source.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: rows * columns * weightBytes, foundBytes: source.count)
        }
        try self.init(rows: rows, columns: columns, format: format, placement: placement) { panels, target in
            guard let targetBase = target.baseAddress else { return }
            let first = panels.lowerBound * panelRows
            let count = min(panels.upperBound * panelRows, rows) - first
            colony_pack_transposed(sourceBase + first * weightBytes, targetBase, count, columns, rows, weightBytes)
        }
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
        parts = []
        (self.rows, self.columns, self.format) = (rows, columns, format)
    }

    /// A matrix that was packed before, in memory of its own: `fill` writes some of the packed bytes, which begin at
    /// `offset`, and answers whether it could. Nil if it could not.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial` or `outOfMemory`.
    package convenience init?(
        rows: Int, columns: Int, format: WeightFormat, placement: WeightPlacement = .anywhere,
        fill: (_ offset: Int, UnsafeMutableRawBufferPointer) -> Bool
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: format)
        let panelBytes = panelRows * format.byteCount(of: columns)
        var isFilled = true
        try self.init(rows: rows, columns: columns, format: format, placement: placement) { panels, target in
            isFilled = isFilled && fill(panels.lowerBound * panelBytes, target)
        }
        guard isFilled else { return nil }
    }

    /// Takes memory for each share's panels and lets `fill` write them. The shape was checked.
    private init(
        rows: Int, columns: Int, format: WeightFormat, placement: WeightPlacement,
        fill: (_ panels: Range<Int>, UnsafeMutableRawBufferPointer) -> Void
    ) throws(KernelError) {
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
        (self.rows, self.columns, self.format) = (rows, columns, format)
        let panelBytes = panelRows * format.byteCount(of: columns)
        let panelCount = byteCount / panelBytes
        let threads = placement.threads
        var memories: [WeightMemory] = []
        var parts: [Part] = []
        for (index, share) in threads.shares.enumerated() {
            let panels = threads.cut.panels(part: index, of: panelCount)
            let partBytes = panels.count * panelBytes
            let memory = placement.memory(of: share, byteCount: partBytes) { if !panels.isEmpty { fill(panels, $0) } }
            guard let memory else { throw .outOfMemory(byteCount: partBytes) }
            memories.append(memory)
            parts.append(Part(panels: panels, base: UnsafeRawPointer(memory.base) - panels.lowerBound * panelBytes))
        }
        base = parts[0].base
        self.parts = parts.count > 1 ? parts : []
        owner = OwnedMemory(memories)
    }

    /// Calls `body` with the packed bytes, one part after the other; they must not be kept beyond the call.
    package func withPackedBytes<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        defer { withExtendedLifetime(self) {} }
        let panelBytes = byteCount / panelCount
        for part in parts.isEmpty ? [Part(panels: 0..<panelCount, base: base)] : parts where !part.panels.isEmpty {
            let start = part.base + part.panels.lowerBound * panelBytes
            try body(UnsafeRawBufferPointer(start: start, count: part.panels.count * panelBytes))
        }
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

/// Keeps the memory of a matrix's parts.
private final class OwnedMemory: Sendable {
    private let memories: [WeightMemory]

    init(_ memories: [WeightMemory]) { self.memories = memories }
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
