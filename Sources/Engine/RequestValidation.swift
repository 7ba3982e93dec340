import Basics
import Wire

/// Checks a request against the model before it may touch a running batch.
public struct RequestValidation: Sendable {
    private let vocabularySize: Int
    private let contextTokensMax: Int
    private let expertsPerToken: Int

    /// Checks against a model of this size; `expertsPerToken` counts the routed experts of all layers.
    public init(vocabularySize: Int, contextTokensMax: Int, expertsPerToken: Int) {
        self.vocabularySize = vocabularySize
        self.contextTokensMax = contextTokensMax
        self.expertsPerToken = expertsPerToken
    }

    /// The longest form of the sequence, prompt included, in tokens.
    public func tokensMax(of request: Generate) throws(Refusal) -> Int {
        let count = request.prompt.count
        guard count > 0 else { throw Refusal(.invalidRequest, "the prompt is empty") }
        let room = request.tokensMax == 0 ? contextTokensMax : contextTokensMax - 1
        guard count <= room else {
            throw Refusal(
                .invalidRequest,
                "the prompt has \(count) tokens; the context holds \(contextTokensMax), the answer included")
        }
        try checkTokens(request.prompt, "the prompt")
        try checkTokens(request.stopTokens, "stop_token_ids")
        try checkTokens(request.sampling.logitBias.map(\.token), "logit_bias")
        try check(request.sampling)
        guard Int(request.logprobCount ?? 0) <= Limits.Engine.logprobsMax else {
            throw Refusal(
                .invalidRequest,
                "\(request.logprobCount ?? 0) logprobs are asked for, at most \(Limits.Engine.logprobsMax) are given")
        }
        guard !request.wantsRoutedExperts || expertsPerToken <= Limits.Wire.routedExpertsMax else {
            throw Refusal(
                .invalidRequest,
                """
                a token visits \(expertsPerToken) experts of this model, at most \(Limits.Wire.routedExpertsMax) are \
                reported
                """)
        }
        return min(contextTokensMax, count + Int(request.tokensMax))
    }

    private func checkTokens(_ tokens: [TokenID], _ place: String) throws(Refusal) {
        for token in tokens where !(0..<vocabularySize).contains(Int(token.value)) {
            throw Refusal(
                .invalidRequest,
                "\(place) has the token \(token); the vocabulary's tokens are 0 to \(vocabularySize - 1)")
        }
    }

    private func check(_ sampling: SamplingParameters) throws(Refusal) {
        try check(sampling.temperature, "temperature") { $0 >= 0 }
        try check(sampling.topP, "top_p") { $0 > 0 && $0 <= 1 }
        try check(sampling.minP, "min_p") { $0 >= 0 && $0 <= 1 }
        try check(sampling.repetitionPenalty, "repetition_penalty") { $0 > 0 }
        try check(sampling.presencePenalty, "presence_penalty") { _ in true }
        try check(sampling.frequencyPenalty, "frequency_penalty") { _ in true }
        for entry in sampling.logitBias { try check(entry.bias, "logit_bias") { _ in true } }
    }

    private func check(_ value: Float, _ name: String, _ isValid: (Float) -> Bool) throws(Refusal) {
        guard value.isFinite, isValid(value) else { throw Refusal(.invalidRequest, "\(name) cannot be \(value)") }
    }
}
