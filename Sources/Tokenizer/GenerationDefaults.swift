public import Basics

/// What a model's files say about generating: where it begins and ends, how it is sampled unless a request says
/// otherwise. From `generation_config.json`; what that leaves out, from `config.json` and `tokenizer_config.json`.
public struct GenerationDefaults: Sendable, Equatable {
    /// A generation ends with any of these.
    public let endTokens: [TokenID]
    /// A text begins with this.
    public let beginToken: TokenID?
    /// Divides the logits; 0 is greedy, which is also what a model says with `do_sample: false`.
    public let temperature: Double?
    /// The smallest set of tokens with this probability is sampled from.
    public let topP: Double?
    /// This many of the most probable tokens are sampled from.
    public let topK: Int?
    /// Tokens below this fraction of the most probable one's probability are left out.
    public let minP: Double?
    /// Divides the logits of tokens that are there already, from 1 (no penalty) upwards.
    public let repetitionPenalty: Double?

    /// Reads the files; none of them is required. A name of an end token counts only with `tokenizer.json` there.
    public init(files: TokenizerFiles) throws(TokenizerError) {
        let generation = try files.document("generation_config.json")
        let configuration = try files.document("config.json")
        let text = configuration?["text_config"]
        var ends = try Self.tokens(generation, "eos_token_id", file: "generation_config.json")
        if ends.isEmpty { ends = try Self.tokens(configuration, "eos_token_id", file: "config.json") }
        if ends.isEmpty { ends = try Self.tokens(text, "eos_token_id", file: "config.json") }
        var begins = try Self.tokens(generation, "bos_token_id", file: "generation_config.json")
        if begins.isEmpty { begins = try Self.tokens(configuration, "bos_token_id", file: "config.json") }
        if begins.isEmpty { begins = try Self.tokens(text, "bos_token_id", file: "config.json") }
        if ends.isEmpty, let named = try Self.namedToken("eos_token", files) { ends = [named] }
        if begins.isEmpty, let named = try Self.namedToken("bos_token", files) { begins = [named] }
        endTokens = ends
        beginToken = begins.first
        let statedTemperature = try Self.number(generation, "temperature", in: 0...100)
        temperature = generation?["do_sample"]?.bool == false ? 0 : statedTemperature
        topP = try Self.number(generation, "top_p", in: 0...1)
        topK = try Self.number(generation, "top_k", in: 0...Double(Int32.max)).map { Int($0) }
        minP = try Self.number(generation, "min_p", in: 0...1)
        repetitionPenalty = try Self.number(generation, "repetition_penalty", in: 0...100)
    }

    private static func tokens(_ json: JSON?, _ key: String, file: String) throws(TokenizerError) -> [TokenID] {
        guard let member = json?[key], !member.isNull else { return [] }
        var tokens: [TokenID] = []
        for element in member.array ?? [member] {
            guard let id = element.integer, (0...Limits.Tokenizer.tokenIDMax).contains(id) else {
                throw .fileMalformed(file: file, reason: "'\(key)' is neither a token id nor a list of such")
            }
            tokens.append(TokenID(Int32(id)))
        }
        return tokens
    }

    /// The id of a token that `tokenizer_config.json` gives by its text.
    private static func namedToken(_ key: String, _ files: TokenizerFiles) throws(TokenizerError) -> TokenID? {
        guard let name = SpecialTokenNames.text(try files.document("tokenizer_config.json")?[key]) else { return nil }
        let document = try files.document("tokenizer.json")
        for token in document?["added_tokens"]?.array ?? [] where token["content"]?.string == name {
            if let id = token["id"]?.integer, let number = Int32(exactly: id) { return TokenID(number) }
        }
        let id = document?["model"]?["vocab"]?[name]?.integer
        return id.flatMap { Int32(exactly: $0) }.map { TokenID($0) }
    }

    private static func number(
        _ json: JSON?, _ key: String, in range: ClosedRange<Double>
    ) throws(TokenizerError) -> Double? {
        guard let member = json?[key], !member.isNull else { return nil }
        guard let value = member.double, range.contains(value) else {
            throw .fileMalformed(
                file: "generation_config.json",
                reason: "'\(key)' must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}

/// The special tokens that `tokenizer_config.json` names, as chat templates see them.
enum SpecialTokenNames {
    static let keys = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    /// The text of a token that is written as a string or as an object with `content`.
    static func text(_ json: JSON?) -> String? { json?.string ?? json?["content"]?.string }
}
