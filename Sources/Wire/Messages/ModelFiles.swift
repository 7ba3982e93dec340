/// The model's small files, so that a gateway needs no copy of the model. Names as in a Hugging Face directory:
/// `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`, `chat_template.jinja`, `config.json`.
public struct ModelFiles: Hashable, Sendable {
    /// One file.
    public struct File: Hashable, Sendable {
        /// Name without directory.
        public var name: String
        /// Content.
        public var bytes: [UInt8]

        /// A file.
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// The name under which the model is served.
    public var modelName: String
    /// Longest sequence (prompt and answer together), in tokens.
    public var contextTokensMax: UInt32
    /// Size of the vocabulary: token ids are below it.
    public var vocabularySize: UInt32
    /// The files that exist.
    public var files: [File]

    /// Bundles files.
    public init(modelName: String, contextTokensMax: UInt32, vocabularySize: UInt32, files: [File]) {
        self.modelName = modelName
        self.contextTokensMax = contextTokensMax
        self.vocabularySize = vocabularySize
        self.files = files
    }
}
