import Basics
import Foundation
import Kernels
import Models

/// One sequence that a model and its prediction layers read.
final class PredictionRun {
    /// The next position to be read.
    private(set) var position = 0
    private let model: Model
    private let cache: SequenceCache
    private let state: ForwardState
    private let experts: any ExpertBackend
    private static let stepRows = Limits.KernelBenchmark.predictionStepRows

    init(
        model: Model, positions: Int, format: KeyValueFormat?, compute: Compute, experts: any ExpertBackend
    ) throws {
        cache = try SequenceCache.alone(model, positions: positions, format: format)
        self.model = model
        self.experts = experts
        state = ForwardState(model.description, rowsMax: min(positions, Self.stepRows), compute: compute)
    }

    /// The positions of the next step.
    func nextPositions(upTo end: Int) -> Range<Int> { position..<min(end, position + Self.stepRows) }

    /// Reads `tokens` at `positions`.
    func forward(_ tokens: [TokenID], _ positions: Range<Int>) throws {
        try forward(Array(tokens[positions]), at: positions.lowerBound)
    }

    /// Reads `tokens` at the positions from `first` on.
    func forward(_ tokens: [TokenID], at first: Int) throws {
        try model.forward(StepBatch(rows: rows(tokens, first)), state, experts: experts)
        position = first + tokens.count
    }

    /// Runs a prediction layer on the first rows of the last step, whose first position is `first`, each with a further
    /// token.
    func predict(_ layer: Int, _ tokens: [TokenID], from first: Int) throws {
        let batch = PredictionBatch(sources: Array(tokens.indices), rows: rows(tokens, first))
        try model.predict(PredictionIndex(layer), batch, state, experts: experts)
    }

    /// The likeliest token of a row.
    func best(ofRow row: Int) -> Int {
        var best = 0
        model.withLogits(ofRows: [row], state) { _, logits in best = logits.likeliest ?? 0 }
        return best
    }

    /// The probabilities of all tokens after each row.
    func probabilities(rowCount: Int) -> [[Float]] {
        var rows: [[Float]] = []
        model.withLogits(ofRows: Array(0..<rowCount), state) { _, logits in
            let most = Double(logits.max() ?? 0)
            let powers = logits.map { exp(Double($0) - most) }
            let sum = powers.reduce(0, +)
            rows.append(powers.map { Float($0 / sum) })
        }
        return rows
    }

    private func rows(_ tokens: [TokenID], _ first: Int) -> [StepBatch.Row] {
        tokens.enumerated().map { StepBatch.Row(token: $1, position: first + $0, cache: cache) }
    }
}
