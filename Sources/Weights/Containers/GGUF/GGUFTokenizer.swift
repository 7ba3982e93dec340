import Basics

/// The tokenizer in a GGUF file's metadata as the small files of a Hugging Face directory.
enum GGUFTokenizer {
    /// The files by their names.
    static func files(from metadata: GGUFMetadata) throws(WeightsError) -> [String: [UInt8]] { [:] }
}
