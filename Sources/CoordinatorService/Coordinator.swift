import Basics
import Engine
import ExpertParallel
import Foundation
import Kernels
import Logging
import Models
import Placement
import Scheduling
import ServiceSupport
import Synchronization
import Transport
import Weights
import Wire

/// Keeps every sequence's state, runs attention and the router, and places the experts on the workers.
///
/// ```
/// start ─▶ listening ─▶ trunk loaded ─▶ all workers known ─▶ placed ─▶ all workers ready ⇄ a worker is gone
///             │ from here on status and health answer                     │ from here on requests are accepted
/// ```
public final class Coordinator: Sendable {
    private struct State {
        var progress = StartProgress.loadingTrunk(layers: 0)
        var engine: Engine?
        var localTable: ExpertTable?
        var localReader: ShardReader?
        var isStopping = false
        var failure: String?
    }

    /// How far the start is.
    enum StartProgress: Sendable {
        case loadingExperts(LoadProgress)
        case loadingTrunk(layers: Int)
        case placed
        case waitingForWorkers
    }

    let options: CoordinatorOptions
    let checkpoint: Checkpoint
    let description: ModelDescription
    let logger: Logger
    let supervisor: WorkerSupervisor
    let gateways = ConnectedGateways()
    /// In which form experts' rows are added up.
    let results: ResultFormat
    private let shardSizes: [(shard: ShardID, byteCount: UInt64)]
    private let compute: Compute
    private let placement: WeightPlacement
    private let loader: ExpertLoader
    private let state = Mutex(State())
    private let listener = Mutex<LinkListener?>(nil)

    /// Opens the model and checks it (reads no weights yet).
    public init(options: CoordinatorOptions, logger: Logger) throws {
        self.options = options
        self.logger = logger
        placement = WeightPlacement(threads: options.threads, hasHugePages: options.hasHugePages)
        checkpoint = try Checkpoint.open(options.modelPath, cache: options.weightCache, placement: placement)
        description = try Registry.describe(checkpoint)
        compute = try Compute(
            instructionSet: options.instructionSet, threads: options.threads,
            spinMicroseconds: options.spinMicroseconds, activations: options.activations)
        loader = ExpertLoader(checkpoint: checkpoint, description: description)
        shardSizes = try loader.shardSizes()
        results = try loader.resultFormat(options.results, activations: options.activations)
        supervisor = WorkerSupervisor(
            workers: options.workers,
            options: WorkerSupervisor.Options(
                identity: options.identity, modelDigest: checkpoint.digest, activations: options.activations,
                linkOptions: LinkOptions(busyPollMicroseconds: options.busyPollMicroseconds),
                timings: options.membership, logger: logger))
    }

    /// Starts to listen, dials the workers, and loads the weights on a thread of its own.
    /// - Returns: the port.
    public func start() throws(TransportError) -> UInt16 {
        let listener = try LinkListener(
            endpoint: options.listen, identity: options.identity, options: LinkOptions(), logger: logger
        ) { [weak self] (hello, node, role) throws(Refusal) in
            guard let self else { throw Refusal(.unavailable, "the coordinator is stopping") }
            return try accept(hello, from: node, role)
        }
        self.listener.withLock { $0 = listener }
        supervisor.start { [weak self] event in self?.take(event) }
        let thread = Thread { [self] in load() }
        thread.name = "load"
        thread.stackSize = 4 << 20
        thread.start()
        return listener.port
    }

    /// Ends every sequence and closes every link.
    public func stop() {
        let engine = state.withLock { state in
            state.isStopping = true
            state.localReader?.cancel()
            return state.engine
        }
        engine?.stop()
        supervisor.stop()
        listener.withLock { listener in
            listener?.stop()
            listener = nil
        }
    }

    // MARK: Requests

    func submit(
        _ request: Generate, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(Refusal) -> SequenceID {
        guard let engine = state.withLock({ $0.engine }), unavailability == nil else {
            throw Refusal(.unavailable, unavailability ?? "the cluster is starting")
        }
        return try engine.submit(request, onEvent: onEvent)
    }

    func cancel(_ sequence: SequenceID) { state.withLock { $0.engine }?.cancel(sequence) }

    /// Why the cluster cannot generate; nil if it can.
    var unavailability: String? {
        let (progress, failure, hasEngine) = state.withLock { ($0.progress, $0.failure, $0.engine != nil) }
        if let failure { return failure }
        switch progress {
        case .loadingTrunk(let layers):
            return "loading the model: \(layers) of \(description.layers.count) layers"
        case .loadingExperts(let progress): return "loading experts: \(progress.text)"
        case .waitingForWorkers: return supervisor.unavailability ?? "placing the experts"
        case .placed: return supervisor.unavailability ?? (hasEngine ? nil : "starting the engine")
        }
    }

    /// What could not be repaired by waiting; nil if nothing.
    var failure: String? { state.withLock { $0.failure } }

    var engine: Engine? { state.withLock { $0.engine } }

    var localTable: ExpertTable? { state.withLock { $0.localTable } }

    /// Where it listens; nil before `start`.
    var address: String? { listener.withLock { $0?.endpoint.description } }

    private func accept(
        _ hello: Hello, from node: NodeID, _ role: Role
    ) throws(Refusal) -> (Welcome, any LinkHandler) {
        guard role == .gateway || role == .operator else {
            throw Refusal(
                .roleNotAllowed, "a coordinator takes links of gateways and operators, not of a \(role.rawValue)")
        }
        if !hello.listenAddress.isEmpty {
            do {
                _ = try Endpoint(parsing: hello.listenAddress)
            } catch {
                throw Refusal(.malformedPayload, "hello's listenAddress: \(error)")
            }
        }
        let welcome = Welcome(
            node: options.identity.node, role: .coordinator, version: ProtocolVersion.newest,
            modelDigest: checkpoint.digest, threadCount: UInt32(options.threads.count),
            instructionSet: options.instructionSet.rawValue, epoch: supervisor.epoch)
        logger.info("link accepted", metadata: ["peer": "\(node)", "role": "\(role.rawValue)"])
        return (welcome, ClientHandler(coordinator: self, hello: hello))
    }

    // MARK: Loading and placement

    private func load() {
        do {
            let model = try Model(description, from: checkpoint) { layers in
                state.withLock { $0.progress = .loadingTrunk(layers: layers) }
            }
            logger.info("trunk loaded", metadata: ["layers": "\(description.layers.count)"])
            for notice in description.notices { logger.notice("\(notice)") }
            guard let makeExperts = try options.workers.isEmpty ? loadLocally() : placeOnWorkers() else { return }
            checkpoint.keepPackedWeights()
            let engine = try Engine(
                model: model, options: engineOptions, compute: compute, contextTokensMax: options.contextTokensMax,
                makeExperts: makeExperts)
            let isStopping = state.withLock { state in
                state.engine = engine
                state.progress = .placed
                return state.isStopping
            }
            logger.info(
                "engine started",
                metadata: [
                    "context": "\(engine.contextTokensMax)", "cache": "\(engine.cachedTokensMax)",
                    "keyValueFormat": "\(engine.keyValueFormatText)",
                    "keyValueBytesPerToken": "\(engine.keyValueBytesPerToken)",
                    "stateBytesPerSequence": "\(engine.stateBytesPerSequence)", "sequences": "\(engine.sequencesMax)",
                    "activations": "\(options.activations.rawValue)", "results": "\(results.rawValue)",
                ].merging(placement.logEntries.mapValues { "\($0)" }) { $1 })
            if isStopping { engine.stop() }
        } catch {
            logger.error("cannot serve", metadata: ["reason": "\(error)"])
            state.withLock { $0.failure = "\(error)" }
        }
    }

    /// The engine's sizes; a step is kept small enough that even if all of its rows went to one worker the answer
    /// would fit a frame.
    private var engineOptions: EngineOptions {
        var engine = options.engine
        let rowBytes = description.hiddenSize * 4 * (description.mixtures.map(\.expertsPerToken).max() ?? 1)
        engine.rowsMax = max(1, min(engine.rowsMax, Limits.Wire.activationPayloadBytesMax / 2 / rowBytes))
        engine.sequencesMax = min(engine.sequencesMax, engine.rowsMax)
        return engine
    }

    /// - Returns: nil if the coordinator stops.
    private func loadLocally() throws -> (@Sendable () -> any ExpertBackend)? {
        let bytesTotal = shardSizes.reduce(0) { $0 + $1.byteCount }
        let stopwatch = Stopwatch()
        let reader = ShardReader(
            shardSizes.map(\.shard), loader: loader, threadCount: options.threads.count,
            onShard: { [self] bytesRead in
                let progress = LoadProgress(
                    bytesLoaded: bytesRead, bytesTotal: bytesTotal, seconds: stopwatch.elapsedSeconds)
                state.withLock { $0.progress = .loadingExperts(progress) }
            })
        let isStopping = state.withLock { state in
            state.localReader = reader
            return state.isStopping
        }
        if isStopping { reader.cancel() }
        switch reader.wait() {
        case .cancelled: return nil
        case .failed(let error): throw error
        case .finished(let weights): return hostLocally(weights)
        }
    }

    private func hostLocally(_ weights: [ShardID: ExpertWeights]) -> @Sendable () -> any ExpertBackend {
        let table = ExpertTable(epoch: PlacementEpoch(1), weights: weights)
        state.withLock { state in
            state.localTable = table
            state.localReader = nil
        }
        let (compute, hiddenSize, results) = (compute, description.hiddenSize, results)
        return { LocalExpertBackend(table: table, compute: compute, hiddenSize: hiddenSize, results: results) }
    }

    /// Plans as soon as every worker is known. A plan that does not fit is tried again when a worker comes back with
    /// another budget.
    /// - Returns: nil if the coordinator stops.
    private func plan() -> Placement? {
        let shards = shardSizes.map { ShardSize(shard: $0.shard, byteCount: $0.byteCount) }
        var known: [NodeID: UInt64]?
        while let budgets = supervisor.waitForBudgets(otherThan: known) {
            known = budgets
            do {
                let placement = try Placement.plan(
                    shards: shards, nodes: budgets.map { PlacementNode(node: $0.key, memoryBudgetBytes: $0.value) })
                state.withLock { $0.failure = nil }
                return placement
            } catch {
                logger.error("the model does not fit", metadata: ["reason": "\(error)"])
                state.withLock { $0.failure = error.description }
            }
        }
        return nil
    }

    /// - Returns: nil if the coordinator stops.
    private func placeOnWorkers() throws -> (@Sendable () -> any ExpertBackend)? {
        state.withLock { $0.progress = .waitingForWorkers }
        guard let placement = plan() else { return nil }
        let epoch = PlacementEpoch(1)
        supervisor.assign(placement, epoch: epoch)
        for node in placement.shards.keys.sorted() {
            logger.info(
                "placed",
                metadata: [
                    "worker": "\(node)", "shards": "\(placement.shards[node]?.count ?? 0)",
                    "bytes": "\(placement.byteCounts[node] ?? 0)",
                ])
        }
        var expertCounts: [LayerIndex: Int] = [:]
        for (index, layer) in description.allLayers.enumerated() {
            expertCounts[LayerIndex(index)] = layer.mixture?.expertCount
        }
        let owners = ExpertOwners(epoch: epoch, assignments: placement.shards, expertCounts: expertCounts)
        let (links, compute, timeout) = (supervisor.links, compute, options.dispatchTimeoutMilliseconds)
        let (layersInBlocks, results) = (try loader.layersInBlocks(), results)
        return {
            RemoteExpertBackend(
                owners: owners, links: links, compute: compute, layersInBlocks: layersInBlocks,
                results: results, timeoutMilliseconds: timeout)
        }
    }

    /// A worker that is lost takes every sequence with it: each needs experts of all workers sooner or later. (Living
    /// on with replicas is the placement's affair, once it makes some.)
    private func take(_ event: WorkerSupervisor.Event) {
        switch event {
        case .lost(let node, let reason):
            logger.error("worker lost", metadata: ["worker": "\(node)", "reason": "\(reason)"])
            state.withLock { $0.engine }?.failAll(
                Refusal(.unavailable, ExpertBackendError.workerUnavailable(node: node, reason: reason).description))
        case .ready(let node):
            logger.info("worker ready", metadata: ["worker": "\(node)"])
        }
    }
}
