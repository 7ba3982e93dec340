import Basics
import Kernels
import Wire

/// Draws tokens from logits, and scores them.
///
/// Order: logit bias, repetition, presence and frequency penalties, then (unless greedy) temperature, top-k, top-p,
/// min-p, and one draw. Everything is computed in double precision in a fixed order.
public struct Sampler {
    private let compute: Compute
    private var adjusted: [Float] = []
    private var probabilities: [Double] = []

    /// A sampler that scores with `compute`.
    public init(compute: Compute) { self.compute = compute }

    /// What is known about a sequence when a token is drawn.
    public struct Context {
        /// How to draw.
        public let parameters: SamplingParameters
        /// Every token of the prompt.
        public let prompt: [TokenID]
        /// Every token generated so far.
        public let output: [TokenID]
        /// Tokens that may not be drawn yet.
        public let banned: [TokenID]

        /// Collects what is known.
        public init(parameters: SamplingParameters, prompt: [TokenID], output: [TokenID], banned: [TokenID]) {
            self.parameters = parameters
            self.prompt = prompt
            self.output = output
            self.banned = banned
        }
    }

    /// Draws the next token.
    public mutating func draw(_ logits: UnsafeBufferPointer<Float>, _ context: Context) -> TokenID {
        guard Self.needsAdjusting(context) else { return choose(logits, context) }
        adjusted.removeAll(keepingCapacity: true)
        adjusted.append(contentsOf: logits)
        adjust(context)
        var copy: [Float] = []
        swap(&copy, &adjusted)
        defer { swap(&copy, &adjusted) }
        return copy.withUnsafeBufferPointer { choose($0, context) }
    }

    /// The logprob of `token` and the `topCount` likeliest tokens, from the logits as the model gave them.
    public func score(_ token: TokenID, _ logits: UnsafeBufferPointer<Float>, topCount: Int) -> ScoredToken {
        let normaliser = compute.logSumExp(logits)
        let top = topCount == 0 ? [] : compute.topN(logits, count: topCount)
        return ScoredToken(
            token: token, logprob: logits[Int(token.value)] - normaliser,
            top: top.map { TokenLogprob(token: TokenID(Int32($0.index)), logprob: $0.value - normaliser) })
    }

    private static func needsAdjusting(_ context: Context) -> Bool {
        let parameters = context.parameters
        return !parameters.logitBias.isEmpty || !context.banned.isEmpty || parameters.repetitionPenalty != 1
            || parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0
    }

    private mutating func adjust(_ context: Context) {
        let parameters = context.parameters
        for entry in parameters.logitBias { adjusted[Int(entry.token.value)] += entry.bias }
        if parameters.repetitionPenalty != 1 {
            for token in Set(context.prompt).union(context.output) {
                let index = Int(token.value)
                adjusted[index] =
                    adjusted[index] > 0
                    ? adjusted[index] / parameters.repetitionPenalty : adjusted[index] * parameters.repetitionPenalty
            }
        }
        if parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0 {
            let counts = context.output.reduce(into: [TokenID: Int]()) { $0[$1, default: 0] += 1 }
            for (token, count) in counts {
                adjusted[Int(token.value)] -= parameters.presencePenalty + parameters.frequencyPenalty * Float(count)
            }
        }
        for token in context.banned { adjusted[Int(token.value)] = -.infinity }
    }

    private mutating func choose(_ logits: UnsafeBufferPointer<Float>, _ context: Context) -> TokenID {
        let best = compute.argmax(logits)
        let parameters = context.parameters
        guard parameters.temperature > 0, parameters.topK != 1 else { return TokenID(Int32(best)) }
        let position = context.prompt.count + context.output.count
        let uniform = CounterRandom(seed: parameters.seed).uniform(at: position)
        computeProbabilities(logits, largest: logits[best], temperature: parameters.temperature)
        let candidates = self.candidates(parameters)
        guard let candidates else { return pick(probabilities.indices, uniform) ?? TokenID(Int32(best)) }
        return pick(candidates, uniform) ?? TokenID(Int32(best))
    }

    /// Unnormalised probabilities; the likeliest token has 1.
    private mutating func computeProbabilities(
        _ logits: UnsafeBufferPointer<Float>, largest: Float, temperature: Float
    ) {
        probabilities.removeAll(keepingCapacity: true)
        let scale = 1 / Double(temperature)
        for logit in logits {
            let exponent = (Double(logit) - Double(largest)) * scale
            // A logit that is not a number never wins.
            probabilities.append(exponent <= 0 ? DeterministicMath.exp(exponent) : 0)
        }
    }

    /// The tokens that top-k, top-p and min-p leave, likeliest first (ties: lower id); nil where all are left.
    private func candidates(_ parameters: SamplingParameters) -> [Int]? {
        let limitsCount = parameters.topK > 0 && Int(parameters.topK) < probabilities.count
        guard limitsCount || parameters.topP < 1 || parameters.minP > 0 else { return nil }
        var left = likeliest(
            countMax: limitsCount ? Int(parameters.topK) : probabilities.count, share: Double(parameters.topP))
        if parameters.minP > 0 { left.removeAll { probabilities[$0] < Double(parameters.minP) } }
        return left
    }

    /// The likeliest `countMax` tokens, cut as soon as they hold `share` of the probability of those `countMax`.
    ///
    /// Tokens are gathered by binary exponent from the likeliest down, so that only the few that matter are sorted.
    private func likeliest(countMax: Int, share: Double) -> [Int] {
        var byExponent: [Int: [Int]] = [:]
        for (token, probability) in probabilities.enumerated() where probability > 0 {
            byExponent[Int(probability.exponent), default: []].append(token)
        }
        let total = countMax < probabilities.count ? nil : probabilities.reduce(0, +)
        var sorted: [Int] = []
        var mass = 0.0
        for exponent in byExponent.keys.sorted(by: >) where sorted.count < countMax {
            if let total, mass >= share * total { break }
            let group = (byExponent[exponent] ?? []).sorted {
                (probabilities[$1], $0) < (probabilities[$0], $1)
            }
            sorted.append(contentsOf: group)
            mass += group.reduce(0) { $0 + probabilities[$1] }
        }
        sorted.removeLast(max(0, sorted.count - countMax))
        let target = share * (total ?? sorted.reduce(0) { $0 + probabilities[$1] })
        var held = 0.0
        for (index, token) in sorted.enumerated() {
            held += probabilities[token]
            if held >= target { return Array(sorted[...index]) }
        }
        return sorted
    }

    /// The candidate at which the running sum passes `uniform` of the whole.
    private func pick(_ candidates: some Sequence<Int>, _ uniform: Double) -> TokenID? {
        let target = uniform * candidates.reduce(0) { $0 + probabilities[$1] }
        var held = 0.0
        var last: Int?
        for token in candidates where probabilities[token] > 0 {
            held += probabilities[token]
            last = token
            if held > target { break }
        }
        return last.map { TokenID(Int32($0)) }
    }
}
