/// A whole answer, and what it took.
public struct Answer: Equatable, Sendable {
    /// The text.
    public var text = ""
    /// What the model thought before, if it tells.
    public var reasoning = ""
    /// Why it ended: `stop` at its own end, `length` at the limit of tokens or of the context.
    public var finishReason: String?
    /// Tokens; nil if the gateway did not count them.
    public var usage: TokenUsage?
    /// From the question to the first piece of text or reasoning, in seconds; nil without any.
    public var secondsToFirstText: Double?
    /// From the question to the end, in seconds.
    public var seconds: Double = 0

    /// Nothing yet.
    public init() {}

    /// Whether the answer was cut, at the limit of tokens or of the context.
    public var isCut: Bool { finishReason == "length" }

    /// Tokens per second after the first; nil where there were too few, or too little time, to say.
    public var tokensPerSecond: Double? {
        guard let usage, let secondsToFirstText, usage.completionTokens > 1 else { return nil }
        let generationSeconds = seconds - secondsToFirstText
        guard generationSeconds >= Self.rateSecondsMin else { return nil }
        return Double(usage.completionTokens - 1) / generationSeconds
    }

    /// A shorter time measures when pieces were read, not when they were generated.
    private static let rateSecondsMin = 0.02

    /// For instance `42 tokens, first after 0.12 s, 35.2 tokens/s`. Of a very short answer the rate counts the time to
    /// its first text too, and says so.
    public var statistics: String {
        guard let usage else { return "\(DecimalText.text(seconds, digits: 2)) s" }
        var parts = [usage.completionTokens == 1 ? "1 token" : "\(usage.completionTokens) tokens"]
        if let first = secondsToFirstText { parts.append("first after \(DecimalText.text(first, digits: 2)) s") }
        if let rate = tokensPerSecond {
            parts.append(Self.text(rate))
        } else if usage.completionTokens > 1, seconds > 0 {
            parts.append("\(Self.text(Double(usage.completionTokens) / seconds)) in all")
        }
        return parts.joined(separator: ", ")
    }

    private static func text(_ tokensPerSecond: Double) -> String {
        DecimalText.text(tokensPerSecond, digits: tokensPerSecond < 100 ? 1 : 0) + " tokens/s"
    }
}

/// Numbers for people.
enum DecimalText {
    /// A number with so many digits after the point.
    static func text(_ value: Double, digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        guard let scaled = Int(exactly: (value * Double(scale)).rounded()), scaled >= 0 else { return "\(value)" }
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
