import Basics

extension GGUFTokenizer {
    /// `tokenizer.json` of a SentencePiece vocabulary (`tokenizer.ggml.model` is `llama`).
    static func sentencePieceTokenizer(
        _ vocabulary: GGUFVocabulary, _ metadata: GGUFMetadata
    ) throws(WeightsError) -> [UInt8] {
        throw .tokenizerUnsupported(key: "tokenizer.ggml.model", found: "llama", supported: ["gpt2"])
    }
}
