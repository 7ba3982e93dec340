public import Basics

/// A token row that goes through an expert, with the weight that the result is multiplied with. Lies in memory as it
/// does on the wire: three times 32 bits, little-endian.
public struct DispatchPair: Hashable, Sendable {
    /// Which of the frame's activation rows.
    public var tokenRow: UInt32
    /// The expert, within the frame's layer.
    public var expert: UInt32
    /// What the expert's output is multiplied with.
    public var weight: Float

    /// Sends a row to an expert.
    public init(tokenRow: Int, expert: ExpertIndex, weight: Float) {
        self.tokenRow = UInt32(tokenRow)
        self.expert = UInt32(expert.value)
        self.weight = weight
    }
}

/// Where the parts of a `dispatch` payload lie.
///
/// ```
///   0        layer u32 | tokenCount u32 | pairCount u32 | width u32 | resultForm u32 | zeros to 64
///  64        pairCount × { tokenRow u32 | expert u32 | weight f32 }, zeros to a multiple of 64
///   …        tokenCount × width f32, row by row
/// ```
///
/// The payload begins at a multiple of 64 in memory, so the rows do too: kernels read them where they arrived.
public struct DispatchLayout: Hashable, Sendable {
    /// The layer of the experts.
    public let layer: LayerIndex
    /// Activation rows.
    public let tokenCount: Int
    /// Pairs of row and expert.
    public let pairCount: Int
    /// Values in a row.
    public let width: Int

    static let headByteCount = 64
    static let pairByteCount = 12
    /// Results come back as f32: the only form so far.
    static let resultFormFloat32: UInt32 = 0

    /// Lays out a payload; fails if a limit is passed.
    public init(layer: LayerIndex, tokenCount: Int, pairCount: Int, width: Int) throws(WireError) {
        try Self.check("layer", layer.value, 0...Limits.Wire.layersMax - 1)
        try Self.check("tokenCount", tokenCount, 0...Limits.Wire.tokenRowsMax)
        try Self.check("pairCount", pairCount, 0...Limits.Wire.pairsMax)
        try Self.check("width", width, 1...Limits.Wire.widthMax)
        self.layer = layer
        self.tokenCount = tokenCount
        self.pairCount = pairCount
        self.width = width
        try Self.check("payload", payloadByteCount, 0...Limits.Wire.activationPayloadBytesMax)
    }

    /// First byte of the rows.
    public var rowsOffset: Int { Self.headByteCount + paddedTo64(pairCount * Self.pairByteCount) }
    /// Bytes of the payload.
    public var payloadByteCount: Int { rowsOffset + tokenCount * width * 4 }

    /// Writes the head and all padding into `payload` and gives out the places for pairs and rows, which the caller
    /// fills.
    ///
    /// - Parameter payload: `payloadByteCount` bytes, aligned to 4.
    public func prepare(
        _ payload: UnsafeMutableRawBufferPointer
    ) -> (pairs: UnsafeMutableBufferPointer<DispatchPair>, rows: UnsafeMutableBufferPointer<Float>) {
        precondition(payload.count == payloadByteCount, "payload has \(payload.count) bytes, not \(payloadByteCount)")
        writeHead(
            [UInt32(layer.value), UInt32(tokenCount), UInt32(pairCount), UInt32(width), Self.resultFormFloat32],
            to: payload)
        let pairsEnd = Self.headByteCount + pairCount * Self.pairByteCount
        UnsafeMutableRawBufferPointer(rebasing: payload[pairsEnd..<rowsOffset]).initializeMemory(
            as: UInt8.self, repeating: 0)
        let pairs = UnsafeMutableRawBufferPointer(rebasing: payload[Self.headByteCount..<pairsEnd])
        let rows = UnsafeMutableRawBufferPointer(rebasing: payload[rowsOffset...])
        return (pairs.bindMemory(to: DispatchPair.self), rows.bindMemory(to: Float.self))
    }

    static func check(_ field: String, _ value: Int, _ range: ClosedRange<Int>) throws(WireError) {
        guard value <= range.upperBound else {
            throw .beyondLimit(field: field, value: value, limit: range.upperBound)
        }
        guard value >= range.lowerBound else {
            throw .invalidValue(field: field, reason: "is \(value), below \(range.lowerBound)")
        }
    }
}

/// A `dispatch` payload, read where it lies. Once made, every index in it is known to be in range.
///
/// It borrows the bytes: they must outlive it.
public struct DispatchView {
    /// Counts and layer.
    public let layout: DispatchLayout
    /// Which rows go to which experts.
    public let pairs: UnsafeBufferPointer<DispatchPair>
    /// The activations, `tokenCount` rows of `width` values.
    public let rows: UnsafeBufferPointer<Float>

    /// Checks a payload, all of it but the activations themselves.
    ///
    /// - Parameter payload: aligned to 4 bytes, as everything is that comes from a link.
    public init(decoding payload: UnsafeRawBufferPointer) throws(WireError) {
        let head = try readHead(payload, fieldCount: 5, name: "dispatch")
        guard head[4] == DispatchLayout.resultFormFloat32 else {
            throw .invalidValue(field: "resultForm", reason: "\(head[4]) is unknown")
        }
        let layout = try DispatchLayout(
            layer: LayerIndex(Int(head[0])), tokenCount: Int(head[1]), pairCount: Int(head[2]), width: Int(head[3]))
        guard payload.count == layout.payloadByteCount else {
            throw .sizeMismatch(expectedByteCount: layout.payloadByteCount, foundByteCount: payload.count)
        }
        let pairsEnd = DispatchLayout.headByteCount + layout.pairCount * DispatchLayout.pairByteCount
        try checkZeros(payload, pairsEnd..<layout.rowsOffset)
        self.layout = layout
        pairs = UnsafeRawBufferPointer(rebasing: payload[DispatchLayout.headByteCount..<pairsEnd])
            .bindMemory(to: DispatchPair.self)
        rows = UnsafeRawBufferPointer(rebasing: payload[layout.rowsOffset...]).bindMemory(to: Float.self)
        for pair in pairs {
            guard pair.tokenRow < UInt32(layout.tokenCount) else {
                throw .beyondLimit(field: "tokenRow", value: Int(pair.tokenRow), limit: layout.tokenCount - 1)
            }
            guard pair.expert < UInt32(Limits.Wire.expertsMax) else {
                throw .beyondLimit(field: "expert", value: Int(pair.expert), limit: Limits.Wire.expertsMax - 1)
            }
        }
    }

    /// One activation row, `width` values.
    public func row(_ index: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(rebasing: rows[index * layout.width..<(index + 1) * layout.width])
    }
}
