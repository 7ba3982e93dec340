import Basics

extension SamplingParameters {
    func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.float(temperature)
        writer.float(topP)
        writer.integer(topK)
        writer.float(minP)
        writer.float(repetitionPenalty)
        writer.float(presencePenalty)
        writer.float(frequencyPenalty)
        writer.integer(seed)
        try writer.list("logitBias", logitBias, limit: Limits.Wire.logitBiasEntriesMax) { writer, entry in
            writer.integer(entry.token.value)
            writer.float(entry.bias)
        }
    }

    init(decoding reader: inout ByteReader) throws(WireError) {
        self.init()
        temperature = try reader.finiteFloat("temperature")
        topP = try reader.finiteFloat("topP")
        topK = try reader.integer("topK")
        minP = try reader.finiteFloat("minP")
        repetitionPenalty = try reader.finiteFloat("repetitionPenalty")
        presencePenalty = try reader.finiteFloat("presencePenalty")
        frequencyPenalty = try reader.finiteFloat("frequencyPenalty")
        seed = try reader.integer("seed")
        logitBias = try reader.list("logitBias", limit: Limits.Wire.logitBiasEntriesMax, elementByteCountMin: 8) {
            (reader) throws(WireError) in
            LogitBias(token: TokenID(try reader.integer("token")), bias: try reader.finiteFloat("bias"))
        }
    }
}

extension Generate: WireMessage {
    /// `generate`
    public static var kind: MessageKind { .generate }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        try writer.tokens("prompt", prompt, limit: Limits.Wire.promptTokensMax)
        writer.integer(tokensMax)
        writer.integer(tokensMin)
        try sampling.encode(into: &writer)
        try writer.tokens("stopTokens", stopTokens, limit: Limits.Wire.stopTokensMax)
        try writer.optional(logprobCount) { writer, count in writer.integer(count) }
        writer.bool(wantsPromptLogprobs)
    }

    /// Reads the payload. Whether it makes sense for the model (token ids, lengths) is the coordinator's to check.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        self.init(
            prompt: try reader.tokens("prompt", limit: Limits.Wire.promptTokensMax),
            tokensMax: try reader.integer("tokensMax"), tokensMin: try reader.integer("tokensMin"),
            sampling: try SamplingParameters(decoding: &reader),
            stopTokens: try reader.tokens("stopTokens", limit: Limits.Wire.stopTokensMax),
            logprobCount: try reader.optional("logprobCount") { (reader) throws(WireError) in
                try reader.integer("logprobCount", as: UInt8.self)
            },
            wantsPromptLogprobs: try reader.bool("wantsPromptLogprobs"))
        guard Int(logprobCount ?? 0) <= Limits.Wire.topLogprobsMax else {
            throw .beyondLimit(
                field: "logprobCount", value: Int(logprobCount ?? 0), limit: Limits.Wire.topLogprobsMax)
        }
    }
}

extension ScoredToken {
    /// Token, whether it has a logprob, number of likeliest tokens.
    static let byteCountMin = 6

    func encode(into writer: inout ByteWriter) throws(WireError) {
        writer.integer(token.value)
        try writer.optional(logprob) { writer, logprob in writer.float(logprob) }
        guard top.count <= Limits.Wire.topLogprobsMax else {
            throw .beyondLimit(field: "top", value: top.count, limit: Limits.Wire.topLogprobsMax)
        }
        writer.integer(UInt8(top.count))
        for entry in top {
            writer.integer(entry.token.value)
            writer.float(entry.logprob)
        }
    }

    init(decoding reader: inout ByteReader) throws(WireError) {
        let token = TokenID(try reader.integer("token"))
        let logprob = try reader.optional("logprob") { (reader) throws(WireError) in try reader.float("logprob") }
        let count = Int(try reader.integer("top", as: UInt8.self))
        guard count <= Limits.Wire.topLogprobsMax else {
            throw .beyondLimit(field: "top", value: count, limit: Limits.Wire.topLogprobsMax)
        }
        var top: [TokenLogprob] = []
        top.reserveCapacity(count)
        for _ in 0..<count {
            top.append(
                TokenLogprob(token: TokenID(try reader.integer("token")), logprob: try reader.float("logprob")))
        }
        self.init(token: token, logprob: logprob, top: top)
    }
}

extension Generated: WireMessage {
    /// `generated`
    public static var kind: MessageKind { .generated }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        for (field, list) in [("promptTokens", promptTokens), ("tokens", tokens)] {
            try writer.list(field, list, limit: Limits.Wire.scoredTokensMax) { (writer, token) throws(WireError) in
                try token.encode(into: &writer)
            }
        }
        writer.integer(finish?.rawValue ?? 0)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        let promptTokens = try Generated.scoredTokens("promptTokens", &reader)
        let tokens = try Generated.scoredTokens("tokens", &reader)
        let number = try reader.integer("finish", as: UInt8.self)
        let finish = FinishReason(rawValue: number)
        guard number == 0 || finish != nil else {
            throw .invalidValue(field: "finish", reason: "\(number) is unknown")
        }
        self.init(promptTokens: promptTokens, tokens: tokens, finish: finish)
    }

    private static func scoredTokens(
        _ field: String, _ reader: inout ByteReader
    ) throws(WireError) -> [ScoredToken] {
        try reader.list(
            field, limit: Limits.Wire.scoredTokensMax, elementByteCountMin: ScoredToken.byteCountMin
        ) { (reader) throws(WireError) in try ScoredToken(decoding: &reader) }
    }
}
