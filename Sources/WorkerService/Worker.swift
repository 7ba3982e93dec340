import Basics
import ExpertParallel
import Foundation
import Kernels
import Logging
import Models
import ServiceSupport
import Synchronization
import Transport
import Weights
import Wire

/// How a worker is set up.
public struct WorkerOptions: Sendable {
    /// Who the worker is: its certificate.
    public var identity: NodeIdentity
    /// Directory of the model, as on every host.
    public var modelPath: String
    /// Where it listens; port 0 lets the system choose.
    public var listen: Endpoint
    /// Memory that it offers for shards, in bytes.
    public var memoryBudgetBytes: UInt64
    /// Compute threads, and where they run.
    public var threads: ThreadPlacement
    /// Instruction set of the kernels.
    public var instructionSet: InstructionSet
    /// How long compute threads spin for more work before they sleep, in microseconds.
    public var spinMicroseconds: Int
    /// How long a link's reader polls before it sleeps, in microseconds.
    public var busyPollMicroseconds: Int
    /// The versions of the protocol that it says it speaks.
    public var versions: ClosedRange<UInt16>
    /// Where packed weights are kept from start to start; nil: nowhere.
    public var weightCache: WeightCache?
    /// Whether weights lie in huge pages where the system has some.
    public var hasHugePages: Bool

    /// Sets a worker up.
    public init(
        identity: NodeIdentity, modelPath: String, listen: Endpoint, memoryBudgetBytes: UInt64,
        threads: ThreadPlacement, instructionSet: InstructionSet, spinMicroseconds: Int, busyPollMicroseconds: Int,
        versions: ClosedRange<UInt16> = ProtocolVersion.supported, weightCache: WeightCache? = nil,
        hasHugePages: Bool = true
    ) {
        self.identity = identity
        self.modelPath = modelPath
        self.listen = listen
        self.memoryBudgetBytes = memoryBudgetBytes
        self.threads = threads
        self.instructionSet = instructionSet
        self.spinMicroseconds = spinMicroseconds
        self.busyPollMicroseconds = busyPollMicroseconds
        self.versions = versions
        self.weightCache = weightCache
        self.hasHugePages = hasHugePages
    }
}

/// Hosts shards and answers dispatches; keeps no sequence state, so it may die at any moment and nothing is lost.
///
/// ```
/// control link      heartbeats, assignments            one reader thread each; loading has threads of its own
/// activation link   receive → compute → reply inline   the link's reader thread leads the compute pool
/// ```
public final class Worker: Sendable {
    private struct State {
        var table = ExpertTable.empty
        var load: ShardLoader?
    }

    let options: WorkerOptions
    let checkpoint: Checkpoint
    let description: ModelDescription
    let compute: Compute
    private let placement: WeightPlacement
    let counters = WorkerCounters()
    let logger: Logger
    private let state = Mutex(State())
    private let listener = Mutex<LinkListener?>(nil)

    /// Opens the model (reads no weights yet).
    public init(options: WorkerOptions, logger: Logger) throws {
        self.options = options
        self.logger = logger
        placement = WeightPlacement(threads: options.threads, hasHugePages: options.hasHugePages)
        checkpoint = try Checkpoint.open(options.modelPath, cache: options.weightCache, placement: placement)
        // A coordinator says which of them are used; what it does not ask for is not loaded.
        description = try Registry.describe(checkpoint, predictionLayers: Limits.Models.predictionLayersMax)
        compute = try Compute(
            instructionSet: options.instructionSet, threads: options.threads,
            spinMicroseconds: options.spinMicroseconds)
    }

    /// Starts to listen.
    /// - Returns: the port.
    public func start() throws(TransportError) -> UInt16 {
        let listener = try LinkListener(
            endpoint: options.listen, identity: options.identity,
            options: LinkOptions(
                busyPollMicroseconds: options.busyPollMicroseconds, versions: options.versions), logger: logger
        ) { [weak self] (hello, node, role) throws(Refusal) in
            guard let self else { throw Refusal(.unavailable, "the worker is stopping") }
            return try accept(hello, from: node, role)
        }
        self.listener.withLock { $0 = listener }
        return listener.port
    }

    /// Closes every link.
    public func stop() {
        listener.withLock { listener in
            listener?.stop()
            listener = nil
        }
        state.withLock { $0.load?.cancel() }
    }

    /// The shards that it hosts now.
    var table: ExpertTable { state.withLock { $0.table } }

    private func accept(
        _ hello: Hello, from node: NodeID, _ role: Role
    ) throws(Refusal) -> (Welcome, any LinkHandler) {
        if let digest = hello.modelDigest, digest != checkpoint.digest {
            throw Refusal(
                .modelMismatch,
                "\(node) serves model \(digest), this worker's files are \(checkpoint.digest) (\(checkpoint.path))"
            )
        }
        let table = table
        let welcome = Welcome(
            node: options.identity.node, role: .worker, version: ProtocolVersion.newest, modelDigest: checkpoint.digest,
            memoryBudgetBytes: options.memoryBudgetBytes, threadCount: UInt32(options.threads.count),
            instructionSet: options.instructionSet.rawValue, epoch: table.epoch, shards: table.shards)
        logger.info(
            "link accepted",
            metadata: ["peer": "\(node)", "role": "\(role.rawValue)", "class": "\(hello.linkClass)"])
        switch hello.linkClass {
        case .activations: return (welcome, ActivationHandler(worker: self))
        case .control: return (welcome, ControlHandler(worker: self))
        }
    }

    /// Takes a new assignment; it replaces one that is still being loaded.
    func assign(
        _ assign: Assign, onProgress: @escaping @Sendable (AssignProgress) -> Void,
        onEnd: @escaping @Sendable (Result<AssignProgress, Refusal>) -> Void
    ) throws(Refusal) {
        guard assign.modelDigest == checkpoint.digest else {
            throw Refusal(
                .modelMismatch,
                "the assignment is for model \(assign.modelDigest), this worker's is \(checkpoint.digest)")
        }
        logger.info(
            "loading", metadata: ["shards": "\(assign.shards.count)", "epoch": "\(assign.epoch)"])
        state.withLock { $0.load?.cancel() }
        let load = try ShardLoader(
            assign, loader: ExpertLoader(checkpoint: checkpoint, description: description), old: table,
            memoryBudgetBytes: options.memoryBudgetBytes, threadCount: max(1, options.threads.count),
            onProgress: onProgress
        ) { [weak self] outcome in
            self?.finishLoad(outcome, onEnd)
        }
        state.withLock { $0.load = load }
    }

    private func finishLoad(
        _ outcome: ShardLoader.Outcome, _ onEnd: @Sendable (Result<AssignProgress, Refusal>) -> Void
    ) {
        switch outcome {
        case .failed(let refusal):
            logger.error("loading failed", metadata: ["reason": "\(refusal.message)"])
            onEnd(.failure(refusal))
        case .loaded(let table):
            checkpoint.keepPackedWeights()
            state.withLock { $0.table = table }
            logger.info(
                "ready",
                metadata: [
                    "shards": "\(table.shards.count)", "bytes": "\(table.byteCount)", "epoch": "\(table.epoch)",
                ].merging(placement.logEntries.mapValues { "\($0)" }) { $1 })
            onEnd(
                .success(
                    AssignProgress(bytesLoaded: table.byteCount, bytesTotal: table.byteCount, isComplete: true)))
        }
    }
}

/// Figures that heartbeats carry; counted on the hot path.
final class WorkerCounters: Sendable {
    private let dispatches = Atomic<UInt64>(0)
    private let microseconds = Atomic<UInt64>(0)
    private let expertRows = Atomic<UInt64>(0)

    func count(computeMicroseconds: Int, expertRows rows: Int) {
        dispatches.wrappingAdd(1, ordering: .relaxed)
        expertRows.wrappingAdd(UInt64(max(0, rows)), ordering: .relaxed)
        microseconds.wrappingAdd(UInt64(max(0, computeMicroseconds)), ordering: .relaxed)
    }

    func reply(to heartbeat: Heartbeat) -> HeartbeatReply {
        HeartbeatReply(
            sequence: heartbeat.sequence, residentBytes: UInt64(ProcessMemory.residentBytes()),
            dispatchCount: dispatches.load(ordering: .relaxed),
            computeMicroseconds: microseconds.load(ordering: .relaxed),
            expertRowCount: expertRows.load(ordering: .relaxed))
    }
}
