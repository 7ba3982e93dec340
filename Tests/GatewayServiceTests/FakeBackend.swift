import Basics
import Dispatch
import GatewayService
import HTTPServer
import Logging
import Synchronization
import Tokenizer
import Wire

/// A cluster that says what a test tells it to.
final class FakeBackend: GenerationBackend {
    typealias Emit = @Sendable (GenerationEvent) -> Void

    private struct State {
        var model: Result<ModelContext, Refusal>
        var generates: [Generate] = []
        var reason: String?
    }

    private final class Ticket: GenerationTicket {
        let onCancel: @Sendable () -> Void
        init(_ onCancel: @escaping @Sendable () -> Void) { self.onCancel = onCancel }
        func cancel() { onCancel() }
    }

    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "fake backend")
    private let script: @Sendable (Generate, Emit) throws(Refusal) -> Void
    /// Signalled with each cancelled sequence.
    let cancelled = DispatchSemaphore(value: 0)

    /// `script` is called, in order, for each sequence and says what comes of it.
    init(model: ModelContext, script: @escaping @Sendable (Generate, Emit) throws(Refusal) -> Void) {
        state = Mutex(State(model: .success(model)))
        self.script = script
    }

    var generates: [Generate] { state.withLock { $0.generates } }

    func fail(_ refusal: Refusal) {
        state.withLock { state in
            state.model = .failure(refusal)
            state.reason = refusal.message
        }
    }

    func model() throws(Refusal) -> ModelContext { try state.withLock { $0.model }.get() }

    func status() -> ClusterStatus {
        let reason = state.withLock { $0.reason }
        return ClusterStatus(
            isReady: reason == nil, reason: reason, epoch: 3,
            model: ClusterStatus.Model(
                name: "tiny", family: "qwen3_moe", digest: "0123456789abcdef", contextTokensMax: 64, weightBytes: 9),
            nodes: [
                ClusterStatus.Node(name: "coordinator", role: .coordinator, address: "127.0.0.1:1", state: .ready)
            ], work: ClusterStatus.Work())
    }

    func start(
        _ generate: Generate, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(Refusal) -> any GenerationTicket {
        state.withLock { $0.generates.append(generate) }
        let result = queue.sync { () -> Refusal? in
            do throws(Refusal) {
                try script(generate, onEvent)
                return nil
            } catch {
                return error
            }
        }
        if let result { throw result }
        let cancelled = cancelled
        return Ticket { cancelled.signal() }
    }

    func open(listenAddress: String) {}

    func stop() {}
}

/// A gateway over a fake cluster, on a port of the loopback interface.
struct TestService {
    let backend: FakeBackend
    let gateway: Gateway
    var port: UInt16 { gateway.port }

    init(
        contextTokensMax: Int = 64, model: ModelContext? = nil,
        script: @escaping @Sendable (Generate, FakeBackend.Emit) throws(Refusal) -> Void
    ) throws {
        backend = FakeBackend(
            model: try model ?? TestModel.context(contextTokensMax: contextTokensMax), script: script)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let http = HTTPConfiguration(host: "127.0.0.1", port: 0)
        gateway = Gateway(
            configuration: GatewayConfiguration(node: NodeID("gateway"), http: http), backend: backend, logger: logger)
        try gateway.start()
    }

    /// A gateway whose model answers `text`, one token at a time, as far as the request lets it.
    static func answering(
        _ text: String, by model: ModelContext, finish: FinishReason
    ) throws -> TestService {
        let tokens = model.tokenizer.encode(text) + (finish == .stop ? [TestModel.end] : [])
        return try TestService(model: model) { generate, emit in
            say(
                Array(tokens.prefix(Int(generate.tokensMax))), generate, emit,
                finish: tokens.count > Int(generate.tokensMax) ? .length : finish)
        }
    }

    /// Emits a text byte by byte, scored if the request asks for it, and ends with `finish`.
    static func say(_ text: String, _ generate: Generate, _ emit: FakeBackend.Emit, finish: FinishReason = .length) {
        if generate.wantsPromptLogprobs {
            let scored = generate.prompt.enumerated().map { position, token in
                score(token, generate, isFirst: position == 0)
            }
            emit(.generated(Generated(promptTokens: scored)))
        }
        say(TestModel.tokens(text), generate, emit, finish: finish)
    }

    /// Emits tokens one by one.
    static func say(
        _ tokens: [TokenID], _ generate: Generate, _ emit: FakeBackend.Emit, finish: FinishReason = .length
    ) {
        if tokens.isEmpty { emit(.generated(Generated(finish: finish))) }
        for (position, token) in tokens.enumerated() {
            let isLast = position == tokens.count - 1
            emit(.generated(Generated(tokens: [score(token, generate)], finish: isLast ? finish : nil)))
        }
    }

    private static func score(_ token: TokenID, _ generate: Generate, isFirst: Bool = false) -> ScoredToken {
        guard let count = generate.logprobCount, !isFirst else { return ScoredToken(token: token) }
        let top = (0..<Int32(count)).map { rank in
            TokenLogprob(token: TokenID((token.value + rank) % 256), logprob: -0.1 - Float(rank))
        }
        return ScoredToken(token: token, logprob: -0.1, top: top)
    }
}
