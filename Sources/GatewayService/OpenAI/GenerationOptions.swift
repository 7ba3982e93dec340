public import Basics
import OrderedCollections
public import Wire

/// What both paths let a client choose. Nil means that the client left it to the model's generation defaults.
public struct GenerationOptions: Hashable, Sendable {
    /// The model asked for; nil means the one that is served.
    public var model: String?
    /// Most tokens to generate; nil: the default of the path.
    public var tokensMax: Int?
    /// Neither stop strings nor stop tokens end an answer before it has this many tokens.
    public var tokensMin: Int = 0
    /// Divides the logits; 0 is greedy.
    public var temperature: Float?
    /// Share of the probability that is kept.
    public var topP: Float?
    /// Number of likeliest tokens that are kept; 0 keeps all.
    public var topK: Int?
    /// Share of the likeliest token's probability that a token needs.
    public var minP: Float?
    /// Divides positive and multiplies negative logits of tokens seen before.
    public var repetitionPenalty: Float?
    /// Subtracted once from the logit of each token of the answer.
    public var presencePenalty: Float = 0
    /// Subtracted from a token's logit once per occurrence in the answer.
    public var frequencyPenalty: Float = 0
    /// Added to the logits of single tokens.
    public var logitBias: [SamplingParameters.LogitBias] = []
    /// Key of the random numbers; nil: one is drawn.
    public var seed: UInt64?
    /// Strings that end an answer; they are not part of it.
    public var stopStrings: [String] = []
    /// Tokens that end an answer, besides the model's end tokens.
    public var stopTokens: [TokenID] = []
    /// Whether the model's end tokens are drawn like any other token.
    public var ignoresEndTokens = false
    /// Answers per prompt.
    public var choiceCount: Int = 1
    /// Whether the answer is sent as it comes.
    public var streams = false
    /// Whether a stream ends with an event that carries the usage.
    public var includesUsage = false
    /// How many of the likeliest tokens to report beside each token; nil: no logprobs.
    public var logprobCount: Int?
    /// Whether token ids are reported too.
    public var returnsTokenIDs = false
    /// Whether the experts that each token visited are reported too.
    public var returnsRoutedExperts = false
    /// Whether logprobs name tokens as `token_id:123` instead of by their text.
    public var namesTokensByID = false
    /// Whether special tokens are left out of the text.
    public var skipsSpecialTokens = true

    /// All defaults.
    public init() {}
}

extension GenerationOptions {
    /// Reads the fields that both paths share; `logprobs` and the number of tokens are the paths' own.
    init(_ fields: RequestFields) throws(APIError) {
        try UnsupportedFields.refuse(UnsupportedFields.common, in: fields)
        model = try fields.string("model")
        try readSampling(fields)
        try readStops(fields)
        choiceCount = try fields.integer("n", in: 1...Limits.Gateway.choicesMax) ?? 1
        if let bestOf = try fields.integer("best_of", in: 1...Limits.Gateway.choicesMax), bestOf != choiceCount {
            throw .unsupported(
                "best_of", "'best_of' is \(bestOf) but 'n' is \(choiceCount); choosing among more is not supported")
        }
        try readStreaming(fields)
        returnsTokenIDs = try fields.bool("return_token_ids") ?? false
        returnsRoutedExperts = try fields.bool("return_routed_experts") ?? false
        namesTokensByID = try fields.bool("return_tokens_as_token_ids") ?? false
        skipsSpecialTokens = try fields.bool("skip_special_tokens") ?? true
    }

    private mutating func readSampling(_ fields: RequestFields) throws(APIError) {
        let penalties = -Limits.Gateway.penaltyMax...Limits.Gateway.penaltyMax
        temperature = try fields.number("temperature", in: 0...Limits.Gateway.temperatureMax)
        topP = try fields.number("top_p", in: 0...1)
        if topP == 0 { throw .invalid("top_p", "'top_p' is 0; it must be above 0 and at most 1") }
        topK = try fields.integer("top_k", in: -1...Int(Int32.max)).map { max($0, 0) }
        minP = try fields.number("min_p", in: 0...1)
        repetitionPenalty = try fields.number("repetition_penalty", in: 0...Limits.Gateway.repetitionPenaltyMax)
        if repetitionPenalty == 0 { throw .invalid("repetition_penalty", "'repetition_penalty' must be above 0") }
        presencePenalty = try fields.number("presence_penalty", in: penalties) ?? 0
        frequencyPenalty = try fields.number("frequency_penalty", in: penalties) ?? 0
        logitBias = try GenerationOptions.logitBias(fields)
        seed = try fields.integer("seed", in: .min ... .max).map { UInt64(bitPattern: Int64($0)) }
    }

    private mutating func readStops(_ fields: RequestFields) throws(APIError) {
        stopStrings = try GenerationOptions.stopStrings(fields)
        let identifiers = try fields.array("stop_token_ids", countMax: Limits.Gateway.stopTokensMax) ?? []
        stopTokens = []
        for identifier in identifiers {
            stopTokens.append(try tokenID(identifier, parameter: "stop_token_ids"))
        }
        ignoresEndTokens = try fields.bool("ignore_eos") ?? false
        tokensMin = try fields.integer("min_tokens", in: 0...Int(Int32.max)) ?? 0
    }

    private mutating func readStreaming(_ fields: RequestFields) throws(APIError) {
        streams = try fields.bool("stream") ?? false
        guard let options = fields.value("stream_options") else { return }
        guard streams else {
            throw .invalid("stream_options", "'stream_options' is only allowed when 'stream' is true")
        }
        includesUsage = try RequestFields(options, prefix: "stream_options.").bool("include_usage") ?? false
    }

    private static func logitBias(_ fields: RequestFields) throws(APIError) -> [SamplingParameters.LogitBias] {
        guard let members = try fields.object("logit_bias") else { return [] }
        guard members.count <= Limits.Gateway.logitBiasesMax else {
            throw .invalid(
                "logit_bias", "'logit_bias' has \(members.count) entries; the limit is \(Limits.Gateway.logitBiasesMax)"
            )
        }
        var biases: [SamplingParameters.LogitBias] = []
        for (name, value) in members {
            guard let identifier = Int32(name), identifier >= 0 else {
                throw .invalid("logit_bias", "'logit_bias' has the key '\(name)'; keys must be token ids")
            }
            guard let bias = value.double, abs(bias) <= Limits.Gateway.logitBiasMax else {
                let limit = Limits.Gateway.logitBiasMax
                throw .invalid("logit_bias", "the bias of token \(name) must be a number from -\(limit) to \(limit)")
            }
            biases.append(SamplingParameters.LogitBias(token: TokenID(identifier), bias: Float(bias)))
        }
        return biases.sorted { $0.token < $1.token }
    }

    private static func stopStrings(_ fields: RequestFields) throws(APIError) -> [String] {
        guard let value = fields.value("stop") else { return [] }
        let elements =
            value.string == nil ? try fields.array("stop", countMax: Limits.Gateway.stopStringsMax) ?? [] : [value]
        var strings: [String] = []
        for element in elements {
            guard let string = element.string else {
                throw .invalid("stop", "'stop' must be a string or an array of strings, found \(element.kindName)")
            }
            guard !string.isEmpty else { throw .invalid("stop", "a stop string must not be empty") }
            guard string.utf8.count <= Limits.Gateway.stopStringBytesMax else {
                throw .invalid(
                    "stop",
                    "a stop string has \(string.utf8.count) bytes; the limit is \(Limits.Gateway.stopStringBytesMax)")
            }
            strings.append(string)
        }
        return strings
    }
}

/// A token id; whether the model has such a token is checked where the vocabulary is known.
func tokenID(_ json: JSON, parameter: String) throws(APIError) -> TokenID {
    guard let integer = json.integer else {
        throw .invalid(parameter, "'\(parameter)' must hold token ids, found \(json.kindName)")
    }
    guard let identifier = Int32(exactly: integer), identifier >= 0 else {
        throw .invalid(parameter, "token id \(integer) in '\(parameter)' is out of range", code: "token_out_of_range")
    }
    return TokenID(identifier)
}
