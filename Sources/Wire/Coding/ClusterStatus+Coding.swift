import Foundation

/// The state of the cluster travels as the JSON document that people see: it grows with every version, is asked for
/// rarely and must be readable by tools of another version. (Nothing else on the wire is JSON.)
extension ClusterStatus: WireMessage {
    /// `status`
    public static var kind: MessageKind { .status }

    /// The document: keys sorted, nothing between them.
    public func document() throws(WireError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            throw .documentMalformed(reason: "\(error)")
        }
    }

    /// Reads a document.
    public init(document: some Sequence<UInt8>) throws(WireError) {
        do {
            self = try JSONDecoder().decode(ClusterStatus.self, from: Data(document))
        } catch {
            throw .documentMalformed(reason: "\(error)")
        }
    }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.fixedBytes(try document())
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        try self.init(document: try reader.fixedBytes("document", count: reader.remainingByteCount))
    }
}
