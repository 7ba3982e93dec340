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
    /// Probability of the whole vocabulary, where the candidates are only a part of it.
    private var wholeMass: Double?

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
    /// - Returns: nil if the logits are not numbers: the weights are damaged, or overflow for this very text.
    public mutating func draw(_ logits: UnsafeBufferPointer<Float>, _ context: Context) -> TokenID? {
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
    /// - Returns: nil if the logits are not numbers.
    public func score(_ token: TokenID, _ logits: UnsafeBufferPointer<Float>, topCount: Int) -> ScoredToken? {
        let normaliser = compute.logSumExp(logits)
        guard normaliser.isFinite else { return nil }
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

    private mutating func choose(_ logits: UnsafeBufferPointer<Float>, _ context: Context) -> TokenID? {
        let best = compute.argmax(logits)
        guard logits[best].isFinite else { return nil }
        let parameters = context.parameters
        guard parameters.temperature > 0, parameters.topK != 1 else { return TokenID(Int32(best)) }
        let scale = ProbabilityScale(largest: logits[best], temperature: parameters.temperature)
        let limitsCount = parameters.topK > 0 && Int(parameters.topK) < logits.count
        var candidates =
            limitsCount
            ? likeliest(logits, count: Int(parameters.topK), scale)
            : allCandidates(logits, scale, share: Double(parameters.topP))
        if parameters.topP < 1 { cut(&candidates, share: Double(parameters.topP)) }
        if parameters.minP > 0 { candidates.removeAll { $0.probability < Double(parameters.minP) } }
        let position = context.prompt.count + context.output.count
        let uniform = CounterRandom(seed: parameters.seed).uniform(at: position)
        return Self.pick(candidates, uniform) ?? TokenID(Int32(best))
    }

    /// The `count` likeliest tokens, likeliest first (ties: lower id).
    private func likeliest(
        _ logits: UnsafeBufferPointer<Float>, count: Int, _ scale: ProbabilityScale
    ) -> [Candidate] {
        compute.topN(logits, count: count).map { Candidate(token: $0.index, probability: scale.probability($0.value)) }
    }

    /// Every token, in order of its id; or, where only those count that hold `share` of the probability, these and a
    /// few more, likeliest first.
    ///
    /// Probabilities are first summed by binary exponent, so that only tokens down to the exponent that matters are
    /// sorted: a few hundred of a vocabulary of 150,000.
    private mutating func allCandidates(
        _ logits: UnsafeBufferPointer<Float>, _ scale: ProbabilityScale, share: Double
    ) -> [Candidate] {
        probabilities.removeAll(keepingCapacity: true)
        probabilities.append(contentsOf: logits.lazy.map(scale.probability))
        guard share < 1 else {
            return probabilities.enumerated().map { Candidate(token: $0, probability: $1) }
        }
        var masses = [Double](repeating: 0, count: ProbabilityScale.exponentCount)
        for probability in probabilities where probability > 0 { masses[-Int(probability.exponent)] += probability }
        let total = masses.reduce(0, +)
        var held = 0.0
        let deepest = masses.firstIndex { mass in
            held += mass
            return held >= share * total
        }
        let smallest = Double(sign: .plus, exponent: -(deepest ?? masses.count - 1), significand: 1)
        wholeMass = total
        return probabilities.enumerated().lazy.filter { $1 >= smallest }
            .map { Candidate(token: $0, probability: $1) }
            .sorted { ($1.probability, $0.token) < ($0.probability, $1.token) }
    }

    /// Cuts candidates, likeliest first, as soon as they hold `share` of the probability.
    private mutating func cut(_ candidates: inout [Candidate], share: Double) {
        let total = wholeMass ?? candidates.reduce(0) { $0 + $1.probability }
        wholeMass = nil
        var held = 0.0
        let last = candidates.firstIndex { candidate in
            held += candidate.probability
            return held >= share * total
        }
        if let last { candidates.removeSubrange((last + 1)...) }
    }

    /// The candidate at which the running sum passes `uniform` of the whole.
    private static func pick(_ candidates: [Candidate], _ uniform: Double) -> TokenID? {
        let target = uniform * candidates.reduce(0) { $0 + $1.probability }
        var held = 0.0
        let chosen = candidates.first { candidate in
            held += candidate.probability
            return held > target
        }
        return (chosen ?? candidates.last { $0.probability > 0 }).map { TokenID(Int32($0.token)) }
    }
}

/// A token that may be drawn.
private struct Candidate {
    let token: Int
    let probability: Double
}

/// Unnormalised probabilities: the likeliest token has 1.
private struct ProbabilityScale {
    /// Binary exponents that a positive probability can have: 0 down to that of the least double.
    static let exponentCount = 1075

    private let largest: Double
    private let factor: Double

    init(largest: Float, temperature: Float) {
        self.largest = Double(largest)
        factor = 1 / Double(temperature)
    }

    func probability(_ logit: Float) -> Double {
        let exponent = (Double(logit) - largest) * factor
        // A logit that is not a number never wins.
        return exponent <= 0 ? DeterministicMath.exp(exponent) : 0
    }
}
