import Basics
import CoordinatorService
import Dispatch
import Engine
import Kernels
import Logging
import Membership
import Synchronization
import TestSupport
import Transport
import Wire
import WorkerService

/// A coordinator and workers in this process, with real certificates, sockets and TLS between them.
final class InProcessCluster {
    let coordinator: Coordinator
    private(set) var workers: [Worker] = []
    private let authority: CertificateAuthority
    private let directory: TemporaryDirectory
    private let endpoint: Endpoint
    private let link: Link
    /// Workers that are stopped close their links, and that is how they are noticed; that a worker is silent says
    /// nothing where tests share few processors.
    private static let patience = {
        var timings = Membership.Timings()
        timings.suspectMilliseconds = 30_000
        timings.deadMilliseconds = 60_000
        return timings
    }()
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Starts a cluster; returns when it can generate. `checkpoint` is the name of a small model.
    convenience init(
        checkpoint: String, instructionSets: [InstructionSet], memoryBudgetBytes: UInt64 = 1 << 30, rows: Int = 64,
        activations: ActivationFormat = .int8, results: ResultFormat? = nil,
        workerVersions: ClosedRange<UInt16> = ProtocolVersion.supported
    ) throws {
        try self.init(
            modelPath: Fixtures.checkpoint(checkpoint), instructionSets: instructionSets,
            memoryBudgetBytes: memoryBudgetBytes, rows: rows, activations: activations, results: results,
            workerVersions: workerVersions)
    }

    /// Starts a cluster with the model at `modelPath`.
    init(
        modelPath: String, instructionSets: [InstructionSet], memoryBudgetBytes: UInt64 = 1 << 30, rows: Int = 64,
        activations: ActivationFormat = .int8, results: ResultFormat? = nil,
        workerVersions: ClosedRange<UInt16> = ProtocolVersion.supported
    ) throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority.create(directory: directory.path + "/authority")
        var addresses: [CoordinatorOptions.WorkerAddress] = []
        for (index, instructionSet) in instructionSets.enumerated() {
            let node = NodeID("worker-\(index + 1)")
            let worker = try Worker(
                options: WorkerOptions(
                    identity: try Self.identity(node, .worker, authority, directory),
                    modelPath: modelPath, listen: Endpoint(host: "127.0.0.1", port: 0),
                    memoryBudgetBytes: memoryBudgetBytes, threads: ThreadPlacement(count: 1),
                    instructionSet: instructionSet, spinMicroseconds: 0, busyPollMicroseconds: 0,
                    versions: workerVersions), logger: Self.logger)
            let endpoint = Endpoint(host: "127.0.0.1", port: try worker.start())
            addresses.append(CoordinatorOptions.WorkerAddress(node: node, endpoint: endpoint))
            workers.append(worker)
        }
        coordinator = try Coordinator(
            options: CoordinatorOptions(
                identity: try Self.identity(NodeID("coordinator"), .coordinator, authority, directory),
                modelPath: modelPath, modelName: nil,
                listen: Endpoint(host: "127.0.0.1", port: 0), workers: addresses, threads: ThreadPlacement(count: 1),
                instructionSet: .best, spinMicroseconds: 0, busyPollMicroseconds: 0,
                dispatchTimeoutMilliseconds: 10_000, contextTokensMax: nil,
                engine: EngineOptions(
                    sequencesMax: 16, rowsMax: rows, waitingMax: 64, keyValueCacheBytes: 32 << 20),
                membership: Self.patience, activations: activations, results: results),
            logger: Self.logger)
        endpoint = Endpoint(host: "127.0.0.1", port: try coordinator.start())
        link = try Link.dial(
            endpoint,
            identity: try Self.identity(NodeID("operator"), .operator, authority, directory), linkClass: .control,
            expectedRole: .coordinator
        ).link
    }

    deinit { stop() }

    /// Stops everything.
    func stop() {
        link.close(.linkClosed(reason: "the test is over"))
        coordinator.stop()
        for worker in workers { worker.stop() }
    }

    /// A new certificate for a gateway.
    func gatewayIdentity(_ name: String) throws -> NodeIdentity {
        try Self.identity(NodeID(name), .gateway, authority, directory)
    }

    /// Dials the coordinator as a gateway that serves at `listenAddress`.
    func dial(as identity: NodeIdentity, listenAddress: String) throws -> Link {
        try Link.dial(
            endpoint, identity: identity, linkClass: .control, listenAddress: listenAddress,
            expectedRole: .coordinator
        ).link
    }

    /// The state of the cluster, as an operator gets it.
    func status() throws -> ClusterStatus {
        try link.request(kind: .statusRequest, .empty, timeoutMilliseconds: 5000).decode()
    }

    /// Asks until the status is as wanted; a state machine that never gets there ends the test.
    func waitForStatus(_ isWanted: (ClusterStatus) -> Bool) throws -> ClusterStatus {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let status = try status()
            if isWanted(status) { return status }
            guard ContinuousClock.now < deadline else { throw TimedOut(status: status) }
            Waiting.pace(milliseconds: 5)
        }
    }

    struct TimedOut: Error {
        let status: ClusterStatus
    }

    /// Starts a request.
    func start(_ request: Generate) throws -> StreamedAnswer {
        let answer = StreamedAnswer()
        try link.start(kind: .generate, FrameBuffer(request)) { answer.take($0) }
        return answer
    }

    private static func identity(
        _ node: NodeID, _ role: Role, _ authority: CertificateAuthority, _ directory: TemporaryDirectory
    ) throws -> NodeIdentity {
        try authority.issue(node: node, role: role, into: directory.path + "/" + node.value)
        return try NodeIdentity.load(directory: directory.path + "/" + node.value)
    }
}

/// Collects what a `generate` brings.
final class StreamedAnswer: Sendable {
    private struct State {
        var generated = Generated()
        var failure: TransportError?
    }

    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)
    /// Signalled with each answer.
    let news = DispatchSemaphore(value: 0)

    func take(_ result: Result<ReceivedFrame, TransportError>) {
        do {
            let frame = try result.get()
            let part: Generated = try frame.decode()
            state.withLock { state in
                state.generated.promptTokens += part.promptTokens
                state.generated.tokens += part.tokens
                state.generated.finish = part.finish
            }
            news.signal()
            if frame.isLast { ended.signal() }
        } catch {
            state.withLock { $0.failure = error }
            ended.signal()
        }
    }

    /// Waits for the end.
    func wait() throws -> Generated {
        ended.wait()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return state.generated
        }
    }
}
