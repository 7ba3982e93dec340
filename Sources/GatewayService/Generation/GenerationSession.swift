import Basics
import Dispatch
import HTTPServer
import Logging
import Synchronization
import Tokenizer
import Wire

/// One request for generation from its plan to the last byte of its answer.
///
/// A session starts one sequence per choice, assembles what comes back and writes it either as one JSON document or as
/// server-sent events. Everything happens on the session's queue: the backend's and the connection's callbacks only
/// enqueue. (So the mutex is never contended; it is what makes the class `Sendable` without a promise of ours.)
///
/// An HTTP status can only be sent before the first event of a stream. Therefore the headers wait for the first
/// answer of the cluster, and a refusal until then has a proper status; later it becomes an `error` event, after which
/// the stream ends without `[DONE]`.
final class GenerationSession: Sendable {
    /// What a session is told about its surroundings.
    struct Surroundings: Sendable {
        let backend: any GenerationBackend
        let queue: DispatchQueue
        let metrics: GatewayMetrics
        let logger: Logger
        let route: GatewayRoute
        let started: ContinuousClock.Instant
        /// How long the answer may take altogether; 0 for no limit.
        let timeoutMilliseconds: Int
        /// Called once, when the session is over.
        let onEnd: @Sendable () -> Void
    }

    private struct State {
        var assemblers: [ChoiceAssembler]
        var tickets: [(any GenerationTicket)?]
        /// Without streaming: what each choice has so far.
        var pieces: [ChoicePiece]
        /// Without streaming: experts that all pieces hold together.
        var expertCount = 0
        /// With streaming: whether the choice's first event was written.
        var isOpened: [Bool]
        var unfinishedCount: Int
        var isStarted = false
        var isOver = false
        var lastWrite: ContinuousClock.Instant
        var firstToken: ContinuousClock.Instant?
    }

    let identifier: String
    private let plan: GenerationPlan
    private let format: any AnswerFormat
    private let response: HTTPResponse
    private let around: Surroundings
    private let state: Mutex<State>

    init(
        identifier: String, plan: GenerationPlan, format: any AnswerFormat, tokenizer: BPETokenizer,
        response: HTTPResponse, surroundings: Surroundings
    ) {
        self.identifier = identifier
        self.plan = plan
        self.format = format
        self.response = response
        around = surroundings
        let count = plan.sequenceCount
        state = Mutex(
            State(
                assemblers: (0..<count).map { ChoiceAssembler(plan, choice: $0, tokenizer: tokenizer) },
                tickets: Array(repeating: nil, count: count),
                pieces: Array(repeating: ChoicePiece(), count: count),
                isOpened: Array(repeating: false, count: count),
                unfinishedCount: count, lastWrite: surroundings.started))
    }

    /// Starts all sequences. The caller keeps no reference: callbacks keep the session alive until it is over.
    func start() {
        around.queue.async { self.state.withLock { self.startSequences(&$0) } }
        response.onClose { self.around.queue.async { self.state.withLock { self.clientLeft(&$0) } } }
    }

    /// Called every second: writes a comment if the stream has been silent for long, and gives up an answer that takes
    /// too long.
    func tick(now: ContinuousClock.Instant) {
        around.queue.async {
            self.state.withLock { state in
                if state.isOver { return }
                let limit = self.around.timeoutMilliseconds
                if limit > 0, now - self.around.started > .milliseconds(limit) {
                    return self.fail(APIError(Refusal(.deadlineExceeded, "the answer took over \(limit) ms")), &state)
                }
                if self.plan.options.streams, now - state.lastWrite >= .seconds(Limits.Gateway.keepAliveSeconds) {
                    self.write(ServerSentEvents.keepAlive, &state)
                }
            }
        }
    }

    /// Ends the request with an error, e.g. because the gateway stops.
    func abort(_ error: APIError) {
        around.queue.async { self.state.withLock { self.fail(error, &$0) } }
    }

    // MARK: - From the cluster

    private func startSequences(_ state: inout State) {
        for index in 0..<plan.sequenceCount where !state.isOver {
            guard plan.needsCluster(choice: index) else {
                deliver(state.assemblers[index].finishWithoutTokens(), choice: index, &state)
                continue
            }
            do {
                state.tickets[index] = try around.backend.start(plan.generate(choice: index)) { event in
                    self.around.queue.async { self.state.withLock { self.receive(event, choice: index, &$0) } }
                }
            } catch {
                fail(APIError(error), &state)
            }
        }
    }

    private func receive(_ event: GenerationEvent, choice index: Int, _ state: inout State) {
        if state.isOver || state.assemblers[index].isFinished { return }
        switch event {
        case .failed(let refusal):
            state.tickets[index] = nil
            fail(APIError(refusal), &state)
        case .generated(let generated) where generated.finish == .cancelled:
            state.tickets[index] = nil
            fail(.unavailable("the cluster cancelled the request"), &state)
        case .generated(let generated):
            observe(generated, &state)
            let piece = state.assemblers[index].append(generated)
            if generated.finish != nil {
                state.tickets[index] = nil
            } else if state.assemblers[index].isFinished {
                state.tickets[index]?.cancel()
                state.tickets[index] = nil
            }
            deliver(piece, choice: index, &state)
        }
    }

    private func observe(_ generated: Generated, _ state: inout State) {
        guard !generated.tokens.isEmpty, state.firstToken == nil else { return }
        let now = ContinuousClock.now
        state.firstToken = now
        around.metrics.observeFirstToken(now - around.started)
    }

    // MARK: - To the client

    private func deliver(_ piece: ChoicePiece, choice index: Int, _ state: inout State) {
        if plan.options.streams {
            stream(piece, choice: index, &state)
        } else {
            keep(piece, choice: index, &state)
        }
        guard piece.finish != nil, !state.isOver else { return }
        state.unfinishedCount -= 1
        if state.unfinishedCount == 0 { complete(&state) }
    }

    /// What is not streamed is held until the answer is complete. Of all that may be in it only experts are hundreds
    /// per token, so they have a limit.
    private func keep(_ piece: ChoicePiece, choice index: Int, _ state: inout State) {
        state.pieces[index].append(piece)
        for token in piece.routedExperts { state.expertCount += token.experts.count }
        let limit = Limits.Gateway.routedExpertsMax
        guard state.expertCount > limit else { return }
        fail(
            .invalid(
                "return_routed_experts",
                """
                the answer's tokens visited more than \(limit) experts, the most that an answer holds that is not \
                streamed; set 'stream', or fewer 'max_tokens'
                """, code: "too_many_routed_experts"), &state)
    }

    private func stream(_ piece: ChoicePiece, choice index: Int, _ state: inout State) {
        let reportsTokens = plan.options.logprobCount != nil || plan.options.returnsTokenIDs
        let hasContent = !piece.text.isEmpty || !piece.reasoning.isEmpty || !piece.toolCalls.isEmpty
        let isNews = hasContent || !piece.routedExperts.isEmpty || piece.finish != nil
        guard isNews || (reportsTokens && !piece.isEmpty) else { return }
        let isFirst = !state.isOpened[index]
        state.isOpened[index] = true
        var bytes: [UInt8] = []
        if isFirst, let opening = format.opening(choice: index) { bytes = ServerSentEvents.event(opening) }
        bytes += ServerSentEvents.event(format.event(piece, choice: index, isFirst: isFirst))
        write(bytes, &state)
        let unread = response.bufferedByteCount
        if unread > Limits.Gateway.unreadBytesMax {
            fail(
                APIError(
                    status: 408, type: "timeout_error",
                    message: "the client leaves \(unread) bytes unread; the limit is \(Limits.Gateway.unreadBytesMax)",
                    code: "client_too_slow"), &state)
        }
    }

    private func write(_ bytes: [UInt8], _ state: inout State) {
        if !state.isStarted {
            state.isStarted = true
            response.start(status: 200, headers: ServerSentEvents.headers + [("x-request-id", identifier)])
        }
        response.write(bytes)
        state.lastWrite = .now
    }

    private func complete(_ state: inout State) {
        let usage = usage(state)
        if plan.options.streams {
            let usageBytes = plan.options.includesUsage ? ServerSentEvents.event(format.usageEvent(usage)) : []
            write(usageBytes + ServerSentEvents.done, &state)
            response.finish()
        } else {
            let body = Array(format.whole(state.pieces, usage: usage).serialised().utf8)
            response.send(
                status: 200, headers: [("content-type", "application/json"), ("x-request-id", identifier)], body: body)
        }
        end(status: 200, problem: nil, &state)
    }

    private func fail(_ error: APIError, _ state: inout State) {
        if state.isOver { return }
        if state.isStarted {
            response.write(ServerSentEvents.event(error.json))
            response.finish()
        } else {
            response.send(error, headers: [("x-request-id", identifier)])
        }
        end(status: error.status, problem: error.description, &state)
    }

    private func clientLeft(_ state: inout State) {
        if state.isOver { return }
        end(status: GatewayMetrics.statusOfClientLeft, problem: "the client went away", &state)
    }

    private func end(status: Int, problem: String?, _ state: inout State) {
        state.isOver = true
        for ticket in state.tickets { ticket?.cancel() }
        state.tickets = []
        let usage = usage(state)
        state.pieces = []
        let now = ContinuousClock.now
        around.metrics.requestEnded(route: around.route, status: status)
        around.metrics.count(usage)
        if let firstToken = state.firstToken, usage.completionTokens > plan.sequenceCount {
            let interval = (now - firstToken) / (Double(usage.completionTokens) / Double(plan.sequenceCount) - 1)
            around.metrics.observeTokenInterval(interval)
        }
        log(status: status, problem: problem, usage: usage, duration: now - around.started, state)
        around.onEnd()
    }

    private func usage(_ state: borrowing State) -> Usage {
        Usage(
            promptTokens: plan.prompts.reduce(0) { $0 + $1.tokens.count },
            completionTokens: state.assemblers.reduce(0) { $0 + $1.tokenCount },
            reasoningTokens: plan.reasoning == nil
                ? nil : state.assemblers.reduce(0) { $0 + $1.reasoningTokenCount })
    }

    private func log(
        status: Int, problem: String?, usage: Usage, duration: Duration, _ state: borrowing State
    ) {
        var metadata: Logger.Metadata = [
            "request": "\(identifier)", "status": "\(status)", "prompt_tokens": "\(usage.promptTokens)",
            "completion_tokens": "\(usage.completionTokens)", "choices": "\(plan.sequenceCount)",
            "seed": "\(plan.seed)", "milliseconds": "\(duration.milliseconds)",
        ]
        if let firstToken = state.firstToken {
            metadata["first_token_milliseconds"] = "\((firstToken - around.started).milliseconds)"
        }
        if let problem { metadata["problem"] = "\(problem)" }
        around.logger.log(level: status >= 500 ? .warning : .info, "\(around.route.path)", metadata: metadata)
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 { Int64(self / .milliseconds(1)) }
}

extension HTTPResponse {
    /// Answers with an error object.
    func send(_ error: APIError, headers: [(String, String)] = []) {
        var headers = headers + [("content-type", "application/json")]
        if let seconds = error.retryAfterSeconds { headers.append(("retry-after", String(seconds))) }
        send(status: error.status, headers: headers, body: Array(error.json.serialised().utf8))
    }
}
