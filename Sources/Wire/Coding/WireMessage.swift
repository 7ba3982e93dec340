/// A message with a payload that is decoded as a whole (all but `dispatch`, `combine` and `echo`, which are read in
/// place).
public protocol WireMessage: Sendable {
    /// The kind of its frames.
    static var kind: MessageKind { get }

    /// Writes the payload; fails where a limit is passed.
    func encode(into writer: inout ByteWriter) throws(WireError)

    /// Reads the payload from its beginning; the caller checks that nothing follows.
    init(decoding reader: inout ByteReader) throws(WireError)
}

extension WireMessage {
    /// The payload, as the protocol has it in `version`.
    public func payload(version: UInt16 = ProtocolVersion.newest) throws(WireError) -> [UInt8] {
        var writer = ByteWriter(version: version)
        try encode(into: &writer)
        guard writer.bytes.count <= Self.kind.payloadBytesMax else {
            throw .beyondLimit(
                field: "payload of \(Self.kind)", value: writer.bytes.count, limit: Self.kind.payloadBytesMax)
        }
        return writer.bytes
    }

    /// Reads a whole payload of a frame of `version`.
    public init(
        payload: UnsafeRawBufferPointer, version: UInt16 = ProtocolVersion.newest
    ) throws(WireError) {
        var reader = ByteReader(payload, version: version)
        try self.init(decoding: &reader)
        try reader.finish()
    }

    /// Reads a whole payload of a frame of `version`.
    public init(payload: [UInt8], version: UInt16 = ProtocolVersion.newest) throws(WireError) {
        // A closure cannot throw a typed error through `withUnsafeBytes`.
        let result = payload.withUnsafeBytes { bytes in
            Result { () throws(WireError) -> Self in try Self(payload: bytes, version: version) }
        }
        self = try result.get()
    }
}
