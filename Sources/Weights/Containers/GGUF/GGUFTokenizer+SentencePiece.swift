import Basics

extension GGUFTokenizer {
    /// What SentencePiece writes for a space.
    private static let space: Unicode.Scalar = "\u{2581}"

    /// `tokenizer.json` of a SentencePiece vocabulary (`tokenizer.ggml.model` is `llama`): merges out of scores, bytes
    /// for what the vocabulary lacks, and the visible space, as the published converter of such models writes it.
    static func sentencePieceTokenizer(
        _ vocabulary: GGUFVocabulary, _ metadata: GGUFMetadata
    ) throws(WeightsError) -> [UInt8] {
        guard !vocabulary.scores.isEmpty else {
            throw .tokenizerMalformed(key: "tokenizer.ggml.scores", reason: "it is missing")
        }
        let prefixesSpace = try GGUFKey.bool("tokenizer.ggml.add_space_prefix", metadata, default: true)
        let removesSpaces = try GGUFKey.bool("tokenizer.ggml.remove_extra_whitespaces", metadata, default: false)
        // User-defined tokens stand for text as it is written, in the vocabulary for text with visible spaces.
        let pieces = vocabulary.mappingUserDefined { replaced($0, " ", by: space) }
        let document: JSON = [
            "version": "1.0",
            "added_tokens": vocabulary.mappingUserDefined { replaced($0, space, by: " ") }.addedTokens(),
            "normalizer": normalizer(prefixesSpace: prefixesSpace, removesSpaces: removesSpaces), "pre_tokenizer": nil,
            "post_processor": try vocabulary.postProcessor(metadata, addsBegin: true),
            "decoder": decoder(prefixesSpace: prefixesSpace),
        ]
        let unknownToken = vocabulary.unknownToken ?? vocabulary.kinds.firstIndex(of: .unknown)
        let model: JSON = [
            "type": "BPE", "unk_token": vocabulary.text(unknownToken).map { .string($0) } ?? nil, "fuse_unk": true,
            "byte_fallback": .bool(vocabulary.kinds.contains(.byte)), "ignore_merges": false,
            "merges": .array(GGUFMergeDerivation(pieces).merges()),
        ]
        return tokenizerFile(document, model: model, pieces)
    }

    private static func normalizer(prefixesSpace: Bool, removesSpaces: Bool) -> JSON {
        var steps: [JSON] = []
        if removesSpaces {
            steps.append(["type": "Replace", "pattern": ["Regex": "\\A +| +\\z"], "content": ""])
            steps.append(["type": "Replace", "pattern": ["Regex": " {2,}"], "content": " "])
        }
        if prefixesSpace { steps.append(["type": "Prepend", "prepend": .string(String(space))]) }
        steps.append(["type": "Replace", "pattern": ["String": " "], "content": .string(String(space))])
        return ["type": "Sequence", "normalizers": .array(steps)]
    }

    private static func decoder(prefixesSpace: Bool) -> JSON {
        var steps: [JSON] = [
            ["type": "Replace", "pattern": ["String": .string(String(space))], "content": " "],
            ["type": "ByteFallback"],
            ["type": "Fuse"],
        ]
        if prefixesSpace { steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
        return ["type": "Sequence", "decoders": .array(steps)]
    }

    /// The text with every `old` replaced, scalar by scalar.
    private static func replaced(_ text: String, _ old: Unicode.Scalar, by new: Unicode.Scalar) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scalars.append(scalar == old ? new : scalar) }
        return String(scalars)
    }
}
