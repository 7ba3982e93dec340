import Basics
import Foundation
import Kernels
import Models
import TestSupport
import Testing

/// A model with its prediction layer that is fed by hand.
struct PredictionRun {
    /// What was said about one text.
    struct Result: Equatable {
        /// Logits of the model at each position.
        var own: [[Float]] = []
        /// Logits of the prediction layer at each position but the last.
        var predicted: [[Float]] = []
    }

    private let harness: EngineHarness
    private let state: ForwardState
    private let layerCount: Int
    private static let rowsMax = 128

    init(
        _ checkpoint: String, instructionSet: InstructionSet = .best, threads: Int = 1,
        activations: ActivationFormat = .int8, predictionLayers: Int = 1
    ) throws {
        harness = try EngineHarness(
            checkpoint: checkpoint, instructionSet: instructionSet, threads: threads, activations: activations,
            predictionLayers: predictionLayers)
        layerCount = harness.model.description.predictionLayers.count
        state = ForwardState(harness.model.description, rowsMax: Self.rowsMax, compute: harness.compute)
    }

    /// Feeds texts together, each in steps of `stepRows` rows; with `draftsBetween` the layer also drafts on after each
    /// step, which nothing may depend on.
    func predict(_ texts: [[TokenID]], stepRows: Int, draftsBetween: Bool = false) throws -> [Result] {
        let experts = harness.makeExperts()
        let caches = try makeCaches(texts)
        var results = texts.map { _ in Result() }
        for start in stride(from: 0, to: texts.map(\.count).max() ?? 0, by: stepRows) {
            let rows = texts.indices.flatMap { text in
                (start..<max(start, min(start + stepRows, texts[text].count))).map { (text: text, position: $0) }
            }
            let batch = StepBatch(
                rows: rows.map {
                    StepBatch.Row(token: texts[$0.text][$0.position], position: $0.position, cache: caches[$0.text])
                })
            try harness.model.forward(batch, state, experts: experts)
            for (row, logits) in logits(rowCount: rows.count).enumerated() {
                results[rows[row].text].own.append(logits)
            }
            guard layerCount > 0 else { continue }
            var next = PredictionBatch()
            for (row, place) in rows.enumerated() where place.position + 1 < texts[place.text].count {
                next.sources.append(row)
                next.rows.append(
                    StepBatch.Row(
                        token: texts[place.text][place.position + 1], position: place.position,
                        cache: caches[place.text]))
            }
            guard !next.rows.isEmpty else { continue }
            try harness.model.predict(PredictionIndex(0), next, state, experts: experts)
            for (row, logits) in logits(rowCount: next.rows.count).enumerated() {
                results[rows[next.sources[row]].text].predicted.append(logits)
            }
            if draftsBetween { _ = try draftOn(from: next.rows.count - 1, after: next.rows, count: 2, experts) }
        }
        return results
    }

    /// The logits from which so many tokens are drafted after a text, each the likeliest one.
    func draft(_ tokens: [TokenID], count: Int, stepRows: Int) throws -> [[Float]] {
        let experts = harness.makeExperts()
        let cache = try makeCaches([tokens])[0]
        var last: (sources: Int, rows: [StepBatch.Row], logits: [Float]) = (0, [], [])
        for start in stride(from: 0, to: tokens.count - 1, by: stepRows) {
            let positions = start..<min(start + stepRows, tokens.count - 1)
            let rows = positions.map { StepBatch.Row(token: tokens[$0], position: $0, cache: cache) }
            try harness.model.forward(StepBatch(rows: rows), state, experts: experts)
            let next = positions.map { StepBatch.Row(token: tokens[$0 + 1], position: $0, cache: cache) }
            let batch = PredictionBatch(sources: Array(next.indices), rows: next)
            try harness.model.predict(PredictionIndex(0), batch, state, experts: experts)
            last = (next.count - 1, next, logits(rowCount: next.count)[next.count - 1])
        }
        return [last.logits] + (try draftOn(from: last.sources, after: last.rows, count: count - 1, experts))
    }

    /// Drafts tokens after the last of the rows of a prediction.
    private func draftOn(
        from source: Int, after rows: [StepBatch.Row], count: Int, _ experts: any ExpertBackend
    ) throws -> [[Float]] {
        guard let row = rows.last else { return [] }
        var found: [[Float]] = []
        var source = source
        var best = Self.best(logits(rowCount: source + 1)[source])
        for step in 1...count {
            let next = StepBatch.Row(token: best, position: row.position + step, cache: row.cache)
            try harness.model.predict(
                PredictionIndex(0), PredictionBatch(sources: [source], rows: [next]), state, experts: experts)
            found += logits(rowCount: 1)
            best = Self.best(found[step - 1])
            source = 0
        }
        return found
    }

    private func makeCaches(_ texts: [[TokenID]]) throws -> [SequenceCache] {
        let pool = try #require(
            CachePool(layouts: harness.model.cacheLayouts(.f32), byteCount: 16 << 20, sequencesMax: texts.count))
        return try texts.map { text in
            let cache = SequenceCache(pool: pool, positionsMax: text.count + 8)
            try #require(cache.reserve(text.count + 8))
            return cache
        }
    }

    private func logits(rowCount: Int) -> [[Float]] {
        var rows: [[Float]] = []
        harness.model.withLogits(ofRows: Array(0..<rowCount), state) { rows.append(Array($1)) }
        return rows
    }

    private static func best(_ logits: [Float]) -> TokenID {
        TokenID(Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0))
    }

    static func logProbabilities(_ logits: [Float]) -> [Double] {
        let most = Double(logits.max() ?? 0)
        let sum = most + log(logits.reduce(0) { $0 + exp(Double($1) - most) })
        return logits.map { Double($0) - sum }
    }
}
