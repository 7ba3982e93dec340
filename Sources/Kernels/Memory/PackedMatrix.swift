import Basics
import CKernels

/// The weights of a linear layer with its rows interleaved in panels of 16, the last panel padded with zeros:
/// [panel][column][16 rows], or [panel][block][field][16 rows] of formats that are stored in blocks. One lane is one
/// row, which is what makes every instruction set add in the same order. Nothing grows by it but the padding. Codes in
/// groups have the scales of a panel before its codes, see `GroupedFormat`.
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
    public let format: MatrixFormat
    /// Size in memory, padding included.
    public let byteCount: Int
    /// Where a panel has what, of codes in groups.
    let groups: colony_group_layout
    /// The packed bytes of the first part, which `owner` keeps where they are.
    let base: UnsafeRawPointer
    /// Every part, where there are several.
    let parts: [Part]
    private let owner: any AnyObject & Sendable
    private let columnOrder: ColumnOrder?

    /// Panels that lie together.
    struct Part {
        let panels: Range<Int>
        /// Where panel 0 would lie if it lay here too, so that panels have the same numbers in every part.
        let base: UnsafeRawPointer
    }

    /// Interleaves `source` ([rows][columns], at any alignment): row-major, or with `strides` between its weights.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, `matrixSizeMismatch`, or `outOfMemory`.
    public convenience init(
        packing source: UnsafeRawBufferPointer, rows: Int, columns: Int, format: WeightFormat,
        strides: MatrixStrides? = nil, placement: WeightPlacement = .anywhere
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: .stored(format))
        let strides = strides ?? MatrixStrides(rows: columns, columns: 1)
        precondition(format.isPlain || strides.columns == 1, "blocks are stored whole")
        let byteSpan = format.byteCount(of: strides.span(rows: rows, columns: columns))
        guard source.count == byteSpan, let sourceBase = source.baseAddress else {
            throw .matrixSizeMismatch(expectedBytes: byteSpan, foundBytes: source.count)
        }
        let rowBytes = format.byteCount(of: strides.rows)
        try self.init(rows: rows, columns: columns, format: .stored(format), nil, placement) { panels, target in
            guard let targetBase = target.baseAddress else { return }
            let first = panels.lowerBound * panelRows
            let count = min(panels.upperBound * panelRows, rows) - first
            if format.isPlain {
                colony_pack_panels(
                    sourceBase + first * rowBytes, targetBase, count, columns, strides.rows, strides.columns,
                    format.bytesPerBlock)
            } else {
                colony_pack_blocks(
                    Int32(format.tableIndex), sourceBase + first * rowBytes, targetBase, count, columns, rowBytes)
            }
        }
    }

    /// Packs rows of blocks that `gather` puts together, those of some rows, one behind the other, at a time.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, or `outOfMemory`.
    public convenience init(
        rows: Int, columns: Int, blocks format: WeightFormat, placement: WeightPlacement = .anywhere,
        gather: (_ rows: Range<Int>, UnsafeMutableRawBufferPointer) -> Void
    ) throws(KernelError) {
        precondition(!format.isPlain, "plain weights are packed from where they lie")
        try Self.check(rows: rows, columns: columns, format: .stored(format))
        let rowBytes = format.byteCount(of: columns)
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: panelRows * rowBytes, alignment: 64)
        defer { scratch.deallocate() }
        try self.init(rows: rows, columns: columns, format: .stored(format), nil, placement) { panels, target in
            for panel in panels {
                let range = panel * panelRows..<min((panel + 1) * panelRows, rows)
                gather(range, UnsafeMutableRawBufferPointer(rebasing: scratch[..<(range.count * rowBytes)]))
                guard let source = scratch.baseAddress, let base = target.baseAddress else { return }
                colony_pack_blocks(
                    Int32(format.tableIndex), source, base + (panel - panels.lowerBound) * scratch.count,
                    range.count, columns, rowBytes)
            }
        }
    }

    /// Packs codes in groups, which `gather` fills in panel by panel. `columnOrder` says for each stored column which
    /// column of the input it meets; it is needed where the format is reordered.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial`, or `outOfMemory`.
    public convenience init(
        rows: Int, columns: Int, groups format: GroupedFormat, columnOrder: [Int32]? = nil,
        placement: WeightPlacement = .anywhere, gather: (_ rows: Range<Int>, GroupedPanel) -> Void
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: .grouped(format))
        let scratch = GroupedPanelScratch(format, columns: columns)
        let panelBytes = MatrixFormat.grouped(format).panelBytes(columns: columns)
        try self.init(
            rows: rows, columns: columns, format: .grouped(format), columnOrder, placement
        ) { panels, target in
            guard let base = target.baseAddress else { return }
            for panel in panels {
                let range = panel * panelRows..<min((panel + 1) * panelRows, rows)
                scratch.fill(base + (panel - panels.lowerBound) * panelBytes) { gather(range, $0) }
            }
        }
    }

    /// A matrix that was packed before (by this `layoutVersion`) and lies at `packed`, where `owner` keeps it.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial` or `matrixSizeMismatch`.
    package init(
        packed: UnsafeRawBufferPointer, owner: any AnyObject & Sendable, rows: Int, columns: Int, format: MatrixFormat,
        columnOrder: [Int32]? = nil
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
        self.columnOrder = Self.checked(columnOrder, columns: columns, format: format)
        groups = Self.groups(format, columns: columns, self.columnOrder)
    }

    /// A matrix that was packed before, in memory of its own: `fill` writes some of the packed bytes, which begin at
    /// `offset`, and answers whether it could. Nil if it could not.
    ///
    /// Throws `matrixShapeInvalid`, `matrixBlocksPartial` or `outOfMemory`.
    package convenience init?(
        rows: Int, columns: Int, format: MatrixFormat, columnOrder: [Int32]? = nil,
        placement: WeightPlacement = .anywhere, fill: (_ offset: Int, UnsafeMutableRawBufferPointer) -> Bool
    ) throws(KernelError) {
        try Self.check(rows: rows, columns: columns, format: format)
        let panelBytes = format.panelBytes(columns: columns)
        var isFilled = true
        try self.init(rows: rows, columns: columns, format: format, columnOrder, placement) { panels, target in
            isFilled = isFilled && fill(panels.lowerBound * panelBytes, target)
        }
        guard isFilled else { return nil }
    }

    /// Takes memory for each share's panels and lets `fill` write them. The shape was checked.
    private init(
        rows: Int, columns: Int, format: MatrixFormat, _ columnOrder: [Int32]?, _ placement: WeightPlacement,
        fill: (_ panels: Range<Int>, UnsafeMutableRawBufferPointer) -> Void
    ) throws(KernelError) {
        byteCount = Self.byteCount(rows: rows, columns: columns, format: format)
        (self.rows, self.columns, self.format) = (rows, columns, format)
        self.columnOrder = Self.checked(columnOrder, columns: columns, format: format)
        groups = Self.groups(format, columns: columns, self.columnOrder)
        let panelBytes = format.panelBytes(columns: columns)
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

    /// A kernel reads the input where the order says: it must not say anything outside.
    private static func checked(_ order: [Int32]?, columns: Int, format: MatrixFormat) -> ColumnOrder? {
        guard case .grouped(let groups) = format, groups.isReordered else { return nil }
        guard let order else { preconditionFailure("reordered columns come with their order") }
        precondition(order.count == columns && order.allSatisfy { (0..<columns).contains(Int($0)) }, "no such column")
        return ColumnOrder(order)
    }

    private static func groups(_ format: MatrixFormat, columns: Int, _ order: ColumnOrder?) -> colony_group_layout {
        guard case .grouped(let groups) = format else { return colony_group_layout() }
        var layout = groups.layout(columns: columns)
        layout.column_order = order?.base
        return layout
    }

    private static func check(rows: Int, columns: Int, format: MatrixFormat) throws(KernelError) {
        let rowsMax = Limits.Kernels.matrixRowsMax
        let isGrouped = if case .grouped = format { true } else { false }
        let columnsMax = isGrouped ? Limits.Kernels.groupedColumnsMax : Limits.Kernels.matrixColumnsMax
        guard (1...rowsMax).contains(rows), (1...columnsMax).contains(columns) else {
            throw .matrixShapeInvalid(rows: rows, columns: columns, rowsMax: rowsMax, columnsMax: columnsMax)
        }
        guard columns % format.columnsMultiple == 0 else {
            throw .matrixBlocksPartial(columns: columns, format: format)
        }
    }

    /// The layout of packed bytes. It counts up whenever the packing code changes what it writes, so that no cache on a
    /// disk is read as something else; a test holds the two together.
    package static let layoutVersion: UInt32 = 1

    /// What a matrix of this shape occupies once it is packed, in bytes.
    public static func byteCount(rows: Int, columns: Int, format: MatrixFormat) -> Int {
        (rows + panelRows - 1) / panelRows * format.panelBytes(columns: columns)
    }

    /// How many panels of 16 rows.
    var panelCount: Int { (rows + panelRows - 1) / panelRows }
}

/// Keeps the memory of a matrix's parts.
private final class OwnedMemory: Sendable {
    private let memories: [WeightMemory]

    init(_ memories: [WeightMemory]) { self.memories = memories }
}

/// How far apart the weights of a matrix lie where it is not row-major: transposed, or every other row of another one.
public struct MatrixStrides: Hashable, Sendable {
    /// Weights from one row to the next; whole blocks.
    public let rows: Int
    /// Weights from one column to the next; 1 for formats of blocks.
    public let columns: Int

    /// Describes a matrix whose neighbouring rows and columns are so far apart.
    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    /// Weights from the first of the matrix to its last.
    public func span(rows: Int, columns: Int) -> Int { (rows - 1) * self.rows + (columns - 1) * self.columns + 1 }
}

/// Rows of a panel.
let panelRows = Int(COLONY_LANES)
