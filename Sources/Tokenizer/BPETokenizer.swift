public import Basics

/// A byte-pair tokenizer as `tokenizer.json` describes it, with a byte-level vocabulary or one in SentencePiece's
/// manner. Text → normalizer → pieces → merged pairs → ids; added tokens are cut out of the text first.
///
/// Immutable, so any number of threads may use one. The ids of a text depend on the text alone.
public final class BPETokenizer: Sendable {
    /// One more than the largest token id.
    public let vocabularySize: Int

    private let model: BytePairModel
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let postProcessor: PostProcessor
    private let rawMatcher: AddedTokenMatcher
    private let normalisedMatcher: AddedTokenMatcher
    private let entries: TokenEntries
    /// How tokens become text.
    let decoder: TokenDecoder

    /// Reads `tokenizer.json`, or `tiktoken.model` where there is none; also learns the added tokens of
    /// `tokenizer_config.json`, if that is there.
    public init(files: TokenizerFiles) throws(TokenizerError) {
        let configuration = try files.document("tokenizer_config.json")
        let loader: TokenizerLoader
        // Swift's keys are equal if their characters are, however accents are composed; a vocabulary's are not.
        if let document = try files.document("tokenizer.json", pairsAt: ["model", "vocab"]) {
            normalizer = try Normalizer(document["normalizer"])
            decoder = try TokenDecoder(document["decoder"])
            loader = try TokenizerLoader(
                document, configuration: configuration, normalizer: normalizer, decoder: decoder)
            preTokenizer = try PreTokenizer(document["pre_tokenizer"], decoder.form)
            postProcessor = try PostProcessor(document["post_processor"])
        } else if let bytes = files[TiktokenFile.name] {
            normalizer = try Normalizer(nil)
            decoder = try TokenDecoder(["type": "ByteLevel"])
            let file = try TiktokenFile(bytes, configuration: configuration)
            loader = try TokenizerLoader(file, configuration: configuration)
            preTokenizer = try PreTokenizer(pattern: TiktokenFile.kimiPattern)
            postProcessor = try PostProcessor(nil)
        } else {
            throw .fileMissing(file: "tokenizer.json")
        }
        model = loader.model
        entries = loader.entries
        vocabularySize = loader.entries.count
        (rawMatcher, normalisedMatcher) = Self.matchers(loader.addedTokens, normalizer)
    }

    private static func matchers(
        _ tokens: [AddedToken], _ normalizer: Normalizer
    ) -> (raw: AddedTokenMatcher, normalised: AddedTokenMatcher) {
        var raw = AddedTokenMatcher()
        var normalised = AddedTokenMatcher()
        for token in tokens {
            if token.isNormalised {
                normalised.insert(token, content: normalizer.normalise(token.content))
            } else {
                raw.insert(token, content: token.content)
            }
        }
        return (raw, normalised)
    }

    /// The ids of a text. Added tokens within the text, special ones included, are recognised.
    /// - Parameter addSpecialTokens: whether to add what the model's post-processor puts around a text (mostly a
    ///   begin token). Chat templates write these themselves.
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> [TokenID] {
        var numbers = addSpecialTokens ? postProcessor.prefix : []
        let bytes = Array(text.utf8)
        for section in rawMatcher.sections(of: bytes) {
            if let token = section.token {
                numbers.append(token)
            } else {
                let isWhole = section.range.count == bytes.count
                encodeNormalised(
                    normalizer.normalise(isWhole ? bytes : Array(bytes[section.range])),
                    isFirst: section.range.lowerBound == 0, into: &numbers)
            }
        }
        if addSpecialTokens { numbers += postProcessor.suffix }
        return numbers.map { TokenID($0) }
    }

    private func encodeNormalised(_ bytes: [UInt8], isFirst: Bool, into numbers: inout [TokenNumber]) {
        for section in normalisedMatcher.sections(of: bytes) {
            if let token = section.token {
                numbers.append(token)
            } else {
                let isWhole = section.range.count == bytes.count
                preTokenizer.forEachPiece(
                    of: isWhole ? bytes : Array(bytes[section.range]),
                    isFirst: isFirst && section.range.lowerBound == 0
                ) { piece in
                    encodePiece(piece, into: &numbers)
                }
            }
        }
    }

    private func encodePiece(_ piece: UnsafeBufferPointer<UInt8>, into numbers: inout [TokenNumber]) {
        var start = 0
        while start < piece.count {
            var end = min(start + Limits.Tokenizer.pieceBytesMax, piece.count)
            while end < piece.count, UTF8.isContinuation(piece[end]) { end -= 1 }
            model.encode(UnsafeBufferPointer(rebasing: piece[start..<end]), into: &numbers)
            start = end
        }
    }

    /// The text of a list of tokens. Ids that are no tokens are left out; bytes that are not UTF-8 become U+FFFD. A
    /// space that encoding put before the text is taken off again.
    public func decode(_ tokens: [TokenID], skipSpecialTokens: Bool = false) -> String {
        var bytes: [UInt8] = []
        for token in tokens where !(skipSpecialTokens && isSpecial(token)) {
            entries.appendBytes(of: token, to: &bytes)
        }
        let spaceCount = bytes.prefix(decoder.leadingSpaceCount).prefix { $0 == UInt8(ascii: " ") }.count
        return decoder.text(of: bytes.dropFirst(spaceCount))
    }

    /// The raw bytes that a token stands for, not necessarily whole characters; nil if there is no such token.
    public func bytes(of token: TokenID) -> [UInt8]? {
        guard entries.contains(token) else { return nil }
        var bytes: [UInt8] = []
        entries.appendBytes(of: token, to: &bytes)
        return bytes
    }

    /// Whether a token is special: it steers the model and is not text.
    public func isSpecial(_ token: TokenID) -> Bool { entries.isSpecial(token) }

    /// The token whose entry in the vocabulary is `name` (bytes in their printable stand-ins), or whose added text it
    /// is; nil if there is none.
    public func token(named name: String) -> TokenID? { entries.token(named: name) }

    /// The entry of a token in the vocabulary, or its text for an added token; nil if there is no such token.
    public func name(of token: TokenID) -> String? { entries.name(of: token) }
}
