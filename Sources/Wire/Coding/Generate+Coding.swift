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

/// What a `generate` asks for beside tokens, one bit each.
private struct Wants: OptionSet {
    let rawValue: UInt8

    static let promptLogprobs = Wants(rawValue: 1)
    static let routedExperts = Wants(rawValue: 2)

    /// The bits that mean something in a version of the protocol.
    static func known(in version: UInt16) -> Wants {
        version >= ProtocolVersion.routedExperts ? [.promptLogprobs, .routedExperts] : .promptLogprobs
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
        var wants: Wants = wantsPromptLogprobs ? .promptLogprobs : []
        if wantsRoutedExperts { wants.insert(.routedExperts) }
        guard wants.isSubset(of: .known(in: writer.version)) else {
            throw .invalidValue(field: "wants", reason: "is \(wants.rawValue), too much for version \(writer.version)")
        }
        writer.integer(wants.rawValue)
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
            })
        guard Int(logprobCount ?? 0) <= Limits.Wire.topLogprobsMax else {
            throw .beyondLimit(
                field: "logprobCount", value: Int(logprobCount ?? 0), limit: Limits.Wire.topLogprobsMax)
        }
        let wants = Wants(rawValue: try reader.integer("wants"))
        guard wants.isSubset(of: .known(in: reader.version)) else {
            throw .invalidValue(
                field: "wants", reason: "is \(wants.rawValue), which means nothing in version \(reader.version)")
        }
        wantsPromptLogprobs = wants.contains(.promptLogprobs)
        wantsRoutedExperts = wants.contains(.routedExperts)
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
    /// Added to the number of the finish reason where experts follow: an answer without them is written as before.
    private static let routedExpertsMark: UInt8 = 128

    /// `generated`
    public static var kind: MessageKind { .generated }

    /// Writes the payload.
    public func encode(into writer: inout ByteWriter) throws(WireError) {
        for (field, list) in [("promptTokens", promptTokens), ("tokens", tokens)] {
            try writer.list(field, list, limit: Limits.Wire.scoredTokensMax) { (writer, token) throws(WireError) in
                try token.encode(into: &writer)
            }
        }
        let number = finish?.rawValue ?? 0
        guard tokens.contains(where: { $0.routedExperts != nil }) else { return writer.integer(number) }
        guard writer.version >= ProtocolVersion.routedExperts else {
            throw .invalidValue(field: "routedExperts", reason: "are unknown to version \(writer.version)")
        }
        writer.integer(number | Generated.routedExpertsMark)
        try RoutedExpertsBlock.encode(tokens, into: &writer)
    }

    /// Reads the payload.
    public init(decoding reader: inout ByteReader) throws(WireError) {
        let promptTokens = try Generated.scoredTokens("promptTokens", &reader)
        var tokens = try Generated.scoredTokens("tokens", &reader)
        var number = try reader.integer("finish", as: UInt8.self)
        let hasRoutedExperts =
            reader.version >= ProtocolVersion.routedExperts && number & Generated.routedExpertsMark != 0
        if hasRoutedExperts { number -= Generated.routedExpertsMark }
        let finish = FinishReason(rawValue: number)
        guard number == 0 || finish != nil else {
            throw .invalidValue(field: "finish", reason: "\(number) is unknown")
        }
        if hasRoutedExperts { try RoutedExpertsBlock.decode(into: &tokens, from: &reader) }
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
