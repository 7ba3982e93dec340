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
///   0        layer u32 | tokenCount u32 | pairCount u32 | width u32 | resultForm u32
///  20        rowForm u32 | activationForm u32 | zeros to 64
///  64        pairCount × { tokenRow u32 | expert u32 | weight f32 }, zeros to a multiple of 64
///   …        tokenCount rows: width f32 each,
///            or for each 32 values 32 × i8 and then for each 32 values one f32
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
    /// How the rows travel.
    public let rowForm: RowForm
    /// How experts take activations.
    public let activationForm: ActivationForm
    /// How the results are to come back.
    public let resultForm: ResultForm

    static let headByteCount = 64
    static let pairByteCount = 12

    /// Lays out a payload of a version of the protocol; fails if a limit is passed, if rows of 8-bit integers are for
    /// experts that take f32, or if the version has no such forms: before version 3 rows were f32 and met experts as
    /// 8-bit integers, before version 4 results were f32.
    public init(
        layer: LayerIndex, tokenCount: Int, pairCount: Int, width: Int, rowForm: RowForm = .float32,
        activationForm: ActivationForm = .int8, resultForm: ResultForm = .float32,
        version: UInt16 = ProtocolVersion.newest
    ) throws(WireError) {
        try Self.check("layer", layer.value, 0...Limits.Wire.layersMax - 1)
        try Self.check("tokenCount", tokenCount, 0...Limits.Wire.tokenRowsMax)
        try Self.check("pairCount", pairCount, 0...Limits.Wire.pairsMax)
        try Self.check("width", width, 1...Limits.Wire.widthMax)
        self.layer = layer
        self.tokenCount = tokenCount
        self.pairCount = pairCount
        self.width = width
        self.rowForm = rowForm
        self.activationForm = activationForm
        self.resultForm = resultForm
        try checkForms(version: version)
        try Self.check("payload", payloadByteCount, 0...Limits.Wire.activationPayloadBytesMax)
    }

    /// First byte of the rows.
    public var rowsOffset: Int { Self.headByteCount + paddedTo64(pairCount * Self.pairByteCount) }
    /// Bytes of a row.
    public var rowByteCount: Int { rowForm.rowByteCount(width: width) }
    /// Bytes of the payload.
    public var payloadByteCount: Int { rowsOffset + tokenCount * rowByteCount }

    /// Writes the head and all padding into `payload` and gives out the places for pairs and rows (`tokenCount` times
    /// `rowByteCount` bytes), which the caller fills.
    ///
    /// - Parameter payload: `payloadByteCount` bytes, aligned to 4.
    public func prepare(
        _ payload: UnsafeMutableRawBufferPointer
    ) -> (pairs: UnsafeMutableBufferPointer<DispatchPair>, rows: UnsafeMutableRawBufferPointer) {
        precondition(payload.count == payloadByteCount, "payload has \(payload.count) bytes, not \(payloadByteCount)")
        writeHead(
            [
                UInt32(layer.value), UInt32(tokenCount), UInt32(pairCount), UInt32(width), resultForm.rawValue,
                rowForm.rawValue, activationForm.rawValue,
            ], to: payload)
        let pairsEnd = Self.headByteCount + pairCount * Self.pairByteCount
        UnsafeMutableRawBufferPointer(rebasing: payload[pairsEnd..<rowsOffset]).initializeMemory(
            as: UInt8.self, repeating: 0)
        let pairs = UnsafeMutableRawBufferPointer(rebasing: payload[Self.headByteCount..<pairsEnd])
        let rows = UnsafeMutableRawBufferPointer(rebasing: payload[rowsOffset...])
        return (pairs.bindMemory(to: DispatchPair.self), rows)
    }

    private func checkForms(version: UInt16) throws(WireError) {
        if rowForm == .int8Blocks, activationForm != .int8 {
            throw .invalidValue(field: "rowForm", reason: "is int8Blocks, for experts that take \(activationForm)")
        }
        try resultForm.check(version: version)
        guard version < ProtocolVersion.activationForms else { return }
        if rowForm != .float32 {
            throw .invalidValue(field: "rowForm", reason: "is \(rowForm), too much for version \(version)")
        }
        if activationForm != .int8 {
            throw .invalidValue(
                field: "activationForm", reason: "is \(activationForm), too much for version \(version)")
        }
    }

    /// Reads counts and forms; before version 3 there are no forms.
    fileprivate init(decoding payload: UnsafeRawBufferPointer, version: UInt16) throws(WireError) {
        let hasForms = version >= ProtocolVersion.activationForms
        let head = try readHead(payload, fieldCount: hasForms ? 7 : 5, name: "dispatch")
        let resultForm = try ResultForm(reading: head[4])
        guard let rowForm = RowForm(rawValue: head[5]) else {
            throw .invalidValue(field: "rowForm", reason: "\(head[5]) is unknown")
        }
        guard let activationForm = ActivationForm(rawValue: head[6]) else {
            throw .invalidValue(field: "activationForm", reason: "\(head[6]) is unknown")
        }
        try self.init(
            layer: LayerIndex(Int(head[0])), tokenCount: Int(head[1]), pairCount: Int(head[2]), width: Int(head[3]),
            rowForm: rowForm, activationForm: activationForm, resultForm: resultForm, version: version)
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
    /// The activations, `tokenCount` rows in the layout's form.
    public let rows: UnsafeRawBufferPointer

    /// Checks a payload, all of it but the activations themselves.
    ///
    /// - Parameters:
    ///   - payload: aligned to 4 bytes, as everything is that comes from a link.
    ///   - version: the protocol version that the payload is of.
    public init(
        decoding payload: UnsafeRawBufferPointer, version: UInt16 = ProtocolVersion.newest
    ) throws(WireError) {
        let layout = try DispatchLayout(decoding: payload, version: version)
        guard payload.count == layout.payloadByteCount else {
            throw .sizeMismatch(expectedByteCount: layout.payloadByteCount, foundByteCount: payload.count)
        }
        let pairsEnd = DispatchLayout.headByteCount + layout.pairCount * DispatchLayout.pairByteCount
        try checkZeros(payload, pairsEnd..<layout.rowsOffset)
        self.layout = layout
        pairs = UnsafeRawBufferPointer(rebasing: payload[DispatchLayout.headByteCount..<pairsEnd])
            .bindMemory(to: DispatchPair.self)
        rows = UnsafeRawBufferPointer(rebasing: payload[layout.rowsOffset...])
        for pair in pairs {
            guard pair.tokenRow < UInt32(layout.tokenCount) else {
                throw .beyondLimit(field: "tokenRow", value: Int(pair.tokenRow), limit: layout.tokenCount - 1)
            }
            guard pair.expert < UInt32(Limits.Wire.expertsMax) else {
                throw .beyondLimit(field: "expert", value: Int(pair.expert), limit: Limits.Wire.expertsMax - 1)
            }
        }
    }

    /// One activation row, `rowByteCount` bytes.
    public func row(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: rows[index * layout.rowByteCount..<(index + 1) * layout.rowByteCount])
    }
}
