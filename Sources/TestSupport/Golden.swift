public import Basics
import Foundation

/// What the reference answers for one prompt of a fixture; the fields are those of `golden.json`, explained in
/// `Tests/Fixtures/README.md`.
public struct GoldenAnswer: Sendable {
    /// The prompt.
    public let prompt: [TokenID]
    /// The greedy continuation.
    public let greedy: [TokenID]
    /// Best minus second-best logit at each greedy step.
    public let greedyMargins: [Double]
    /// Per greedy token, per layer with a router: the experts of the pass that produced it, in the router's order.
    public let routedExperts: [[[ExpertIndex]]]
    /// log Σ exp(logits) at each position of prompt and continuation.
    public let logSumExp: [Double]
    /// Position i's logit of token i + 1.
    public let tokenLogits: [Double]
    /// The 20 best tokens at each position, best first.
    public let topTokens: [[TokenID]]
    /// Their logits.
    public let topLogits: [[Double]]
    /// All logits of a few positions.
    public let fullLogits: [Int: [Double]]

    /// What the layer that predicts a further token says; nil if the fixture has none.
    public let prediction: Prediction?

    /// What a prediction layer says at each position but the last, told the next token.
    public struct Prediction: Sendable {
        /// log Σ exp(logits).
        public let logSumExp: [Double]
        /// Position i's logit of token i + 2.
        public let tokenLogits: [Double]
        /// The best token.
        public let bestTokens: [TokenID]
        /// Its logit.
        public let bestLogits: [Double]
    }

    /// Prompt and continuation.
    public var tokens: [TokenID] { prompt + greedy }

    /// The answers of the small model `checkpoint`.
    public static func load(_ checkpoint: String) throws -> [GoldenAnswer] {
        let data = try Data(contentsOf: URL(fileURLWithPath: Fixtures.checkpoint(checkpoint) + "/golden.json"))
        let json = try JSON(parsing: Array(data))
        guard let answers = json["answers"]?.array else { throw JSONError.malformed(reason: "answers", byteOffset: 0) }
        return answers.map(GoldenAnswer.init)
    }

    private init(_ json: JSON) {
        func numbers(_ json: JSON?) -> [Double] { (json?.array ?? []).compactMap(\.double) }
        func tokens(_ json: JSON?) -> [TokenID] { (json?.array ?? []).compactMap(\.integer).map { TokenID(Int32($0)) } }
        prompt = tokens(json["prompt"])
        greedy = tokens(json["greedy"])
        greedyMargins = numbers(json["greedy_margins"])
        routedExperts = (json["routed_experts"]?.array ?? []).map { token in
            (token.array ?? []).map { layer in (layer.array ?? []).compactMap(\.integer).map(ExpertIndex.init) }
        }
        logSumExp = numbers(json["log_sum_exp"])
        tokenLogits = numbers(json["token_logits"])
        topTokens = (json["top_ids"]?.array ?? []).map(tokens)
        topLogits = (json["top_logits"]?.array ?? []).map(numbers)
        var full: [Int: [Double]] = [:]
        for position in [prompt.count - 1, prompt.count + greedy.count - 1] {
            full[position] = numbers(json["full_logits"]?["\(position)"])
        }
        fullLogits = full
        prediction = json["prediction"].map { json in
            Prediction(
                logSumExp: numbers(json["log_sum_exp"]), tokenLogits: numbers(json["token_logits"]),
                bestTokens: tokens(json["best_ids"]), bestLogits: numbers(json["best_logits"]))
        }
    }
}
