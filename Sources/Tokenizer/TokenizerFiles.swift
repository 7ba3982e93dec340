public import Basics

/// The small files of a model that say how its text is made: name → bytes. A worker never sees them, a gateway gets
/// them over the wire, so they are passed as values and not as a directory.
public struct TokenizerFiles: Sendable, Equatable {
    private var contents: [String: [UInt8]] = [:]

    /// No files.
    public init() {}

    /// The bytes of the file `name`, nil if there is none.
    public subscript(name: String) -> [UInt8]? {
        get { contents[name] }
        set { contents[name] = newValue }
    }

    /// The JSON document in file `name`, nil if there is no such file.
    public func document(_ name: String) throws(TokenizerError) -> JSON? {
        try document(name, pairsAt: nil)
    }

    /// The same; the object at `path`, if there is one, as an array of pairs.
    func document(_ name: String, pairsAt path: [String]?) throws(TokenizerError) -> JSON? {
        guard let bytes = contents[name] else { return nil }
        do {
            return try JSON(parsing: bytes, pairsAt: path)
        } catch {
            throw .fileMalformed(file: name, reason: error.description)
        }
    }
}
