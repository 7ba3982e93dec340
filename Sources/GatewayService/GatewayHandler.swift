import Basics
import Dispatch
import Foundation
import HTTPServer
import Logging
import ServiceSupport
import Synchronization
import Wire

/// Answers HTTP requests. Called on the connections' queues: what takes longer than a look at the path is enqueued.
final class GatewayHandler: HTTPHandler {
    private struct State {
        var sessions: [String: GenerationSession] = [:]
        var isDraining = false
        /// Where clients are served, `host:port`; empty until that is known.
        var address = ""
    }

    private static let liveBody = Array(#"{"status":"ok"}"#.utf8)
    private static let jsonHeaders = [("content-type", "application/json")]

    private let configuration: GatewayConfiguration
    private let backend: any GenerationBackend
    private let logger: Logger
    private let metrics: GatewayMetrics
    private let intakeQueues: [DispatchQueue]
    private let sessionQueues: [DispatchQueue]
    private let nextQueue = Atomic<Int>(0)
    private let state = Mutex(State())
    /// Entered by every open request for generation.
    private let openRequests = DispatchGroup()

    init(configuration: GatewayConfiguration, backend: any GenerationBackend, logger: Logger) {
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
        metrics = GatewayMetrics(isReady: { backend.status().isReady })
        let indices = 0..<Limits.Gateway.workerQueueCount
        intakeQueues = indices.map { DispatchQueue(label: "colony.gateway.intake.\($0)") }
        sessionQueues = indices.map { DispatchQueue(label: "colony.gateway.session.\($0)") }
    }

    func listens(at address: String) {
        state.withLock { $0.address = address }
    }

    func handle(_ request: HTTPRequest, response: HTTPResponse) {
        guard let (route, model) = GatewayRoute.find(request.path) else {
            metrics.requestEnded(route: nil, status: 404)
            return response.send(APIError.pathNotFound(request.path))
        }
        guard request.method == route.method || (request.method == "HEAD" && route.method == "GET") else {
            metrics.requestEnded(route: route, status: 405)
            let error = APIError.methodNotAllowed(request.method, path: request.path, allowed: route.method)
            return response.send(error, headers: [("allow", route.method)])
        }
        switch route {
        case .live: answer(200, GatewayHandler.liveBody, route, response)
        case .health: answerHealth(response)
        case .cluster: answerCluster(response)
        case .models, .model: answerModels(route, named: model, response)
        case .metrics: answerMetrics(response)
        case .page: answerPage(request, response)
        case .chatCompletions, .completions: accept(request, route, response)
        }
    }

    // MARK: - Short answers

    private func answer(_ status: Int, _ body: [UInt8], _ route: GatewayRoute, _ response: HTTPResponse) {
        metrics.requestEnded(route: route, status: status)
        response.send(status: status, headers: GatewayHandler.jsonHeaders, body: body)
    }

    private func refuse(_ error: APIError, _ route: GatewayRoute, _ response: HTTPResponse) {
        metrics.requestEnded(route: route, status: error.status)
        response.send(error)
    }

    private func answerHealth(_ response: HTTPResponse) {
        let status = clusterStatus()
        if status.isReady { return answer(200, GatewayHandler.liveBody, .health, response) }
        let body: JSON = ["status": "unavailable", "reason": .string(status.reason ?? "the cluster is not ready")]
        answer(503, Array(body.serialised().utf8), .health, response)
    }

    private func answerCluster(_ response: HTTPResponse) {
        do {
            answer(200, Array(try clusterStatus().printed().utf8), .cluster, response)
        } catch {
            refuse(APIError(Refusal(.internalError, "\(error)")), .cluster, response)
        }
    }

    private func answerMetrics(_ response: HTTPResponse) {
        metrics.requestEnded(route: .metrics, status: 200)
        response.send(
            status: 200, headers: [("content-type", "text/plain; version=0.0.4; charset=utf-8")],
            body: Array((metrics.text + ClusterMetrics.text(clusterStatus())).utf8))
    }

    private func answerPage(_ request: HTTPRequest, _ response: HTTPResponse) {
        guard let file = WebPage.file(at: request.path) else {
            return refuse(.pathNotFound(request.path), .page, response)
        }
        let isKnown = file.isKnown(to: request.headers)
        let status = isKnown ? 304 : 200
        metrics.requestEnded(route: .page, status: status)
        response.send(status: status, headers: file.headers, body: isKnown ? [] : file.bytes)
    }

    /// The cluster's state with this gateway among the nodes.
    private func clusterStatus() -> ClusterStatus {
        var status = backend.status()
        let (address, isDraining) = state.withLock { ($0.address, $0.isDraining) }
        if isDraining {
            status.isReady = false
            status.reason = "the gateway is stopping"
        }
        let own = ClusterStatus.Node(
            name: configuration.node.value, role: .gateway, address: address, state: .ready,
            residentBytes: ProcessMemory.residentBytes())
        // What the coordinator says about this gateway is older, and less.
        if let index = status.nodes.firstIndex(where: { $0.name == own.name && $0.role == .gateway }) {
            status.nodes[index] = own
        } else {
            let end = status.nodes.firstIndex { $0.role == .worker } ?? status.nodes.endIndex
            status.nodes.insert(own, at: end)
        }
        return status
    }

    private func answerModels(_ route: GatewayRoute, named name: String, _ response: HTTPResponse) {
        do throws(APIError) {
            answer(200, try modelBody(route, named: name), route, response)
        } catch {
            refuse(error, route, response)
        }
    }

    private func modelBody(_ route: GatewayRoute, named name: String) throws(APIError) -> [UInt8] {
        let model = try servedModel()
        let object: JSON = [
            "id": .string(model.name), "object": "model", "created": .integer(Int64(model.createdSeconds)),
            "owned_by": "colony", "max_model_len": .integer(Int64(model.contextTokensMax)),
            "vocabulary_size": .integer(Int64(model.vocabularySize)),
        ]
        if route == .models {
            let list: JSON = ["object": "list", "data": [object]]
            return Array(list.serialised().utf8)
        }
        let decoded = name.removingPercentEncoding ?? name
        guard decoded == model.name || decoded == "default" else {
            throw .modelNotFound(decoded, served: model.name)
        }
        return Array(object.serialised().utf8)
    }

    private func servedModel() throws(APIError) -> ModelContext {
        do {
            return try backend.model()
        } catch {
            throw APIError(error)
        }
    }

    // MARK: - Generation

    private func accept(_ request: HTTPRequest, _ route: GatewayRoute, _ response: HTTPResponse) {
        guard metrics.openRequest() else {
            let limit = Limits.Gateway.openRequestsMax
            return refuse(.overloaded("\(limit) requests are in progress, which is the limit"), route, response)
        }
        openRequests.enter()
        let started = ContinuousClock.now
        let turn = nextQueue.wrappingAdd(1, ordering: .relaxed).newValue
        let index = Int(UInt(bitPattern: turn) % UInt(intakeQueues.count))
        intakeQueues[index].async {
            do throws(APIError) {
                try self.openSession(request.body, route, response, queue: self.sessionQueues[index], started: started)
            } catch {
                self.refuse(error, route, response)
                self.requestEnded()
            }
        }
    }

    private func requestEnded() {
        metrics.closeRequest()
        openRequests.leave()
    }

    private func openSession(
        _ body: [UInt8], _ route: GatewayRoute, _ response: HTTPResponse, queue: DispatchQueue,
        started: ContinuousClock.Instant
    ) throws(APIError) {
        if response.isClosed {
            metrics.requestEnded(route: route, status: GatewayMetrics.statusOfClientLeft)
            return requestEnded()
        }
        let json = try GatewayHandler.parse(body)
        let model = try servedModel()
        let seed = UInt64.random(in: 0...UInt64(Int64.max))
        let isChat = route == .chatCompletions
        let plan =
            isChat
            ? try GenerationPlan(ChatRequest(parsing: json), model: model, randomSeed: seed)
            : try GenerationPlan(CompletionRequest(parsing: json), model: model, randomSeed: seed)
        let identifier = (isChat ? "chatcmpl-" : "cmpl-") + GatewayHandler.randomIdentifier()
        let digest = backend.status().model.digest
        let head = AnswerHead(
            identifier: identifier, createdSeconds: Int(Date().timeIntervalSince1970), model: model.name,
            fingerprint: digest.isEmpty ? nil : "colony-\(digest.prefix(12))")
        let names = TokenNames(tokenizer: model.tokenizer, namesByID: plan.options.namesTokensByID)
        let format: any AnswerFormat =
            isChat
            ? ChatFormat(head: head, plan: plan, names: names)
            : CompletionFormat(head: head, plan: plan, names: names)
        let session = GenerationSession(
            identifier: identifier, plan: plan, format: format, tokenizer: model.tokenizer, response: response,
            surroundings: GenerationSession.Surroundings(
                backend: backend, queue: queue, metrics: metrics, logger: logger, route: route, started: started,
                timeoutMilliseconds: configuration.requestTimeoutMilliseconds,
                onEnd: { self.sessionEnded(identifier) }))
        try register(session)
        session.start()
    }

    private func register(_ session: GenerationSession) throws(APIError) {
        let isDraining = state.withLock { state in
            if !state.isDraining { state.sessions[session.identifier] = session }
            return state.isDraining
        }
        if isDraining { throw .unavailable("the gateway is stopping") }
    }

    private func sessionEnded(_ identifier: String) {
        state.withLock { _ = $0.sessions.removeValue(forKey: identifier) }
        requestEnded()
    }

    private static func parse(_ body: [UInt8]) throws(APIError) -> JSON {
        do {
            return try JSON(parsing: body)
        } catch {
            throw .invalid(nil, "the body is not JSON: \(error)", code: "malformed_json")
        }
    }

    private static func randomIdentifier() -> String {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    // MARK: - Life of the gateway

    /// Called every second.
    func tick() {
        let now = ContinuousClock.now
        for session in state.withLock({ Array($0.sessions.values) }) { session.tick(now: now) }
    }

    /// Refuses new requests, gives those in progress a moment to end, then ends them with an error. Blocks.
    func drain(milliseconds: Int) {
        state.withLock { $0.isDraining = true }
        if openRequests.wait(timeout: .now() + .milliseconds(milliseconds)) == .success { return }
        for session in state.withLock({ Array($0.sessions.values) }) {
            session.abort(.unavailable("the gateway is stopping"))
        }
        _ = openRequests.wait(timeout: .now() + .milliseconds(milliseconds))
    }
}
