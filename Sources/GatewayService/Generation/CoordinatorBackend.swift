import Basics
import Dispatch
import Foundation
public import Logging
import Synchronization
import Tokenizer
public import Transport
public import Wire

/// The cluster, by way of its coordinator.
///
/// One thread keeps the link: it dials, fetches the model's small files, asks for the cluster's state every quarter
/// of a second and, when the link breaks, begins again, with growing pauses. Nobody else waits for anything: requests
/// use the link that there is, or are refused with the reason why there is none.
public final class CoordinatorBackend: GenerationBackend {
    private struct State {
        /// Where the gateway serves its clients; nil until `open`.
        var listenAddress: String?
        var link: Link?
        var model: ModelContext?
        /// Digest of the model that `model` was read from.
        var modelDigest: ModelDigest?
        /// Digest of the model that the coordinator serves, if it said so.
        var linkDigest: ModelDigest?
        /// Whether the files of this link were useless; they are not asked for again.
        var isModelRefused = false
        var status: ClusterStatus?
        var statusTime: ContinuousClock.Instant?
        /// Why there is no link, or no model.
        var reason: String
        var isStopped = false
    }

    private let endpoint: Endpoint
    private let identity: NodeIdentity
    private let logger: Logger
    private let onNews: @Sendable () -> Void
    private let state: Mutex<State>
    /// Signalled when the thread should look around: the link closed, or the backend stops.
    private let wake = DispatchSemaphore(value: 0)
    /// Signalled when the thread has ended.
    private let ended = DispatchSemaphore(value: 0)

    /// A backend that dials the coordinator at `endpoint` from `open(listenAddress:)` on. `onNews` is called, on the
    /// backend's thread, whenever the state of the cluster arrived or the link broke.
    public init(
        endpoint: Endpoint, identity: NodeIdentity, logger: Logger, onNews: @escaping @Sendable () -> Void = {}
    ) {
        self.endpoint = endpoint
        self.identity = identity
        self.logger = logger
        self.onNews = onNews
        state = Mutex(State(reason: "the coordinator at \(endpoint) has not answered yet"))
    }

    /// Starts to dial the coordinator, for as long as it takes, and tells it that the gateway serves at
    /// `listenAddress`. Does nothing after the first call, or once the backend has stopped.
    public func open(listenAddress: String) {
        let isFirst = state.withLock { state in
            guard state.listenAddress == nil, !state.isStopped else { return false }
            state.listenAddress = listenAddress
            return true
        }
        guard isFirst else { return }
        let thread = Thread { [self] in
            keepLink()
            ended.signal()
        }
        // Reading a tokenizer recurses as deep as its JSON nests.
        thread.stackSize = 4 << 20
        thread.name = "colony.gateway.link"
        thread.start()
    }

    /// The model that is served; throws `unavailable` with the reason while that is not known.
    public func model() throws(Refusal) -> ModelContext {
        let (model, reason) = state.withLock { ($0.model, $0.reason) }
        guard let model else { throw Refusal(.unavailable, reason) }
        return model
    }

    /// The state of the cluster as it was last reported; not ready if that is too long ago.
    public func status() -> ClusterStatus {
        state.withLock { state in
            guard var status = state.status, let time = state.statusTime else {
                return CoordinatorBackend.unknownStatus(reason: state.reason)
            }
            let age = ContinuousClock.now - time
            if state.link == nil || state.model == nil {
                status.isReady = false
                status.reason = state.reason
            } else if age > .milliseconds(Limits.Gateway.statusAgeMillisecondsMax) {
                status.isReady = false
                status.reason = "the coordinator at \(endpoint) has not answered for \(age.milliseconds) ms"
            }
            if !status.isReady, state.link == nil { CoordinatorBackend.markCoordinatorDead(&status) }
            return status
        }
    }

    /// Hands a sequence to the coordinator.
    public func start(
        _ generate: Generate, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(Refusal) -> any GenerationTicket {
        let (link, reason) = state.withLock { ($0.link, $0.reason) }
        guard let link else { throw Refusal(.unavailable, reason) }
        let wantsRoutedExperts = generate.wantsRoutedExperts
        guard !wantsRoutedExperts || link.version >= ProtocolVersion.routedExperts else {
            throw Refusal(
                .invalidRequest,
                """
                'return_routed_experts' needs version \(ProtocolVersion.routedExperts) of the protocol; the \
                coordinator at \(endpoint) speaks version \(link.version)
                """)
        }
        do {
            let identifier = try link.start(
                kind: .generate, epoch: PlacementEpoch(0), try FrameBuffer(generate, version: link.version)
            ) { result in
                onEvent(CoordinatorBackend.event(result, wantsRoutedExperts: wantsRoutedExperts))
            }
            return Ticket(link: link, identifier: identifier)
        } catch {
            throw CoordinatorBackend.refusal(error)
        }
    }

    /// Closes the link and waits for the thread to end.
    public func stop() {
        let (link, hasThread) = state.withLock { state in
            defer { state.isStopped = true }
            return (state.link, state.listenAddress != nil && !state.isStopped)
        }
        guard hasThread else { return }
        link?.close(.linkClosed(reason: "the gateway stops"))
        wake.signal()
        ended.wait()
    }

    // MARK: - Answers

    private static func event(
        _ result: Result<ReceivedFrame, TransportError>, wantsRoutedExperts: Bool
    ) -> GenerationEvent {
        do throws(TransportError) {
            let frame = try result.get()
            let generated = try frame.decode(Generated.self)
            guard generated.finish != nil || !frame.isLast else {
                return .failed(Refusal(.internalError, "the coordinator's last answer does not say why it is the last"))
            }
            guard !wantsRoutedExperts || generated.tokens.allSatisfy({ $0.routedExperts != nil }) else {
                return .failed(
                    Refusal(.internalError, "the coordinator's answer lacks the experts that were asked for"))
            }
            return .generated(generated)
        } catch {
            return .failed(refusal(error))
        }
    }

    /// What a failure of the link means to a request.
    private static func refusal(_ error: TransportError) -> Refusal {
        switch error {
        case .refused(let refusal): refusal
        case .payloadMalformed, .unexpectedReply: Refusal(.internalError, error.description)
        case .payloadBeyondLimit: Refusal(.invalidRequest, error.description)
        case .timedOut: Refusal(.deadlineExceeded, error.description)
        // Whatever else can happen to a link: the sequence is lost, another attempt may succeed.
        default:
            Refusal(.unavailable, "the link to the coordinator broke: \(error)")
        }
    }

    private static func unknownStatus(reason: String) -> ClusterStatus {
        ClusterStatus(
            isReady: false, reason: reason, epoch: 0,
            model: ClusterStatus.Model(name: "", family: "", digest: "", contextTokensMax: 0, weightBytes: 0),
            nodes: [], work: ClusterStatus.Work())
    }

    private static func markCoordinatorDead(_ status: inout ClusterStatus) {
        for index in status.nodes.indices where status.nodes[index].role == .coordinator {
            status.nodes[index].state = .dead
            status.nodes[index].reason = status.reason
        }
    }

    /// A sequence at the coordinator.
    private struct Ticket: GenerationTicket {
        let link: Link
        let identifier: UInt64

        func cancel() {
            link.forget(identifier)
            // If the link is gone, so is the sequence.
            try? link.send(kind: .cancel, requestID: identifier, epoch: PlacementEpoch(0), .empty)
        }
    }
}

/// The thread that keeps the link.
extension CoordinatorBackend {
    private func keepLink() {
        var pauseMilliseconds = Limits.Gateway.reconnectMillisecondsMin
        while !isStopped {
            do throws(TransportError) {
                let link = try dial()
                pauseMilliseconds = Limits.Gateway.reconnectMillisecondsMin
                let failure = pollUntilClosed(link)
                link.close(failure)
                lost(failure)
            } catch {
                lost(error)
            }
            if isStopped { return }
            _ = wake.wait(timeout: .now() + .milliseconds(pauseMilliseconds))
            pauseMilliseconds = min(2 * pauseMilliseconds, Limits.Gateway.reconnectMillisecondsMax)
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func dial() throws(TransportError) -> Link {
        let (link, welcome) = try Link.dial(
            endpoint, identity: identity, linkClass: .control, modelDigest: nil,
            listenAddress: state.withLock { $0.listenAddress } ?? "", expectedRole: .coordinator,
            expectedNode: nil, options: LinkOptions(), handler: CloseHandler(wake: wake))
        let isStopped = state.withLock { state in
            state.link = link
            state.reason = "the coordinator at \(endpoint) has not sent the model's files yet"
            state.linkDigest = welcome.modelDigest
            state.isModelRefused = false
            if welcome.modelDigest == nil || welcome.modelDigest != state.modelDigest { state.model = nil }
            return state.isStopped
        }
        if isStopped { throw .linkClosed(reason: "the gateway stops") }
        logger.info("connected", metadata: ["coordinator": "\(link.peerNode)", "address": "\(endpoint)"])
        return link
    }

    /// Asks for the state of the cluster (and, until they have come, for the model's files) until the link closes;
    /// returns why it did.
    private func pollUntilClosed(_ link: Link) -> TransportError {
        while !isStopped {
            do throws(TransportError) {
                try fetchModelIfMissing(link)
                let frame = try link.request(
                    kind: .statusRequest, epoch: PlacementEpoch(0), .empty,
                    timeoutMilliseconds: Limits.Gateway.statusTimeoutMilliseconds)
                let status = try frame.decode(ClusterStatus.self)
                state.withLock { state in
                    state.status = status
                    state.statusTime = .now
                }
                onNews()
            } catch {
                return error
            }
            guard link.isOpen else { return .peerClosed(address: link.remoteAddress) }
            _ = wake.wait(timeout: .now() + .milliseconds(Limits.Gateway.statusPollMilliseconds))
            guard link.isOpen else { return .peerClosed(address: link.remoteAddress) }
        }
        return .linkClosed(reason: "the gateway stops")
    }

    private func fetchModelIfMissing(_ link: Link) throws(TransportError) {
        guard state.withLock({ $0.model == nil && !$0.isModelRefused }) else { return }
        let frame: ReceivedFrame
        do throws(TransportError) {
            frame = try link.request(
                kind: .modelFilesRequest, epoch: PlacementEpoch(0), .empty,
                timeoutMilliseconds: Limits.Gateway.modelFilesTimeoutMilliseconds)
        } catch .refused(let refusal) {
            // Not yet: asked again with the next poll.
            return state.withLock { $0.reason = refusal.message }
        } catch {
            throw error
        }
        read(try frame.decode(ModelFiles.self))
    }

    private func read(_ files: ModelFiles) {
        do throws(TokenizerError) {
            let model = try ModelContext(files: files, createdSeconds: Int(Date().timeIntervalSince1970))
            state.withLock { state in
                state.model = model
                state.modelDigest = state.linkDigest
            }
            logger.info(
                "model", metadata: ["name": "\(model.name)", "context_tokens_max": "\(model.contextTokensMax)"])
            if let problem = model.chatTemplateProblem {
                logger.warning("chats cannot be served", metadata: ["problem": "\(problem)"])
            }
        } catch {
            let reason = "the gateway cannot use the model's tokenizer: \(error)"
            state.withLock { state in
                state.reason = reason
                state.isModelRefused = true
            }
            logger.error("model refused", metadata: ["reason": "\(error)"])
        }
    }

    private func lost(_ error: TransportError) {
        let isNews = state.withLock { state in
            let reason = "the coordinator at \(endpoint) cannot be reached: \(error)"
            defer {
                state.link = nil
                state.reason = reason
            }
            return state.reason != reason && !state.isStopped
        }
        if isNews { logger.warning("no coordinator", metadata: ["address": "\(endpoint)", "reason": "\(error)"]) }
        onNews()
    }

    /// Wakes the thread when the link closes; the coordinator sends nothing that was not asked for.
    private struct CloseHandler: LinkHandler {
        let wake: DispatchSemaphore

        func link(_ link: Link, didReceive frame: ReceivedFrame) {
            link.close(
                .protocolViolated(address: link.remoteAddress, reason: "a gateway was sent \(frame.kind) unasked"))
        }

        func linkDidClose(_ link: Link, reason: TransportError) { wake.signal() }
    }
}
