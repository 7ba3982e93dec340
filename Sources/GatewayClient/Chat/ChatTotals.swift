/// What a chat has cost so far: what `/stats` shows.
public struct ChatTotals: Equatable, Sendable {
    private var answerCount = 0
    private var promptTokens = 0
    private var completionTokens = 0
    private var last: Answer?

    /// Nothing asked yet.
    public init() {}

    /// Adds an answer.
    public mutating func add(_ answer: Answer) {
        answerCount += 1
        promptTokens += answer.usage?.promptTokens ?? 0
        completionTokens += answer.usage?.completionTokens ?? 0
        last = answer
    }

    /// Lines for people. `contextTokens` of `contextTokensMax` are in the model's context, if that is known.
    public func lines(contextTokens: Int?, contextTokensMax: Int?) -> [String] {
        var lines = ["\(answerCount) answers: \(promptTokens) prompt tokens, \(completionTokens) generated"]
        if let last { lines.append("last answer: " + last.statistics) }
        if let contextTokens {
            lines.append("context: \(contextTokens)\(contextTokensMax.map { " of \($0)" } ?? "") tokens")
        }
        return lines
    }
}
