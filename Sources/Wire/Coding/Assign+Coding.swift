import Basics

extension Assign: WireMessage {
    /// `assign`
    public static var kind: MessageKind { .assign }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.integer(epoch.value)
        try writer.digest(modelDigest)
        try writer.shards(shards)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            epoch: PlacementEpoch(try reader.integer("epoch")), modelDigest: try reader.digest(),
            shards: try reader.shards())
    }
}

extension AssignProgress: WireMessage {
    /// `assignProgress`
    public static var kind: MessageKind { .assignProgress }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.integer(bytesLoaded)
        writer.integer(bytesTotal)
        writer.bool(isComplete)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            bytesLoaded: try reader.integer("bytesLoaded"), bytesTotal: try reader.integer("bytesTotal"),
            isComplete: try reader.bool("isComplete"))
    }
}
