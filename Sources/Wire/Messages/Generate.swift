public import Basics

/// How the next token is drawn from the logits. All fields have values that change nothing.
public struct SamplingParameters: Hashable, Sendable {
    /// Divides the logits; 0 means greedy (ties to the lower id).
    public var temperature: Float
    /// Keep the smallest set of tokens with at least this much probability; 1 keeps all.
    public var topP: Float
    /// Keep this many of the likeliest tokens; 0 keeps all.
    public var topK: UInt32
    /// Keep tokens with at least this share of the likeliest token's probability; 0 keeps all.
    public var minP: Float
    /// Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 changes nothing.
    public var repetitionPenalty: Float
    /// Subtracted once from the logit of each token of the output so far; 0 changes nothing.
    public var presencePenalty: Float
    /// Subtracted from a token's logit once per occurrence in the output so far; 0 changes nothing.
    public var frequencyPenalty: Float
    /// Added to the logits of single tokens before anything else.
    public var logitBias: [LogitBias]
    /// Key of the counter-based random numbers: same seed, same request, same answer.
    public var seed: UInt64

    /// One entry of `logitBias`.
    public struct LogitBias: Hashable, Sendable {
        /// The token.
        public var token: TokenID
        /// What is added to its logit.
        public var bias: Float

        /// Biases one token.
        public init(token: TokenID, bias: Float) {
            self.token = token
            self.bias = bias
        }
    }

    /// Greedy unless told otherwise.
    public init(
        temperature: Float = 0, topP: Float = 1, topK: UInt32 = 0, minP: Float = 0, repetitionPenalty: Float = 1,
        presencePenalty: Float = 0, frequencyPenalty: Float = 0, logitBias: [LogitBias] = [], seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topP = topP
        self.topK = topK
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.logitBias = logitBias
        self.seed = seed
    }
}

/// A sequence to be continued. Text never reaches the coordinator: stop strings and half characters are the gateway's.
public struct Generate: Hashable, Sendable {
    /// The prompt, at least one token.
    public var prompt: [TokenID]
    /// Most tokens to generate; 0 only scores the prompt (with `wantsPromptLogprobs`).
    public var tokensMax: UInt32
    /// Stop tokens are not drawn before this many tokens were generated.
    public var tokensMin: UInt32
    /// How tokens are drawn.
    public var sampling: SamplingParameters
    /// Generation ends with any of these; the token itself is reported. (The gateway fills in the model's end tokens
    /// unless the client asked to ignore them.)
    public var stopTokens: [TokenID]
    /// How many of the likeliest tokens to report beside each token; nil: no logprobs at all.
    public var logprobCount: UInt8?
    /// Whether the prompt's own tokens are scored too.
    public var wantsPromptLogprobs: Bool
    /// Whether the experts that produced each new token are reported beside it.
    public var wantsRoutedExperts: Bool

    /// Asks for a continuation.
    public init(
        prompt: [TokenID], tokensMax: UInt32, tokensMin: UInt32 = 0,
        sampling: SamplingParameters = SamplingParameters(),
        stopTokens: [TokenID] = [], logprobCount: UInt8? = nil, wantsPromptLogprobs: Bool = false,
        wantsRoutedExperts: Bool = false
    ) {
        self.prompt = prompt
        self.tokensMax = tokensMax
        self.tokensMin = tokensMin
        self.sampling = sampling
        self.stopTokens = stopTokens
        self.logprobCount = logprobCount
        self.wantsPromptLogprobs = wantsPromptLogprobs
        self.wantsRoutedExperts = wantsRoutedExperts
    }
}

/// A token with its logprob: the natural logarithm of the softmax of the unscaled logits.
public struct TokenLogprob: Hashable, Sendable {
    /// The token.
    public var token: TokenID
    /// Its logprob.
    public var logprob: Float

    /// Scores a token.
    public init(token: TokenID, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}

/// A token of the prompt or of the answer.
public struct ScoredToken: Hashable, Sendable {
    /// The token.
    public var token: TokenID
    /// Its logprob; nil if none was asked for, and for the first token of a prompt, which nothing predicts.
    public var logprob: Float?
    /// The likeliest tokens at this position, likeliest first; empty if none were asked for.
    public var top: [TokenLogprob]
    /// The experts that the forward pass visited which produced this token; nil if they were not asked for, and for the
    /// tokens of a prompt, which nothing produced.
    public var routedExperts: RoutedExperts?

    /// Describes a token.
    public init(
        token: TokenID, logprob: Float? = nil, top: [TokenLogprob] = [], routedExperts: RoutedExperts? = nil
    ) {
        self.token = token
        self.logprob = logprob
        self.top = top
        self.routedExperts = routedExperts
    }
}

/// Why a sequence ended. A failure ends the request with `Refusal` instead.
public enum FinishReason: UInt8, CaseIterable, Sendable {
    /// `tokensMax` or the end of the context was reached.
    case length = 1
    /// A stop token was drawn.
    case stop = 2
    /// The client cancelled.
    case cancelled = 3
}

/// What came of a `generate` since the last answer.
public struct Generated: Hashable, Sendable {
    /// Scores of prompt tokens, in order; they arrive chunk by chunk before the first generated token.
    public var promptTokens: [ScoredToken]
    /// New tokens, in order.
    public var tokens: [ScoredToken]
    /// Set in the last answer, and only there.
    public var finish: FinishReason?

    /// Reports progress of a sequence.
    public init(promptTokens: [ScoredToken] = [], tokens: [ScoredToken] = [], finish: FinishReason? = nil) {
        self.promptTokens = promptTokens
        self.tokens = tokens
        self.finish = finish
    }
}
