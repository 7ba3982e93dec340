import Basics

/// Where the parts of a `combine` payload lie.
///
/// ```
///   0   pairCount u32 | width u32 | computeMicroseconds u32 | zeros to 64
///  64   pairCount × width f32: the rows in the order of the dispatch's pairs, already weighted
/// ```
public struct CombineLayout: Hashable, Sendable {
    /// Rows: one per pair of the dispatch.
    public let pairCount: Int
    /// Values in a row.
    public let width: Int

    /// Lays out a payload; fails if a limit is passed.
    public init(pairCount: Int, width: Int) throws(WireError) {
        try DispatchLayout.check("pairCount", pairCount, 0...Limits.Wire.pairsMax)
        try DispatchLayout.check("width", width, 1...Limits.Wire.widthMax)
        self.pairCount = pairCount
        self.width = width
        try DispatchLayout.check("payload", payloadByteCount, 0...Limits.Wire.activationPayloadBytesMax)
    }

    /// First byte of the rows.
    public var rowsOffset: Int { DispatchLayout.headByteCount }
    /// Bytes of the payload.
    public var payloadByteCount: Int { rowsOffset + pairCount * width * 4 }

    /// Writes the head into `payload` and gives out the place for the rows, which the caller fills.
    ///
    /// - Parameter payload: `payloadByteCount` bytes, aligned to 4.
    public func prepare(_ payload: UnsafeMutableRawBufferPointer) -> UnsafeMutableBufferPointer<Float> {
        precondition(payload.count == payloadByteCount, "payload has \(payload.count) bytes, not \(payloadByteCount)")
        writeHead([UInt32(pairCount), UInt32(width), 0, 0, 0, 0, 0], to: payload)
        return UnsafeMutableRawBufferPointer(rebasing: payload[rowsOffset...]).bindMemory(to: Float.self)
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
    /// The counts.
    public let layout: CombineLayout
    /// Time that the worker computed, in microseconds.
    public let computeMicroseconds: Int
    /// `pairCount` rows of `width` values.
    public let rows: UnsafeBufferPointer<Float>

    /// Checks a payload, all of it but the values themselves.
    ///
    /// - Parameter payload: aligned to 4 bytes, as everything is that comes from a link.
    public init(decoding payload: UnsafeRawBufferPointer) throws(WireError) {
        let head = try readHead(payload, fieldCount: 3, name: "combine")
        let layout = try CombineLayout(pairCount: Int(head[0]), width: Int(head[1]))
        guard payload.count == layout.payloadByteCount else {
            throw .sizeMismatch(expectedByteCount: layout.payloadByteCount, foundByteCount: payload.count)
        }
        self.layout = layout
        computeMicroseconds = Int(head[2])
        rows = UnsafeRawBufferPointer(rebasing: payload[layout.rowsOffset...]).bindMemory(to: Float.self)
    }

    /// The row of one pair, `width` values.
    public func row(_ index: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(rebasing: rows[index * layout.width..<(index + 1) * layout.width])
    }
}
