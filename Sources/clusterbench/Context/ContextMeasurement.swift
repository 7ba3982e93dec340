import Basics
import ExpertParallel
import Foundation
import Kernels
import Models
import OrderedCollections
import Weights

/// What a token costs after a context.
struct ContextResult {
    let context: Int
    let seconds: Double
    /// What the sequence has of the cache, in bytes: what grows with it, and what does not.
    let growingBytes: Int
    let stateBytes: Int

    var line: String {
        let cache = ReadableBytes.text(UInt64(growingBytes)), state = ReadableBytes.text(UInt64(stateBytes))
        return String(format: "%d tokens before: %.2f ms, cache %@ and %@", context, 1000 * seconds, cache, state)
    }

    var json: JSON {
        .object([
            "context": .integer(Int64(context)), "milliseconds": .double(1000 * seconds),
            "growingBytes": .integer(Int64(growingBytes)), "stateBytes": .integer(Int64(stateBytes)),
        ])
    }
}

/// A whole model in this process, and one sequence whose context is made up.
struct ContextMeasurement {
    private let model: Model
    private let experts: ExpertTable
    private let compute: Compute
    private let format: KeyValueFormat?
    private let results: ResultFormat

    /// Reads the weights.
    init(path: String, compute: Compute, placement: WeightPlacement, format: KeyValueFormat?) throws {
        let checkpoint = try Checkpoint.open(path, placement: placement)
        let description = try Registry.describe(checkpoint)
        experts = try ModelUnderTest.loadExperts(
            checkpoint, description, threadCount: compute.pool.threadCount)
        model = try Model(description, from: checkpoint)
        // As in a cluster.
        results = try ExpertLoader(checkpoint: checkpoint, description: description)
            .resultFormat(nil, activations: compute.activations)
        self.compute = compute
        self.format = format
    }

    /// Times `tokens` single tokens, logits included, that follow on `context` positions.
    func measure(context: Int, tokens: Int) throws -> ContextResult {
        let layouts = model.cacheLayouts(format)
        // One token more warms the caches up.
        let positions = context + tokens + 1
        guard positions <= model.description.contextTokensMax else {
            throw MeasurementError(
                "\(positions) positions are more than the model's, \(model.description.contextTokensMax)")
        }
        let cache = try SequenceCache.alone(model, positions: positions, format: format)
        guard cache.fillSynthetically(positionCount: context) else {
            throw MeasurementError("keys and values are stored as integers, for which no context is made up")
        }
        let state = ForwardState(model.description, rowsMax: 1, compute: compute)
        let backend = LocalExpertBackend(
            table: experts, compute: compute, hiddenSize: model.description.hiddenSize, results: results)
        var next = context
        func step() throws -> Double {
            let token = TokenID(Int32(next * 48_271 % model.description.vocabularySize))
            let batch = StepBatch(rows: [StepBatch.Row(token: token, position: next, cache: cache)])
            let start = ContinuousClock.now
            try model.forward(batch, state, experts: backend)
            model.withLogits(ofRows: [0], state) { _, _ in }
            next += 1
            return (ContinuousClock.now - start) / .seconds(1)
        }
        _ = try step()
        let seconds = try median(of: tokens, step)
        return ContextResult(
            context: context, seconds: seconds, growingBytes: context * layouts.positionBytes,
            stateBytes: layouts.stateBytes)
    }
}
