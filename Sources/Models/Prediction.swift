import Kernels

/// A layer that predicts a further token, counted from 0.
public struct PredictionIndex: Hashable, Sendable {
    /// The number.
    public let value: Int

    /// The layer of that number.
    public init(_ value: Int) { self.value = value }
}

/// The rows of a prediction: hidden states of the last step, each with the token that comes next.
public struct PredictionBatch {
    /// For each row of `rows` the row of the last step, or of the last prediction, whose hidden state is taken;
    /// ascending.
    public var sources: [Int]
    /// For each the next token; the position is that of the hidden state, not of the token. Rows of one sequence are in
    /// order of position.
    public var rows: [StepBatch.Row]

    /// Collects rows.
    public init(sources: [Int] = [], rows: [StepBatch.Row] = []) {
        self.sources = sources
        self.rows = rows
    }
}

/// What computed the hidden states that a `ForwardState` has.
enum HiddenSource {
    case model
    case prediction(PredictionIndex)
}

extension ForwardState {
    /// Makes the rows of `sources`, which ascend, the first ones of `hidden`.
    func takeHidden(_ sources: [Int]) {
        let width = hidden.width
        let base = hidden.view.base
        for (row, source) in sources.enumerated() where source != row {
            precondition(source > row && source < rowsMax, "sources ascend")
            (base + row * width).update(from: base + source * width, count: width)
        }
    }
}
