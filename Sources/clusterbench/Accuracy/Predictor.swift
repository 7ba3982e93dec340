import Basics
import ExpertParallel
import Foundation
import Kernels
import Models
import OrderedCollections
import Weights

/// A whole model in this process that predicts the next token everywhere in a text.
struct Predictor {
    private let model: Model
    private let experts: ExpertTable
    private let loader: ExpertLoader

    /// Reads the weights.
    init(path: String, threadCount: Int, placement: WeightPlacement) throws {
        let checkpoint = try Checkpoint.open(path, placement: placement)
        let description = try Registry.describe(checkpoint)
        loader = ExpertLoader(checkpoint: checkpoint, description: description)
        experts = try ModelUnderTest.loadExperts(checkpoint, description, threadCount: threadCount)
        model = try Model(description, from: checkpoint)
    }

    var vocabularySize: Int { model.description.vocabularySize }

    /// The form of experts' results that a cluster would choose.
    func resultFormat(_ wanted: ResultFormat?, _ activations: ActivationFormat) throws -> ResultFormat {
        try loader.resultFormat(wanted, activations: activations)
    }

    /// Logarithms of the probabilities of every next token, [token][vocabulary].
    func logProbabilities(
        _ tokens: [TokenID], compute: Compute, keyValueFormat: KeyValueFormat, results: ResultFormat
    ) throws -> [[Float]] {
        let cache = try SequenceCache.alone(model, positions: tokens.count, format: keyValueFormat)
        let state = ForwardState(model.description, rowsMax: tokens.count, compute: compute)
        let batch = StepBatch(
            rows: tokens.enumerated().map { StepBatch.Row(token: $0.element, position: $0.offset, cache: cache) })
        let backend = LocalExpertBackend(
            table: experts, compute: compute, hiddenSize: model.description.hiddenSize, results: results)
        try model.forward(batch, state, experts: backend)
        var rows: [[Float]] = []
        model.withLogits(ofRows: Array(tokens.indices), state) { _, logits in
            let most = Double(logits.max() ?? 0)
            let logSum = most + log(logits.reduce(0) { $0 + exp(Double($1) - most) })
            rows.append(logits.map { Float(Double($0) - logSum) })
        }
        return rows
    }
}

/// How far predictions are from those without rounding.
struct PredictionComparison {
    private var divergences: [Double] = []
    private var sameBestCount = 0

    /// Adds one text: logarithms of probabilities, row by row.
    mutating func add(exact: ArraySlice<[Float]>, rounded: ArraySlice<[Float]>) {
        divergences += zip(exact, rounded).map { p, q in
            zip(p, q).reduce(0) { $0 + exp(Double($1.0)) * (Double($1.0) - Double($1.1)) }
        }
        sameBestCount += zip(exact, rounded).count { $0.likeliest == $1.likeliest }
    }

    private var mean: Double { divergences.reduce(0, +) / Double(max(1, divergences.count)) }

    /// What that share of the divergences does not exceed.
    private func quantile(_ share: Double) -> Double {
        divergences.isEmpty ? 0 : divergences.sorted()[Int(share * Double(divergences.count - 1))]
    }

    var line: String {
        String(
            format: """
                divergence %.2e on average, %.2e in the middle, %.2e for 99 %%, %.2e at most; the likeliest token is \
                the same at %d of %d places
                """, mean, quantile(0.5), quantile(0.99), quantile(1), sameBestCount, divergences.count)
    }

    var json: JSON {
        .object([
            "divergenceMean": .double(mean), "divergenceMedian": .double(quantile(0.5)),
            "divergence99": .double(quantile(0.99)), "divergenceMax": .double(quantile(1)),
            "sameBestTokens": .integer(Int64(sameBestCount)), "tokens": .integer(Int64(divergences.count)),
        ])
    }
}
