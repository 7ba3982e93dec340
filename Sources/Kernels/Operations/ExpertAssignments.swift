/// Which tokens of a step go to which expert. Cleared and filled anew for each step, it allocates nothing once it has
/// had the largest.
public struct ExpertAssignments {
    struct Token {
        let expert: Int
        let inputRow: Int
        let outputRow: Int
        let scale: Float
    }

    /// The experts, as they are numbered.
    public private(set) var experts: [ExpertWeights] = []
    /// Per expert, how many tokens it has.
    private(set) var counts: [Int] = []
    /// In the order in which they were assigned, which is that of an expert's tokens in its kernels.
    private(set) var tokens: [Token] = []

    /// No expert yet.
    public init() {}

    /// Another step begins.
    public mutating func removeAll() {
        experts.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
    }

    /// Takes an expert in; answers its number.
    public mutating func add(_ weights: ExpertWeights) -> Int {
        experts.append(weights)
        counts.append(0)
        return experts.count - 1
    }

    /// Row `inputRow` of the input goes to an expert, by its number, which gives row `outputRow` of the output,
    /// multiplied by `scale`. No row of the output is named twice.
    public mutating func assign(_ inputRow: Int, to expert: Int, outputRow: Int, scale: Float) {
        counts[expert] += 1
        tokens.append(Token(expert: expert, inputRow: inputRow, outputRow: outputRow, scale: scale))
    }
}
