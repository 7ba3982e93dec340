public import Basics

/// A prompt as the client gave it.
public enum Prompt: Hashable, Sendable {
    /// Text, to be tokenised.
    case text(String)
    /// Token ids, taken as they are.
    case tokens([TokenID])
}

/// The body of `POST /v1/completions`, checked as far as that is possible without knowing the model.
public struct CompletionRequest: Hashable, Sendable {
    /// Tokens that are generated unless the client says otherwise; OpenAI's number.
    public static let tokensMaxDefault = 16

    /// The prompts, at least one.
    public var prompts: [Prompt]
    /// Whether the answer starts with the prompt.
    public var echoes: Bool
    /// Whether the tokenizer adds its special tokens (begin of text) to prompts given as text.
    public var addsSpecialTokens: Bool
    /// What both paths share.
    public var options: GenerationOptions

    /// Reads a request; throws an error that names the field.
    public init(parsing json: JSON) throws(APIError) {
        let fields = try RequestFields(json)
        try UnsupportedFields.refuse(UnsupportedFields.ofCompletions, in: fields)
        if let format = fields.value("response_format") { try ResponseFormat.check(format) }
        options = try GenerationOptions(fields)
        options.tokensMax =
            try fields.integer("max_tokens", in: 0...Int(Int32.max)) ?? CompletionRequest.tokensMaxDefault
        options.logprobCount = try CompletionRequest.logprobCount(fields)
        echoes = try fields.bool("echo") ?? false
        addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
        prompts = try CompletionRequest.prompts(fields)
        try CompletionRequest.checkSequenceCount(prompts: prompts.count, choices: options.choiceCount)
    }

    /// `true` and `false` are accepted too: some clients send chat's form.
    private static func logprobCount(_ fields: RequestFields) throws(APIError) -> Int? {
        if let bool = fields.value("logprobs")?.bool { return bool ? 0 : nil }
        return try fields.integer("logprobs", in: 0...Limits.Gateway.logprobsMax)
    }

    private static func checkSequenceCount(prompts: Int, choices: Int) throws(APIError) {
        guard prompts * choices <= Limits.Gateway.sequencesMax else {
            throw .invalid(
                "n",
                "\(prompts) prompts with \(choices) choices each are \(prompts * choices) sequences; "
                    + "the limit of one request is \(Limits.Gateway.sequencesMax)")
        }
    }

    private static func prompts(_ fields: RequestFields) throws(APIError) -> [Prompt] {
        guard let value = fields.value("prompt") else { throw .invalid("prompt", "'prompt' is missing") }
        switch value {
        case .string(let text): return [.text(text)]
        case .array(let elements):
            guard let first = elements.first else { throw .invalid("prompt", "'prompt' is an empty array") }
            if first.double != nil { return [.tokens(try tokenIDs(elements))] }
            guard elements.count <= Limits.Gateway.promptsMax else {
                throw .invalid(
                    "prompt", "'prompt' has \(elements.count) prompts; the limit is \(Limits.Gateway.promptsMax)")
            }
            var prompts: [Prompt] = []
            for element in elements { prompts.append(try prompt(element)) }
            return prompts
        case .bool, .double, .integer, .null, .object:
            throw fields.wrongKind("prompt", "a string, an array of strings, token ids or an array of them", value)
        }
    }

    private static func prompt(_ json: JSON) throws(APIError) -> Prompt {
        if let text = json.string { return .text(text) }
        guard let elements = json.array else {
            throw .invalid("prompt", "every prompt must be a string or an array of token ids, found \(json.kindName)")
        }
        return .tokens(try tokenIDs(elements))
    }

    private static func tokenIDs(_ elements: [JSON]) throws(APIError) -> [TokenID] {
        guard !elements.isEmpty else { throw .invalid("prompt", "a prompt of token ids must not be empty") }
        var tokens: [TokenID] = []
        tokens.reserveCapacity(elements.count)
        for element in elements { tokens.append(try tokenID(element, parameter: "prompt")) }
        return tokens
    }
}

/// The field `response_format`.
enum ResponseFormat {
    /// Accepts plain text and refuses the formats that need constrained sampling.
    static func check(_ json: JSON) throws(APIError) {
        let fields = try RequestFields(json, prefix: "response_format.")
        guard let type = try fields.string("type") else {
            throw .invalid("response_format", "'response_format.type' is missing")
        }
        guard type == "text" else {
            throw .unsupported("response_format", "'response_format' of type '\(type)' is not supported, only 'text'")
        }
    }
}
