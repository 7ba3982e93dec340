import Basics
import ExpertParallel
import Foundation
import Kernels
import Models
import Weights

/// A whole model with its prediction layers in this process.
struct PredictionMeasurement {
    /// Weights of all prediction layers, as stored, in bytes.
    let weightBytes: UInt64
    private let model: Model
    private let experts: ExpertTable
    private let compute: Compute
    private let format: KeyValueFormat?
    private let results: ResultFormat

    /// Reads the weights.
    init(
        path: String, compute: Compute, placement: WeightPlacement, format: KeyValueFormat?, results: ResultFormat?
    ) throws {
        let checkpoint = try Checkpoint.open(path, placement: placement)
        let description = try Registry.describe(checkpoint, predictionLayers: Limits.Models.predictionLayersMax)
        guard !description.predictionLayers.isEmpty else {
            throw ModelError.predictionLayersMissing(
                family: description.family, supported: Registry.predictingFamilies)
        }
        experts = try ModelUnderTest.loadExperts(checkpoint, description, threadCount: compute.pool.threadCount)
        model = try Model(description, from: checkpoint)
        self.results = try ExpertLoader(checkpoint: checkpoint, description: description)
            .resultFormat(results, activations: compute.activations)
        weightBytes = checkpoint.tensorNames.reduce(0) { sum, name in
            guard description.predictionLayers.contains(where: { $0.owns(name) }) else { return sum }
            return sum + UInt64(checkpoint.describe(name)?.byteCount ?? 0)
        }
        self.compute = compute
        self.format = format
    }

    var vocabularySize: Int { model.description.vocabularySize }

    var layerCount: Int { model.description.predictionLayers.count }

    var family: String { model.description.family }

    /// The text and so many tokens more, each the likeliest one to the model.
    func continued(_ text: [TokenID], by count: Int) throws -> [TokenID] {
        guard count > 0 else { return text }
        let run = try makeRun(positions: text.count + count)
        var tokens = text
        while tokens.count < text.count + count {
            let rows = run.nextPositions(upTo: tokens.count)
            try run.forward(tokens, rows)
            guard rows.upperBound == tokens.count else { continue }
            tokens.append(TokenID(Int32(run.best(ofRow: rows.count - 1))))
        }
        return tokens
    }

    /// Compares what the layers say with what the model says of the same tokens, those that follow positions from
    /// `first` on.
    func compare(_ tokens: [TokenID], from first: Int, _ report: inout PredictionReport) throws {
        let run = try makeRun(positions: tokens.count)
        // What layers said of tokens behind those that the model has read, by the position before the token.
        var pending = Array(repeating: [Int: [Float]](), count: layerCount)
        while run.position < tokens.count {
            let rows = run.nextPositions(upTo: tokens.count)
            try run.forward(tokens, rows)
            let own = run.probabilities(rowCount: rows.count)
            for layer in 0..<layerCount {
                let known = rows.prefix { $0 + layer + 1 < tokens.count }
                if !known.isEmpty {
                    try run.predict(layer, known.map { tokens[$0 + layer + 1] }, from: rows.lowerBound)
                    for (row, said) in run.probabilities(rowCount: known.count).enumerated() {
                        pending[layer][rows.lowerBound + row + layer + 1] = said
                    }
                }
                for (row, said) in own.enumerated() {
                    let predicted = pending[layer].removeValue(forKey: rows.lowerBound + row)
                    guard let predicted, rows.lowerBound + row >= first else { continue }
                    report.agreements[layer].add(own: said, predicted: predicted)
                }
            }
        }
    }

    /// Times steps of one token: the model alone, and with a token drafted by each layer. Medians.
    func timeSteps(_ text: [TokenID]) throws -> PredictionReport.Steps {
        let stepCount = min(Self.untimedSteps + Self.timedSteps, model.description.contextTokensMax)
        let run = try makeRun(positions: stepCount)
        var without: [Double] = [], with: [Double] = []
        for step in 0..<stepCount {
            let start = ContinuousClock.now
            try run.forward([text[step % text.count]], at: step)
            var best = run.best(ofRow: 0)
            let forward = ContinuousClock.now
            for layer in 0..<layerCount {
                try run.predict(layer, [TokenID(Int32(best))], from: step)
                best = run.best(ofRow: 0)
            }
            guard step >= Self.untimedSteps else { continue }
            without.append((forward - start) / .milliseconds(1))
            with.append((ContinuousClock.now - start) / .milliseconds(1))
        }
        func middle(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
        return PredictionReport.Steps(without: middle(without), with: middle(with))
    }

    /// The first steps of a process find no weights in caches and no page tables.
    private static let untimedSteps = 4
    private static let timedSteps = 32

    private func makeRun(positions: Int) throws -> PredictionRun {
        guard positions <= model.description.contextTokensMax else {
            throw MeasurementError(
                "\(positions) positions are more than the model's, \(model.description.contextTokensMax)")
        }
        return try PredictionRun(
            model: model, positions: positions, format: format, compute: compute,
            experts: LocalExpertBackend(
                table: experts, compute: compute, hiddenSize: model.description.hiddenSize, results: results))
    }
}

extension PredictionLayerDescription {
    /// Whether a stored tensor is read for the layer: those with the prefix of its names, copies of the model's own
    /// aside, and those that it shares with other prediction layers.
    fileprivate func owns(_ name: String) -> Bool {
        let copies = ["embed_tokens.weight", "shared_head.head.weight"]
        let parts = layer.attentionNormName.split(separator: ".").dropLast(2)
        guard !name.hasPrefix(parts.joined(separator: ".") + ".") else {
            return !copies.contains { name.hasSuffix($0) }
        }
        let joined =
            switch entry {
            case .joined(let names), .perStream(_, let names): String(names.weight.dropLast("weight".count))
            }
        return [embeddingNormName, hiddenNormName, normName].contains(name) || name.hasPrefix(joined)
    }
}
