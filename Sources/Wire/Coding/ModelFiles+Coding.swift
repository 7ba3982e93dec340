import Basics

extension ModelFiles: WireMessage {
    /// `modelFiles`
    public static var kind: MessageKind { .modelFiles }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        try writer.string("modelName", modelName, bytesMax: Limits.Wire.modelNameBytesMax)
        writer.integer(contextTokensMax)
        writer.integer(vocabularySize)
        try writer.list("files", files, limit: Limits.Wire.filesMax) { (writer, file) throws(WireError) in
            try ModelFiles.checkName(file.name)
            try writer.string("name", file.name, bytesMax: Limits.Wire.fileNameBytesMax)
            try writer.bytes("bytes", file.bytes, limit: Limits.Wire.modelFilesPayloadBytesMax)
        }
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            modelName: try reader.string("modelName", bytesMax: Limits.Wire.modelNameBytesMax),
            contextTokensMax: try reader.integer("contextTokensMax"),
            vocabularySize: try reader.integer("vocabularySize"),
            files: try reader.list("files", limit: Limits.Wire.filesMax, elementByteCountMin: 8) {
                (reader) throws(WireError) in
                let name = try reader.string("name", bytesMax: Limits.Wire.fileNameBytesMax)
                try ModelFiles.checkName(name)
                return File(
                    name: name, bytes: try reader.bytes("bytes", limit: Limits.Wire.modelFilesPayloadBytesMax))
            })
    }

    /// A name never leads out of the directory in which someone might store the file.
    private static func checkName(_ name: String) throws(WireError) {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(where: { $0 == 0x2F || $0 == 0 }) else {
            throw .invalidValue(field: "name", reason: "'\(name)' is not the name of a file")
        }
    }
}
