import Basics
import Engine
import ExpertParallel
import Foundation
import Kernels
import Models
import ServiceSupport
import Weights
import Wire

/// One figure of a model.
struct ModelResult {
    enum Kind: String {
        case decode
        case prompt
    }

    let kind: Kind
    let sequences: Int
    let tokens: Int
    let tokensPerSecond: Double
    /// How fast memory was read just before and after, on average; only where that is the limit.
    var readGigabytesPerSecond: Double?
}

/// A whole model in this process.
final class ModelUnderTest {
    /// Prompt of the sequences whose answers are timed.
    static let promptTokensPerSequence = 16

    /// From opening the files to being ready.
    let loadSeconds: Double
    /// Packed weights, in bytes.
    let weightBytes: UInt64
    /// Weights that are read for a token that is alone: all but the embedding and the experts that it does not pick.
    let bytesPerToken: UInt64
    let description: ModelDescription
    /// How keys and values are stored.
    let keyValueText: String
    private let engine: Engine
    private let compute: Compute
    /// Some of the weights, to read them without computing.
    private let readMatrices: [PackedMatrix]
    private var nextToken: Int32 = 1

    init(
        path: String, compute: Compute, placement: WeightPlacement, sequencesMax: Int, tokensPerSequenceMax: Int,
        prefillChunkTokens: Int, keyValueFormat: KeyValueFormat?, results: ResultFormat?, cache: WeightCache?
    ) throws {
        let start = ContinuousClock.now
        let checkpoint = try Checkpoint.open(path, cache: cache, placement: placement)
        let description = try Registry.describe(checkpoint)
        let table = try Self.loadExperts(checkpoint, description, threadCount: compute.pool.threadCount)
        let results = try ExpertLoader(checkpoint: checkpoint, description: description)
            .resultFormat(results, activations: compute.activations)
        let model = try Model(description, from: checkpoint)
        let layouts = model.cacheLayouts(keyValueFormat)
        let bytesPerSequence = layouts.byteCount(ofPositions: tokensPerSequenceMax)
        engine = try Engine(
            model: model,
            options: EngineOptions(
                sequencesMax: sequencesMax, rowsMax: max(prefillChunkTokens, sequencesMax), waitingMax: sequencesMax,
                keyValueCacheBytes: bytesPerSequence * sequencesMax, keyValueFormat: keyValueFormat),
            compute: compute
        ) {
            LocalExpertBackend(table: table, compute: compute, hiddenSize: description.hiddenSize, results: results)
        }
        self.compute = compute
        let experts = Self.someMatrices(of: table)
        // A model without experts has too few matrices of its own to be read past all caches.
        readMatrices = experts.isEmpty ? try Ceilings.sampleMatrices(placement) : experts
        keyValueText =
            "\(engine.keyValueFormatText), \(engine.keyValueBytesPerToken) bytes per token"
            + (engine.stateBytesPerSequence > 0 ? ", \(engine.stateBytesPerSequence) bytes per sequence" : "")
        self.description = description
        weightBytes = checkpoint.tensorBytes
        bytesPerToken = try Self.bytesPerToken(checkpoint, description)
        loadSeconds = (ContinuousClock.now - start) / .seconds(1)
        // Nothing is written beside the measurements.
        checkpoint.keepPackedWeights(waits: true)
    }

    func stop() { engine.stop() }

    private static func bytesPerToken(
        _ checkpoint: Checkpoint, _ description: ModelDescription
    ) throws -> UInt64 {
        var unread: UInt64 = 0
        if description.headName != description.embeddingName {
            unread += UInt64(checkpoint.describe(description.embeddingName)?.byteCount ?? 0)
        }
        for case .mixture(let mixture) in description.layers.map(\.feedForward) {
            let expertBytes = try mixture.expertBytes(
                ExpertIndex(0), hiddenSize: description.hiddenSize, in: checkpoint)
            unread += UInt64(mixture.expertCount - mixture.expertsPerToken) * expertBytes
        }
        return checkpoint.tensorBytes - min(unread, checkpoint.tensorBytes)
    }

    /// Reads all experts.
    static func loadExperts(
        _ checkpoint: Checkpoint, _ description: ModelDescription, threadCount: Int
    ) throws -> ExpertTable {
        let loader = ExpertLoader(checkpoint: checkpoint, description: description)
        let reader = ShardReader(
            try loader.shardSizes().map(\.shard), loader: loader, threadCount: threadCount)
        switch reader.wait() {
        case .cancelled: throw MeasurementError("loading was cancelled")
        case .failed(let error): throw error
        case .finished(let weights): return ExpertTable(epoch: PlacementEpoch(1), weights: weights)
        }
    }

    /// Tokens per second of one prompt, up to its first token.
    func measurePrompt(tokens: Int, rounds: Int) throws -> ModelResult {
        _ = try generate(sequences: 1, prompt: min(tokens, Self.promptTokensPerSequence), tokens: 1)
        let rate = try median(of: rounds) {
            Double(tokens) / (try generate(sequences: 1, prompt: tokens, tokens: 1).untilAllBegan)
        }
        return ModelResult(kind: .prompt, sequences: 1, tokens: tokens, tokensPerSecond: rate)
    }

    /// Tokens per second of several sequences together, from the moment when each has its first token. For one sequence
    /// alone, which waits for memory, each round also reads weights before and after it: a virtual machine's memory
    /// changes its speed within seconds.
    func measureDecode(sequences: Int, tokens: Int, rounds: Int) throws -> ModelResult {
        var ceilings: [Double] = []
        func read() { if sequences == 1 { ceilings.append(readGigabytesPerSecond(rounds: 1)) } }
        read()
        let rate = try median(of: rounds) {
            defer { read() }
            let times = try generate(
                sequences: sequences, prompt: Self.promptTokensPerSequence, tokens: tokens + 1)
            return Double(times.tokensAfterAllBegan) / (times.untilAllEnded - times.untilAllBegan)
        }
        return ModelResult(
            kind: .decode, sequences: sequences, tokens: tokens, tokensPerSecond: rate,
            readGigabytesPerSecond: ceilings.isEmpty ? nil : ceilings.reduce(0, +) / Double(ceilings.count))
    }

    /// How fast all threads read weights of the model that no cache holds.
    func readGigabytesPerSecond(rounds: Int) -> Double {
        Ceilings.readGigabytesPerSecond(of: readMatrices, compute: compute, rounds: rounds)
    }

    /// A gigabyte of the experts' weights, if there is as much.
    private static func someMatrices(of table: ExpertTable) -> [PackedMatrix] {
        var matrices: [PackedMatrix] = []
        var byteCount = 0
        for case .expert(let layer, let expert) in table.shards where byteCount < 1 << 30 {
            guard let weights = table.weights(layer: layer, expert: expert) else { continue }
            matrices += [weights.gate, weights.up, weights.down]
            byteCount += weights.byteCount
        }
        return matrices
    }

    private func generate(sequences: Int, prompt: Int, tokens: Int) throws -> GenerationRun.Times {
        let run = GenerationRun(sequences: sequences)
        for number in 0..<sequences {
            let request = Generate(
                prompt: (0..<prompt).map { _ in freshToken() }, tokensMax: UInt32(tokens), tokensMin: UInt32(tokens))
            _ = try engine.submit(request, onEvent: { run.take($0, from: number) })
        }
        return try run.wait()
    }

    /// Prompts differ all over: nothing can be shared between them.
    private func freshToken() -> TokenID {
        nextToken = Int32((Int(nextToken) * 48271 + 11) % max(1, description.vocabularySize - 1))
        return TokenID(nextToken)
    }
}
