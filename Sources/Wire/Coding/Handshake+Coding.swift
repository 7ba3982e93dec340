import Basics

extension Hello: WireMessage {
    /// `hello`
    public static var kind: MessageKind { .hello }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        try writer.node(node)
        writer.role(role)
        writer.integer(versionMin)
        writer.integer(versionMax)
        writer.integer(linkClass.rawValue)
        try writer.optional(modelDigest) { (writer, digest) throws(WireError) in try writer.digest(digest) }
        try writer.string("listenAddress", listenAddress, bytesMax: Limits.Wire.listenAddressBytesMax)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        let node = try reader.node()
        let role = try reader.role()
        let versionMin = try reader.integer("versionMin", as: UInt16.self)
        let versionMax = try reader.integer("versionMax", as: UInt16.self)
        let number = try reader.integer("linkClass", as: UInt8.self)
        guard let linkClass = LinkClass(rawValue: number) else {
            throw .invalidValue(field: "linkClass", reason: "\(number) is unknown")
        }
        let digest = try reader.optional("modelDigest") { (reader) throws(WireError) in try reader.digest() }
        let listenAddress = try reader.string("listenAddress", bytesMax: Limits.Wire.listenAddressBytesMax)
        self.init(
            node: node, role: role, versionMin: versionMin, versionMax: versionMax, linkClass: linkClass,
            modelDigest: digest, listenAddress: listenAddress)
    }
}

extension Welcome: WireMessage {
    /// `welcome`
    public static var kind: MessageKind { .welcome }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        try writer.node(node)
        writer.role(role)
        writer.integer(version)
        try writer.optional(modelDigest) { (writer, digest) throws(WireError) in try writer.digest(digest) }
        writer.integer(memoryBudgetBytes)
        writer.integer(threadCount)
        try writer.string("instructionSet", instructionSet, bytesMax: Limits.Wire.instructionSetBytesMax)
        writer.integer(epoch.value)
        try writer.shards(shards)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            node: try reader.node(), role: try reader.role(), version: try reader.integer("version"),
            modelDigest: try reader.optional("modelDigest") { (reader) throws(WireError) in try reader.digest() },
            memoryBudgetBytes: try reader.integer("memoryBudgetBytes"), threadCount: try reader.integer("threadCount"),
            instructionSet: try reader.string("instructionSet", bytesMax: Limits.Wire.instructionSetBytesMax),
            epoch: PlacementEpoch(try reader.integer("epoch")), shards: try reader.shards())
    }
}

extension Refusal: WireMessage {
    /// `refusal`
    public static var kind: MessageKind { .refusal }

    /// Writes the payload. A reason that is too long is cut: a refusal can always be sent.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.integer(code.rawValue)
        let limit = Limits.Wire.refusalMessageBytesMax
        var text = message
        if text.utf8.count > limit {
            // Four bytes less: cutting a character in half makes the replacement character of three bytes.
            text = String(decoding: text.utf8.prefix(limit - 4), as: UTF8.self)
        }
        try writer.string("message", text, bytesMax: limit)
    }

    /// Reads the payload. A code that this build does not know becomes `internalError`, with the number in the message.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        let number = try reader.integer("code", as: UInt16.self)
        let message = try reader.string("message", bytesMax: Limits.Wire.refusalMessageBytesMax)
        guard let code = RefusalCode(rawValue: number) else {
            self.init(.internalError, "unknown code \(number): \(message)")
            return
        }
        self.init(code, message)
    }
}

extension Heartbeat: WireMessage {
    /// `heartbeat`
    public static var kind: MessageKind { .heartbeat }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) { writer.integer(sequence) }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(sequence: try reader.integer("sequence"))
    }
}

extension HeartbeatReply: WireMessage {
    /// `heartbeatReply`
    public static var kind: MessageKind { .heartbeatReply }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.integer(sequence)
        writer.integer(residentBytes)
        writer.integer(dispatchCount)
        writer.integer(computeMicroseconds)
        if writer.version >= ProtocolVersion.expertRows { writer.integer(expertRowCount ?? 0) }
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            sequence: try reader.integer("sequence"), residentBytes: try reader.integer("residentBytes"),
            dispatchCount: try reader.integer("dispatchCount"),
            computeMicroseconds: try reader.integer("computeMicroseconds"),
            expertRowCount: reader.version >= ProtocolVersion.expertRows
                ? try reader.integer("expertRowCount") : nil)
    }
}
