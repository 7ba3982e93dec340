import Basics
import Foundation
import OrderedCollections

/// How often prediction layers are right, and what they cost.
struct PredictionReport {
    /// One layer's agreement with the model.
    struct Agreement {
        /// Positions at which both said something of the same token.
        private(set) var positions = 0
        private var sameBest = 0
        private var overlapSum = 0.0

        /// Adds what both said, as probabilities of all tokens.
        mutating func add(own: [Float], predicted: [Float]) {
            positions += 1
            sameBest += own.likeliest == predicted.likeliest ? 1 : 0
            overlapSum += zip(own, predicted).reduce(0) { $0 + Double(min($1.0, $1.1)) }
        }

        /// The share of positions with the same likeliest token.
        var sameBestShare: Double { Double(sameBest) / Double(max(1, positions)) }

        /// The mean of the overlaps.
        var overlap: Double { overlapSum / Double(max(1, positions)) }

        func line(layer: Int) -> String {
            String(
                format: """
                    prediction layer %d: the likeliest token is the model's own at %d of %d positions (%.1f %%), \
                    probabilities overlap by %.3f on average
                    """, layer, sameBest, positions, 100 * sameBestShare, overlap)
        }

        func json(layer: Int) -> JSON {
            .object([
                "layer": .integer(Int64(layer)), "positions": .integer(Int64(positions)),
                "sameBest": .integer(Int64(sameBest)), "sameBestShare": .double(sameBestShare),
                "overlap": .double(overlap),
            ])
        }
    }

    /// Milliseconds of a step of one token.
    struct Steps {
        let without: Double
        let with: Double
    }

    var agreements: [Agreement]
    var textCount = 0
    var tokenCount = 0
    /// Weights of all prediction layers, as stored.
    var weightBytes: UInt64 = 0
    var steps = Steps(without: 0, with: 0)

    init(layerCount: Int) { agreements = Array(repeating: Agreement(), count: layerCount) }

    var lines: [String] {
        agreements.enumerated().map { $1.line(layer: $0 + 1) } + [
            "weights of the prediction layers: \(ReadableBytes.text(weightBytes))",
            String(
                format: "a step of one token: %.3f ms, with predictions %.3f ms", steps.without, steps.with),
        ]
    }

    func json(model: String, family: String) -> JSON {
        .object([
            "model": .string(model), "family": .string(family), "texts": .integer(Int64(textCount)),
            "tokens": .integer(Int64(tokenCount)),
            "layers": .array(agreements.enumerated().map { $1.json(layer: $0 + 1) }),
            "weightBytes": .integer(Int64(weightBytes)), "millisecondsPerStep": .double(steps.without),
            "millisecondsPerStepWithPredictions": .double(steps.with),
        ])
    }
}
