import CKernels

/// Where the parts of one panel of codes in groups go while it is packed. Everything is zero before, and rows that the
/// matrix does not have stay so.
///
/// The pointers are valid while the panel is filled.
public struct GroupedPanel {
    /// One byte for each code, [columns][16 rows].
    public let codes: UnsafeMutablePointer<UInt8>
    /// Scales in the format's own form, [groups][16 rows]; [groups] f32 where the panel shares them.
    public let scales: UnsafeMutableRawPointer
    /// Zeros as they are stored, [groups][16 rows]; not to be written where the format has none.
    public let zeros: UnsafeMutablePointer<UInt8>

    /// Memory of the caller's: [columns][16], [groups][16] and [groups][16].
    package init(
        codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutableRawPointer, zeros: UnsafeMutablePointer<UInt8>
    ) {
        self.codes = codes
        self.scales = scales
        self.zeros = zeros
    }

    /// Rows of a panel.
    public static let rowCount = panelRows
}

/// Memory to fill panels of one matrix with, one after the other.
struct GroupedPanelScratch: ~Copyable {
    private let layout: colony_group_layout
    private let format: GroupedFormat
    /// Columns, padded to whole blocks.
    private let columns: Int
    /// Integer codes before they are laid out; floats are written where they stay.
    private let codes: UnsafeMutablePointer<UInt8>

    init(_ format: GroupedFormat, columns: Int) {
        self.format = format
        layout = format.layout(columns: columns)
        let multiple = GroupedFormat.columnsMultiple
        self.columns = (columns + multiple - 1) / multiple * multiple
        codes = .allocate(capacity: self.columns * panelRows)
    }

    deinit { codes.deallocate() }

    /// Lets `gather` write the parts of the panel at `target`, whose memory is zero, and lays them out.
    func fill(_ target: UnsafeMutableRawPointer, _ gather: (GroupedPanel) -> Void) {
        let place = target + layout.codes_offset
        let isFloat = format.code == .e4m3
        if !isFloat { codes.update(repeating: 0, count: columns * panelRows) }
        gather(
            GroupedPanel(
                codes: isFloat ? place.assumingMemoryBound(to: UInt8.self) : codes, scales: target,
                zeros: (target + layout.zeros_offset).assumingMemoryBound(to: UInt8.self)))
        if !isFloat { colony_pack_codes(codes, place, columns, Int32(format.code.bits)) }
    }
}

/// In which order a matrix stores its columns: column k meets column `order[k]` of the input.
///
/// `@unchecked Sendable`: written in the initialiser only.
final class ColumnOrder: @unchecked Sendable {
    let base: UnsafePointer<Int32>
    private let memory: UnsafeMutablePointer<Int32>

    init(_ order: [Int32]) {
        memory = .allocate(capacity: order.count)
        memory.initialize(from: order, count: order.count)
        base = UnsafePointer(memory)
    }

    deinit { memory.deallocate() }
}
