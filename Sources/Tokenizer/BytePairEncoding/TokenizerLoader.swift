import Basics
import OrderedCollections

/// Reads `model` and `added_tokens` of `tokenizer.json`.
struct TokenizerLoader {
    let model: BytePairModel
    let addedTokens: [AddedToken]
    private(set) var entries: TokenEntries

    private static let file = "tokenizer.json"

    init(
        _ document: JSON, configuration: JSON?, normalizer: Normalizer, decoder: TokenDecoder
    ) throws(TokenizerError) {
        guard let modelJSON = document["model"] else {
            throw .fileMalformed(file: Self.file, reason: "'model' is missing")
        }
        try Self.checkModel(modelJSON, decoder.form)
        guard let vocabulary = modelJSON["vocab"]?.array, !vocabulary.isEmpty else {
            throw .fileMalformed(file: Self.file, reason: "model.vocab must be an object with entries")
        }
        addedTokens = try Self.addedTokens(document, configuration)
        entries = TokenEntries(capacity: vocabulary.count + addedTokens.count)
        var table = ByteStringTable(capacity: vocabulary.count)
        for member in vocabulary {
            guard let pair = member.array, pair.count == 2, let name = pair[0].string else {
                throw .fileMalformed(file: Self.file, reason: "model.vocab must be an object with entries")
            }
            let number = try Self.tokenNumber(pair[1], of: name)
            entries.set(number, name: name, bytes: decoder.bytes(of: name), isSpecial: false)
            if let bytes = decoder.form.bytes(of: name) { table.insert(bytes, value: number) }
        }
        for token in addedTokens {
            // A token that is looked for in normalised text also stands for normalised text.
            let text = token.isNormalised ? normalizer.normalise(token.content) : token.content
            entries.set(
                token.id, name: String(decoding: token.content, as: UTF8.self),
                bytes: decoder.bytes(of: String(decoding: text, as: UTF8.self)), isSpecial: token.isSpecial)
        }
        model = try Self.model(modelJSON, table, decoder.form)
    }

    /// Reads `tiktoken.model`; the added tokens are those of `tokenizer_config.json`.
    init(_ file: TiktokenFile, configuration: JSON?) throws(TokenizerError) {
        var added = try Self.addedTokens([:], configuration)
        added += file.reservedTokens(besides: Set(added.map(\.id)))
        addedTokens = added
        entries = TokenEntries(capacity: file.tokens.count + added.count)
        for token in file.tokens {
            var name = String.UnicodeScalarView()
            name.append(contentsOf: token.bytes.map { ByteAlphabet.scalars[Int($0)] })
            entries.set(token.number, name: String(name), bytes: token.bytes, isSpecial: false)
        }
        for token in added {
            entries.set(
                token.id, name: String(decoding: token.content, as: UTF8.self), bytes: token.content,
                isSpecial: token.isSpecial)
        }
        model = file.model
    }

    private static func checkModel(_ json: JSON, _ form: VocabularyForm) throws(TokenizerError) {
        if let type = json["type"]?.string, type != "BPE" {
            throw .componentUnsupported(component: "model", found: type, supported: ["BPE"])
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = json[key]?.string, !text.isEmpty {
                throw .componentUnsupported(component: "model.\(key)", found: text, supported: ["null"])
            }
        }
        // A byte-level vocabulary has an entry for each byte: there is nothing to fall back from.
        if form == .byteLevel, json["byte_fallback"]?.bool == true {
            throw .componentUnsupported(component: "model.byte_fallback", found: "true", supported: ["false"])
        }
        if let dropout = json["dropout"]?.double, dropout != 0 {
            throw .componentUnsupported(component: "model.dropout", found: "\(dropout)", supported: ["null"])
        }
    }

    private static func tokenNumber(_ json: JSON?, of name: String) throws(TokenizerError) -> TokenNumber {
        guard let id = json?.integer, id >= 0 else {
            throw .fileMalformed(file: file, reason: "the id of '\(name)' is not a whole number from 0")
        }
        guard id <= Limits.Tokenizer.tokenIDMax else {
            throw .limitExceeded(what: "the id of '\(name)'", count: id, limit: Limits.Tokenizer.tokenIDMax)
        }
        return TokenNumber(id)
    }

    private static func model(
        _ json: JSON, _ table: ByteStringTable, _ form: VocabularyForm
    ) throws(TokenizerError) -> BytePairModel {
        var unknownToken: TokenNumber?
        if let name = json["unk_token"]?.string {
            guard let token = form.bytes(of: name).flatMap({ table.value(of: $0) }) else {
                throw .fileMalformed(file: file, reason: "model.unk_token '\(name)' is not in the vocabulary")
            }
            unknownToken = token
        }
        return BytePairModel(
            vocabulary: table,
            merges: try mergeTable(json["merges"], table, form),
            form: form,
            byteTokens: byteTokens(json, table, form),
            unknownToken: unknownToken,
            fusesUnknown: json["fuse_unk"]?.bool ?? false,
            ignoresMerges: json["ignore_merges"]?.bool ?? false)
    }

    /// The tokens that single bytes are spelled with.
    private static func byteTokens(_ json: JSON, _ table: ByteStringTable, _ form: VocabularyForm) -> [TokenNumber?] {
        switch form {
        case .byteLevel: return (0...255).map { table.value(of: [UInt8($0)]) }
        case .text:
            guard json["byte_fallback"]?.bool == true else { return [TokenNumber?](repeating: nil, count: 256) }
            return (0...255).map { table.value(of: Array(ByteToken.name(of: UInt8($0)).utf8)) }
        }
    }

    private static func mergeTable(
        _ json: JSON?, _ vocabulary: ByteStringTable, _ form: VocabularyForm
    ) throws(TokenizerError) -> MergeTable {
        guard let merges = json?.array else {
            throw .fileMalformed(file: file, reason: "model.merges must be an array")
        }
        var table = MergeTable(capacity: merges.count)
        for (rank, merge) in merges.enumerated() {
            let (left, right) = try pair(merge, rank, form)
            guard let leftToken = vocabulary.value(of: left), let rightToken = vocabulary.value(of: right),
                let joined = vocabulary.value(of: left + right)
            else {
                throw .fileMalformed(
                    file: file, reason: "merge \(rank) names or makes an entry that the vocabulary lacks")
            }
            table.insert(
                left: leftToken, right: rightToken, merge: MergeTable.Merge(rank: UInt32(rank), token: joined))
        }
        return table
    }

    /// What both halves of a merge stand for, written as `"a b"` or `["a", "b"]`.
    private static func pair(
        _ json: JSON, _ rank: Int, _ form: VocabularyForm
    ) throws(TokenizerError) -> (left: [UInt8], right: [UInt8]) {
        let halves: [String]
        switch json {
        case .string(let text): halves = text.utf8.split(separator: UInt8(ascii: " ")).map { String($0) ?? "" }
        case .array(let elements): halves = elements.compactMap(\.string)
        case .bool, .double, .integer, .null, .object: halves = []
        }
        guard halves.count == 2, let left = form.bytes(of: halves[0]), let right = form.bytes(of: halves[1]) else {
            throw .fileMalformed(file: file, reason: "merge \(rank) is not a pair of entries")
        }
        return (left, right)
    }
}

extension TokenizerLoader {
    /// The added tokens of `tokenizer.json`, then those that only `tokenizer_config.json` knows.
    private static func addedTokens(
        _ document: JSON, _ configuration: JSON?
    ) throws(TokenizerError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        for json in document["added_tokens"]?.array ?? [] {
            tokens.append(try addedToken(json, id: json["id"]))
        }
        let known = Set(tokens.map(\.content))
        for (id, json) in configuration?["added_tokens_decoder"]?.object ?? [:] {
            let token = try addedToken(json, id: Int64(id).map { .integer($0) })
            if !known.contains(token.content) { tokens.append(token) }
        }
        guard tokens.count <= Limits.Tokenizer.addedTokensMax else {
            throw .limitExceeded(what: "added tokens", count: tokens.count, limit: Limits.Tokenizer.addedTokensMax)
        }
        return tokens
    }

    private static func addedToken(_ json: JSON, id: JSON?) throws(TokenizerError) -> AddedToken {
        guard let content = json["content"]?.string else {
            throw .fileMalformed(file: file, reason: "an added token has no content")
        }
        guard content.utf8.count <= Limits.Tokenizer.addedTokenBytesMax else {
            throw .limitExceeded(
                what: "bytes of an added token", count: content.utf8.count,
                limit: Limits.Tokenizer.addedTokenBytesMax)
        }
        let isSpecial = json["special"]?.bool ?? false
        return AddedToken(
            id: try tokenNumber(id, of: content), content: Array(content.utf8),
            stripsLeft: json["lstrip"]?.bool ?? false, stripsRight: json["rstrip"]?.bool ?? false,
            isSingleWord: json["single_word"]?.bool ?? false,
            isNormalised: json["normalized"]?.bool ?? !isSpecial, isSpecial: isSpecial)
    }
}
