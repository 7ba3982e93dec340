import Basics

/// What a token is for, by the numbers of `tokenizer.ggml.token_type`.
enum GGUFTokenKind: Int {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
}

/// The tokens of a GGUF file: their texts, kinds and scores by id, and which of them have a part to play.
struct GGUFVocabulary {
    private(set) var texts: [String]
    let kinds: [GGUFTokenKind]
    /// One for each token; empty where the file has none, as byte-level vocabularies need none.
    let scores: [Double]
    let beginToken: Int?
    let endToken: Int?
    /// Tokens other than the end token that end an answer: of a turn, of a message.
    let furtherEndTokens: [Int]
    let unknownToken: Int?
    let paddingToken: Int?

    init(_ metadata: GGUFMetadata) throws(WeightsError) {
        texts = try Self.texts(metadata)
        kinds = try Self.kinds(metadata, count: texts.count)
        scores = try Self.scores(metadata, count: texts.count)
        let count = texts.count
        func token(_ name: String) throws(WeightsError) -> Int? {
            try Self.token("tokenizer.ggml.\(name)_token_id", metadata, count: count)
        }
        beginToken = try token("bos")
        endToken = try token("eos")
        furtherEndTokens = [try token("eot"), try token("eom")].compactMap(\.self)
        unknownToken = try token("unknown")
        paddingToken = try token("padding")
    }

    /// The same vocabulary with other texts of user-defined tokens.
    func mappingUserDefined(_ change: (String) -> String) -> GGUFVocabulary {
        var changed = self
        for (id, text) in texts.enumerated() where kinds[id] == .userDefined { changed.texts[id] = change(text) }
        return changed
    }

    /// The text of a token, nil for nil.
    func text(_ token: Int?) -> String? { token.map { texts[$0] } }

    private static func texts(_ metadata: GGUFMetadata) throws(WeightsError) -> [String] {
        let key = "tokenizer.ggml.tokens"
        guard let elements = try GGUFKey.array(key, metadata), !elements.isEmpty else {
            throw .tokenizerMalformed(key: key, reason: "there are no tokens")
        }
        guard elements.count <= Limits.Tokenizer.tokenIDMax else {
            throw .tokenizerMalformed(
                key: key, reason: "\(elements.count) tokens are beyond the limit of \(Limits.Tokenizer.tokenIDMax)")
        }
        var texts: [String] = []
        texts.reserveCapacity(elements.count)
        for (id, element) in elements.enumerated() {
            guard let text = element.string else {
                throw .tokenizerMalformed(key: key, reason: "token \(id) is no string")
            }
            texts.append(text)
        }
        return texts
    }

    /// Without the key every token is a normal one; numbers of later versions of the format are so as well.
    private static func kinds(_ metadata: GGUFMetadata, count: Int) throws(WeightsError) -> [GGUFTokenKind] {
        guard let elements = try GGUFKey.array("tokenizer.ggml.token_type", metadata, count: count) else {
            return [GGUFTokenKind](repeating: .normal, count: count)
        }
        return elements.prefix(count).map { $0.integer.flatMap { GGUFTokenKind(rawValue: $0) } ?? .normal }
    }

    private static func scores(_ metadata: GGUFMetadata, count: Int) throws(WeightsError) -> [Double] {
        let key = "tokenizer.ggml.scores"
        guard let elements = try GGUFKey.array(key, metadata, count: count) else { return [] }
        var scores: [Double] = []
        scores.reserveCapacity(count)
        for (id, element) in elements.prefix(count).enumerated() {
            guard let score = element.double, !score.isNaN else {
                throw .tokenizerMalformed(key: key, reason: "the score of token \(id) is no number")
            }
            scores.append(score)
        }
        return scores
    }

    private static func token(
        _ key: String, _ metadata: GGUFMetadata, count: Int
    ) throws(WeightsError) -> Int? {
        guard let member = metadata[key] else { return nil }
        guard let id = member.integer, (0..<count).contains(id) else {
            throw .tokenizerMalformed(key: key, reason: "it must be a token id below \(count)")
        }
        return id
    }
}

extension GGUFVocabulary {
    /// `added_tokens` of `tokenizer.json`: the tokens that are cut out of a text before anything else is looked at.
    /// Control tokens are special: they steer the model and are no text.
    func addedTokens() -> JSON {
        .array(
            texts.indices.compactMap { id in
                let isSpecial = kinds[id] == .control || kinds[id] == .unknown
                guard isSpecial || kinds[id] == .userDefined, !texts[id].isEmpty else { return nil }
                return [
                    "id": .integer(Int64(id)), "content": .string(texts[id]), "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": .bool(isSpecial),
                ]
            })
    }

    /// `post_processor` of `tokenizer.json`: what is put around a text where special tokens are asked for.
    /// - Parameter addsBegin: what holds where the file does not say so (`tokenizer.ggml.add_bos_token`).
    func postProcessor(_ metadata: GGUFMetadata, addsBegin: Bool) throws(WeightsError) -> JSON {
        let isBeginAdded = try GGUFKey.bool("tokenizer.ggml.add_bos_token", metadata, default: addsBegin)
        let isEndAdded = try GGUFKey.bool("tokenizer.ggml.add_eos_token", metadata, default: false)
        var parts: [JSON] = [["Sequence": ["id": "A", "type_id": 0]]]
        var tokens: JSON = [:]
        func part(_ token: Int) -> JSON {
            let name = texts[token]
            tokens = tokens.setting(
                name, to: ["id": .string(name), "ids": [.integer(Int64(token))], "tokens": [.string(name)]])
            return ["SpecialToken": ["id": .string(name), "type_id": 0]]
        }
        if isBeginAdded, let beginToken { parts.insert(part(beginToken), at: 0) }
        if isEndAdded, let endToken { parts.append(part(endToken)) }
        guard parts.count > 1 else { return nil }
        return [
            "type": "TemplateProcessing", "single": .array(parts), "pair": .array(parts), "special_tokens": tokens,
        ]
    }

    /// The members of `model.vocab`, as JSON text. Written by hand, not as a `JSON` object: Swift compares keys by
    /// canonical equivalence, so two tokens that differ only in how an accent is composed would become one.
    func appendMembers(to bytes: inout [UInt8]) {
        var isFirst = true
        for (id, text) in texts.enumerated() where !text.isEmpty {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            JSON.appendQuoted(text, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            bytes += String(id).utf8
        }
    }
}
