import Basics
import Dispatch
import Engine
import ExpertParallel
import Kernels
import Models
import Scheduling
import Synchronization
import TestSupport
import Weights
import Wire

/// A whole engine in this process with every expert local, on a fixture checkpoint.
final class EngineHarness: Sendable {
    let engine: Engine
    let model: Model

    let compute: Compute
    private let table: ExpertTable
    private let results: ResultFormat

    convenience init(
        checkpoint name: String, instructionSet: InstructionSet = .best, threads: Int = 1, rows: Int = 32,
        sequences: Int = 8, waiting: Int = 64, cacheBytes: Int = 64 << 20, keyValueFormat: KeyValueFormat? = nil,
        activations: ActivationFormat = .int8, predictionLayers: Int = 0
    ) throws {
        try self.init(
            path: Fixtures.checkpoint(name), instructionSet: instructionSet, threads: threads, rows: rows,
            sequences: sequences, waiting: waiting, cacheBytes: cacheBytes, keyValueFormat: keyValueFormat,
            activations: activations, predictionLayers: predictionLayers)
    }

    init(
        path: String, instructionSet: InstructionSet = .best, threads: Int = 1, rows: Int = 32,
        sequences: Int = 8, waiting: Int = 64, cacheBytes: Int = 64 << 20, keyValueFormat: KeyValueFormat? = nil,
        activations: ActivationFormat = .int8, predictionLayers: Int = 0
    ) throws {
        let checkpoint = try Checkpoint.open(path)
        let description = try Registry.describe(checkpoint, predictionLayers: predictionLayers)
        let compute = try Compute(instructionSet: instructionSet, threadCount: threads, activations: activations)
        let loader = ExpertLoader(checkpoint: checkpoint, description: description)
        var weights: [ShardID: ExpertWeights] = [:]
        for size in try loader.shardSizes() { weights[size.shard] = try loader.load(size.shard) }
        self.compute = compute
        let results = try loader.resultFormat(nil, activations: activations)
        self.results = results
        let table = ExpertTable(epoch: PlacementEpoch(1), weights: weights)
        self.table = table
        model = try Model(description, from: checkpoint)
        engine = try Engine(
            model: model,
            options: EngineOptions(
                sequencesMax: sequences, rowsMax: rows, waitingMax: waiting, keyValueCacheBytes: cacheBytes,
                keyValueFormat: keyValueFormat),
            compute: compute
        ) {
            LocalExpertBackend(table: table, compute: compute, hiddenSize: description.hiddenSize, results: results)
        }
    }

    deinit { engine.stop() }

    /// Experts for a step outside of the engine.
    func makeExperts() -> any ExpertBackend {
        LocalExpertBackend(table: table, compute: compute, hiddenSize: model.description.hiddenSize, results: results)
    }

    /// Starts a request; `Answer.wait` gives what came of it.
    func start(_ request: Generate) throws -> Answer {
        let answer = Answer()
        let sequence = try engine.submit(request) { answer.take($0) }
        answer.sequence.withLock { $0 = sequence }
        return answer
    }

    /// Runs a request to its end.
    func run(_ request: Generate) throws -> Generated { try start(request).wait() }
}

/// Collects the events of one request.
final class Answer: Sendable {
    let sequence = Mutex<SequenceID?>(nil)
    private let collected = Mutex(Generated())
    private let failure = Mutex<Refusal?>(nil)
    private let ended = DispatchSemaphore(value: 0)
    let firstToken = DispatchSemaphore(value: 0)

    func take(_ event: GenerationEvent) {
        switch event {
        case .failed(let refusal):
            failure.withLock { $0 = refusal }
            ended.signal()
        case .progress(let news):
            let isFirst = collected.withLock { all in
                defer {
                    all.promptTokens += news.promptTokens
                    all.tokens += news.tokens
                    all.finish = news.finish
                }
                return all.tokens.isEmpty && !news.tokens.isEmpty
            }
            if isFirst { firstToken.signal() }
            if news.finish != nil { ended.signal() }
        }
    }

    func wait() throws -> Generated {
        ended.wait()
        if let refusal = failure.withLock({ $0 }) { throw refusal }
        return collected.withLock { $0 }
    }
}
