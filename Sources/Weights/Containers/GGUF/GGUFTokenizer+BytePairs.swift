import Basics

extension GGUFTokenizer {
    /// `tokenizer.json` of a byte-level vocabulary (`tokenizer.ggml.model` is `gpt2`).
    static func bytePairTokenizer(
        _ vocabulary: GGUFVocabulary, _ metadata: GGUFMetadata
    ) throws(WeightsError) -> [UInt8] {
        let key = "tokenizer.ggml.pre"
        let name = try GGUFKey.string(key, metadata, default: "default")
        guard let family = GGUFTokenFamily.named(name) else {
            throw .tokenizerUnsupported(key: key, found: name, supported: GGUFTokenFamily.names)
        }
        guard let merges = try GGUFKey.array("tokenizer.ggml.merges", metadata) else {
            throw .tokenizerMalformed(key: "tokenizer.ggml.merges", reason: "it is missing")
        }
        let document: JSON = [
            "version": "1.0", "added_tokens": vocabulary.addedTokens(),
            "normalizer": family.isComposed ? ["type": "NFC"] : nil, "pre_tokenizer": family.preTokenizer,
            "post_processor": try vocabulary.postProcessor(metadata, addsBegin: family.addsBegin),
            "decoder": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false],
        ]
        let model: JSON = [
            "type": "BPE", "byte_fallback": false, "ignore_merges": .bool(family.ignoresMerges),
            "merges": .array(merges),
        ]
        return tokenizerFile(document, model: model, vocabulary)
    }

    /// `tokenizer.json` of its parts; `model` lacks its vocabulary.
    static func tokenizerFile(_ document: JSON, model: JSON, _ vocabulary: GGUFVocabulary) -> [UInt8] {
        var bytes = document.serialisedBytes()
        bytes.removeLast()
        bytes += ",\"model\":".utf8
        bytes += model.serialisedBytes()
        bytes.removeLast()
        bytes += ",\"vocab\":{".utf8
        vocabulary.appendMembers(to: &bytes)
        bytes += "}}}".utf8
        return bytes
    }
}
