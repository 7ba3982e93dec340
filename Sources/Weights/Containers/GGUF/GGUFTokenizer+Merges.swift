import Basics

/// Derives merges from a vocabulary with scores.
///
/// SentencePiece joins the two neighbours that make the token with the best score; a list of merges says the same with
/// every way to split a token into two tokens, best score first. Of the ways to split one token, those with the
/// longest left half come first, as the published converters order them.
struct GGUFMergeDerivation {
    private let vocabulary: GGUFVocabulary
    /// The tokens that take part in merging, by their bytes. Not by `String`: for Swift, tokens that differ only in how
    /// an accent is composed are equal.
    private var tokens: [[UInt8]: Int] = [:]

    init(_ vocabulary: GGUFVocabulary) {
        self.vocabulary = vocabulary
        tokens.reserveCapacity(vocabulary.texts.count)
        for (id, text) in vocabulary.texts.enumerated() {
            switch vocabulary.kinds[id] {
            case .byte, .control, .unknown: continue
            case .normal, .unused, .userDefined: tokens[Array(text.utf8)] = id
            }
        }
    }

    /// `model.merges` of `tokenizer.json`: pairs of tokens' texts.
    func merges() -> [JSON] {
        var ordered = tokens.values.filter { vocabulary.texts[$0].unicodeScalars.count > 1 }
        ordered.sort { (-vocabulary.scores[$0], $0) < (-vocabulary.scores[$1], $1) }
        return ordered.flatMap { splits(of: $0) }
    }

    private func splits(of token: Int) -> [JSON] {
        let bytes = Array(vocabulary.texts[token].utf8)
        return (1..<bytes.count).reversed().compactMap { position in
            guard !UTF8.isContinuation(bytes[position]),
                let left = tokens[Array(bytes[..<position])], let right = tokens[Array(bytes[position...])]
            else { return nil }
            return .array([.string(vocabulary.texts[left]), .string(vocabulary.texts[right])])
        }
    }
}
