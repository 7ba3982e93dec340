public import Basics

/// The key-value section of a GGUF file: what a model directory says in `config.json` and the tokenizer's files.
/// Numbers of every width are JSON numbers, arrays JSON arrays.
public struct GGUFMetadata: Sendable, Equatable {
    /// The values by key, for instance `general.architecture`.
    public let values: [String: JSON]

    /// Holds `values`.
    public init(_ values: [String: JSON]) { self.values = values }

    /// The value of `key`, nil if there is none.
    public subscript(key: String) -> JSON? { values[key] }
}
