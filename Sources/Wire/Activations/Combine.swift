import Basics

/// Where the parts of a `combine` payload lie.
///
/// ```
///   0   pairCount u32 | width u32 | computeMicroseconds u32 | resultForm u32 | zeros to 64
///  64   pairCount rows in the order of the dispatch's pairs, already weighted: width f32 each, or width bfloat16,
///       or for each 32 values 32 × i8 and then for each 32 values one f32
/// ```
public struct CombineLayout: Hashable, Sendable {
    /// Rows: one per pair of the dispatch.
    public let pairCount: Int
    /// Values in a row.
    public let width: Int
    /// How the rows travel.
    public let resultForm: ResultForm

    /// Lays out a payload of a version of the protocol; fails if a limit is passed, or if the version has no such form:
    /// before version 4 there is only f32.
    public init(
        pairCount: Int, width: Int, resultForm: ResultForm = .float32, version: UInt16 = ProtocolVersion.newest
    ) throws(WireError) {
        try DispatchLayout.check("pairCount", pairCount, 0...Limits.Wire.pairsMax)
        try DispatchLayout.check("width", width, 1...Limits.Wire.widthMax)
        try resultForm.check(version: version)
        self.pairCount = pairCount
        self.width = width
        self.resultForm = resultForm
        try DispatchLayout.check("payload", payloadByteCount, 0...Limits.Wire.activationPayloadBytesMax)
    }

    /// First byte of the rows.
    public var rowsOffset: Int { DispatchLayout.headByteCount }
    /// Bytes of a row.
    public var rowByteCount: Int { resultForm.rowByteCount(width: width) }
    /// Bytes of the payload.
    public var payloadByteCount: Int { rowsOffset + pairCount * rowByteCount }

    /// Writes the head into `payload` and gives out the place for the rows (`pairCount` times `rowByteCount` bytes),
    /// which the caller fills.
    ///
    /// - Parameter payload: `payloadByteCount` bytes, aligned to 4.
    public func prepare(_ payload: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        precondition(payload.count == payloadByteCount, "payload has \(payload.count) bytes, not \(payloadByteCount)")
        writeHead([UInt32(pairCount), UInt32(width), 0, resultForm.rawValue, 0, 0, 0], to: payload)
        return UnsafeMutableRawBufferPointer(rebasing: payload[rowsOffset...])
    }

    /// Notes in a prepared payload how long the computation took, in microseconds; longer than an hour is an hour.
    public func setComputeMicroseconds(_ microseconds: Int, in payload: UnsafeMutableRawBufferPointer) {
        let value = UInt32(min(max(microseconds, 0), 3_600_000_000))
        payload.storeBytes(of: value.littleEndian, toByteOffset: 8, as: UInt32.self)
    }
}

/// A `combine` payload, read where it lies.
///
/// It borrows the bytes: they must outlive it.
public struct CombineView {
    /// The counts, and the form of the rows.
    public let layout: CombineLayout
    /// Time that the worker computed, in microseconds.
    public let computeMicroseconds: Int
    /// The results, `pairCount` rows in the layout's form.
    public let rows: UnsafeRawBufferPointer

    /// Checks a payload, all of it but the values themselves.
    ///
    /// - Parameters:
    ///   - payload: aligned to 4 bytes, as everything is that comes from a link.
    ///   - version: the protocol version that the payload is of.
    public init(
        decoding payload: UnsafeRawBufferPointer, version: UInt16 = ProtocolVersion.newest
    ) throws(WireError) {
        let hasForms = version >= ProtocolVersion.resultForms
        let head = try readHead(payload, fieldCount: hasForms ? 4 : 3, name: "combine")
        let layout = try CombineLayout(
            pairCount: Int(head[0]), width: Int(head[1]), resultForm: ResultForm(reading: head[3]), version: version)
        guard payload.count == layout.payloadByteCount else {
            throw .sizeMismatch(expectedByteCount: layout.payloadByteCount, foundByteCount: payload.count)
        }
        self.layout = layout
        computeMicroseconds = Int(head[2])
        rows = UnsafeRawBufferPointer(rebasing: payload[layout.rowsOffset...])
    }

    /// The row of one pair, `rowByteCount` bytes.
    public func row(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: rows[index * layout.rowByteCount..<(index + 1) * layout.rowByteCount])
    }
}
