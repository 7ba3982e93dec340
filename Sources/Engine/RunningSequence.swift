import Basics
import Models
import Scheduling
import Wire

/// What became of a sequence.
public enum GenerationEvent: Sendable {
    /// It ended with an error.
    case failed(Refusal)
    /// New tokens or scores; the last one carries the finish reason.
    case progress(Generated)
}

/// A sequence from submission to its end. Owned by the engine's thread.
final class RunningSequence {
    let id: SequenceID
    let request: Generate
    let cache: SequenceCache
    /// Longest form, prompt included, in tokens.
    let tokensMax: Int
    let onEvent: @Sendable (GenerationEvent) -> Void
    /// Generated so far.
    private(set) var output: [TokenID] = []
    /// Why it cannot go on; nil if it can.
    private(set) var failure: Refusal?
    /// Prompt tokens that were scored and reported; a preempted sequence does not report them twice.
    private var scoredCount = 0
    private var pending = Generated()
    private var hasDrawn = false

    /// What a step did to a sequence.
    enum Outcome {
        /// Part of the prompt was computed.
        case continues
        /// It has ended; the last event is out.
        case ended
        /// It got one more token.
        case grew
    }

    init(
        id: SequenceID, request: Generate, cache: SequenceCache, tokensMax: Int,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        self.id = id
        self.request = request
        self.cache = cache
        self.tokensMax = tokensMax
        self.onEvent = onEvent
    }

    /// Prompt and output together.
    var tokenCount: Int { request.prompt.count + output.count }

    func token(at position: Int) -> TokenID {
        position < request.prompt.count ? request.prompt[position] : output[position - request.prompt.count]
    }

    /// Positions among `computed` whose logits are needed: those that predict a prompt token that is to be scored,
    /// and the last one if it predicts a token that is not known yet.
    func logitPositions(of computed: Range<Int>) -> [Int] {
        var positions: [Int] = []
        if request.wantsPromptLogprobs {
            let first = max(computed.lowerBound, scoredCount - 1, 0)
            let end = min(computed.upperBound, request.prompt.count - 1)
            if first < end { positions.append(contentsOf: first..<end) }
        }
        if drawsToken(after: computed) { positions.append(computed.upperBound - 1) }
        return positions
    }

    /// Whether the last position of `computed` predicts a token that is not known yet.
    func drawsToken(after computed: Range<Int>) -> Bool {
        computed.upperBound == tokenCount && request.tokensMax > 0
    }

    /// The logits of `position` are there: score the prompt token that they predict, or draw the next token.
    /// - Returns: whether a token was drawn.
    func takeLogits(_ logits: UnsafeBufferPointer<Float>, position: Int, _ sampler: inout Sampler) -> Bool {
        if position + 1 < request.prompt.count {
            reportFirstPromptToken()
            let token = request.prompt[position + 1]
            guard let scored = sampler.score(token, logits, topCount: Int(request.logprobCount ?? 0)) else {
                failure = Self.noNumbers(after: position + 1)
                return false
            }
            pending.promptTokens.append(scored)
            scoredCount = position + 2
        } else {
            drawToken(logits, &sampler)
        }
        return hasDrawn
    }

    /// The experts of the row that has just drawn a token.
    func takeExperts(_ experts: RoutedExperts) { pending.tokens[pending.tokens.count - 1].routedExperts = experts }

    /// Called once all logits of a step were taken. `computedCount` is how many tokens have been computed.
    func finishStep(computedCount: Int) -> Outcome {
        defer { hasDrawn = false }
        if computedCount >= request.prompt.count, request.wantsPromptLogprobs { reportFirstPromptToken() }
        if computedCount >= request.prompt.count, pending.finish == nil {
            if request.tokensMax == 0 || tokenCount >= tokensMax { pending.finish = .length }
            if let token = output.last, request.stopTokens.contains(token), output.count > Int(request.tokensMin) {
                pending.finish = .stop
            }
        }
        let hasEnded = pending.finish != nil
        if hasEnded || !pending.tokens.isEmpty || !pending.promptTokens.isEmpty {
            onEvent(.progress(pending))
            pending = Generated()
        }
        return hasEnded ? .ended : hasDrawn ? .grew : .continues
    }

    private func drawToken(_ logits: UnsafeBufferPointer<Float>, _ sampler: inout Sampler) {
        let drawn = sampler.draw(
            logits,
            Sampler.Context(
                parameters: request.sampling, prompt: request.prompt, output: output,
                banned: output.count < Int(request.tokensMin) ? request.stopTokens : []))
        guard let token = drawn, let scored = score(token, logits, sampler) else {
            failure = Self.noNumbers(after: tokenCount)
            return
        }
        output.append(token)
        hasDrawn = true
        pending.tokens.append(scored)
    }

    /// The token as it is reported: with its score if one was asked for.
    private func score(_ token: TokenID, _ logits: UnsafeBufferPointer<Float>, _ sampler: Sampler) -> ScoredToken? {
        guard let count = request.logprobCount else { return ScoredToken(token: token) }
        return sampler.score(token, logits, topCount: Int(count))
    }

    private static func noNumbers(after tokenCount: Int) -> Refusal {
        Refusal(
            .internalError,
            "the model gives no number as a logit after token \(tokenCount): its weights are damaged or overflow")
    }

    /// The first token of a prompt is predicted by nothing: it is reported without a score.
    private func reportFirstPromptToken() {
        guard scoredCount == 0 else { return }
        pending.promptTokens.append(ScoredToken(token: request.prompt[0]))
        scoredCount = 1
    }
}
