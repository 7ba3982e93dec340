import Basics
import Foundation
import GatewayClient
import HTTPServer
import Logging
import Synchronization
import Testing

/// What is asked and what is made of the answer, against a gateway that says what a test wants it to.
@Suite struct GatewayConnectionTests {
    private struct ScriptedHandler: HTTPHandler {
        let script: @Sendable (HTTPRequest, HTTPResponse) -> Void

        func handle(_ request: HTTPRequest, response: HTTPResponse) { script(request, response) }
    }

    /// Runs `ask` on a thread of its own, because it blocks, against a gateway that answers so.
    private func withGateway<Value: Sendable>(
        _ script: @escaping @Sendable (HTTPRequest, HTTPResponse) -> Void,
        ask: @escaping @Sendable (GatewayConnection) throws -> Value
    ) async throws -> Value {
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let listener = try HTTPListener(
            configuration: HTTPConfiguration(host: "127.0.0.1", port: 0), handler: ScriptedHandler(script: script),
            logger: logger)
        defer { listener.stop(graceMilliseconds: 0) }
        let port = listener.port
        return try await withCheckedThrowingContinuation { continuation in
            Thread {
                let connection = GatewayConnection(host: "127.0.0.1", port: port)
                continuation.resume(with: Result { try ask(connection) })
            }.start()
        }
    }

    private static func stream(_ events: [String]) -> @Sendable (HTTPRequest, HTTPResponse) -> Void {
        { _, response in
            response.start(status: 200, headers: [("content-type", "text/event-stream; charset=utf-8")])
            for event in events { response.write(Array("data: \(event)\n\n".utf8)) }
            response.finish()
        }
    }

    private static func body(_ status: Int, _ text: String) -> @Sendable (HTTPRequest, HTTPResponse) -> Void {
        { _, response in
            response.send(status: status, headers: [("content-type", "application/json")], body: Array(text.utf8))
        }
    }

    private let request = GenerationRequest(
        prompt: .conversation([ChatMessage(.user, "hi")]), settings: GenerationSettings())

    private static let usage = #"{"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}"#

    @Test func tellsReasoningFromTheAnswer() async throws {
        let events = [
            #"{"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}"#,
            #"{"choices": [{"delta": {"reasoning_content": "Hm"}, "finish_reason": null}]}"#,
            #"{"choices": [{"delta": {"reasoning_content": ".", "content": "Yes"}, "finish_reason": "stop"}]}"#,
            #"{"choices": [], "usage": \#(Self.usage)}"#, "[DONE]",
        ]
        let (answer, pieces) = try await withGateway(Self.stream(events)) { connection in
            var pieces: [String] = []
            let answer = try connection.generate(request, onReasoning: { pieces.append("(\($0))") }) {
                pieces.append($0)
            }
            return (answer, pieces)
        }
        #expect(pieces == ["(Hm)", "(.)", "Yes"])
        #expect(answer.text == "Yes" && answer.reasoning == "Hm.")
        let message = #"{"content": "", "reasoning_content": "Hm"}"#
        let whole = #"{"choices": [{"message": \#(message), "finish_reason": "length"}]}"#
        let cut = try await withGateway(Self.body(200, whole)) { try $0.generate(request) { _ in } }
        #expect(cut.text.isEmpty && cut.reasoning == "Hm" && cut.isCut)
    }

    @Test func streamsAnAnswer() async throws {
        let events = [
            #"{"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}"#,
            #"{"choices": [{"delta": {"content": "Hel"}, "finish_reason": null}], "usage": null}"#,
            #"{"choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}], "usage": null}"#,
            #"{"choices": [], "usage": \#(Self.usage)}"#, "[DONE]",
        ]
        let (answer, pieces) = try await withGateway(Self.stream(events)) { connection in
            var pieces: [String] = []
            let answer = try connection.generate(request) { pieces.append($0) }
            return (answer, pieces)
        }
        #expect(pieces == ["Hel", "lo"] && answer.text == "Hello")
        #expect(answer.finishReason == "stop" && !answer.isCut)
        #expect(answer.usage == TokenUsage(promptTokens: 7, completionTokens: 3))
        #expect(answer.secondsToFirstText != nil)
    }

    @Test(arguments: [
        #"{"choices": [{"message": {"content": "Hello"}, "finish_reason": "length"}], "usage": \#(usage)}"#,
        #"{"choices": [{"text": "Hello", "finish_reason": "length"}], "usage": \#(usage)}"#,
    ])
    func readsAWholeAnswer(_ text: String) async throws {
        let answer = try await withGateway(Self.body(200, text)) { try $0.generate(request) { _ in } }
        #expect(answer.text == "Hello" && answer.isCut && answer.usage?.totalTokens == 10)
    }

    private static let error = #"{"error": {"message": "worker-1 is gone", "type": "x", "param": null, "code": "y"}}"#
    private static let piece = #"{"choices": [{"delta": {"content": "a"}}]}"#

    @Test(arguments: [
        (body(503, error), GatewayFailure.refused(status: 503, code: "y", message: "worker-1 is gone")),
        (stream([piece, error]), .refused(status: nil, code: "y", message: "worker-1 is gone")),
        (stream([piece, piece]), .brokenOff(reason: "it ended without its last event")),
        (stream([piece, "nonsense"]), .malformedAnswer(reason: "an event is not JSON")),
        (body(502, "<html>"), .malformedAnswer(reason: "status 502 and no JSON")),
        (body(502, "{}"), .malformedAnswer(reason: "status 502 without an error")),
    ])
    func saysWhyThereIsNoAnswer(
        _ script: @escaping @Sendable (HTTPRequest, HTTPResponse) -> Void, _ failure: GatewayFailure
    ) async throws {
        await #expect(throws: failure) {
            _ = try await withGateway(script) { try $0.generate(request) { _ in } }
        }
    }

    @Test func nobodyAnswers() throws {
        // A port that was free a moment ago.
        let listener = try HTTPListener(
            configuration: HTTPConfiguration(host: "127.0.0.1", port: 0),
            handler: ScriptedHandler { _, _ in }, logger: Logger(label: "test"))
        let port = listener.port
        listener.stop()
        #expect(throws: GatewayFailure.unreachable(address: "127.0.0.1:\(port)", reason: "Connection refused")) {
            _ = try GatewayConnection(host: "127.0.0.1", port: port).availability()
        }
    }

    @Test func asksForWhatIsWanted() async throws {
        var settings = GenerationSettings()
        for (name, value) in [("temperature", "0.5"), ("top-p", "0.25"), ("max-tokens", "9"), ("seed", "4")] {
            try settings.set(named: name, to: value)
        }
        try settings.addTemplateArgument("enable_thinking=false")
        let chat = GenerationRequest(
            prompt: .conversation([ChatMessage(.system, "s"), ChatMessage(.user, "u")]), settings: settings)
        let text = GenerationRequest(prompt: .text("once"), settings: GenerationSettings(), streams: false)
        let requests = Mutex<[(path: String, json: JSON?)]>([])
        _ = try await withGateway({ request, response in
            requests.withLock { $0.append((request.path, try? JSON(parsing: request.body))) }
            Self.body(200, #"{"choices": []}"#)(request, response)
        }) { connection in
            _ = try connection.generate(chat) { _ in }
            _ = try connection.generate(text) { _ in }
        }
        let (first, second) = requests.withLock { ($0[0], $0[1]) }
        #expect(first.path == "/v1/chat/completions" && second.path == "/v1/completions")
        #expect(
            first.json == [
                "model": "default",
                "messages": [["role": "system", "content": "s"], ["role": "user", "content": "u"]],
                "chat_template_kwargs": ["enable_thinking": false],
                "max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "seed": 4,
                "stream": true, "stream_options": ["include_usage": true],
            ])
        #expect(second.json == ["model": "default", "prompt": "once", "stream": false])
    }

    @Test func tellsHowTheClusterIs() async throws {
        let ready = try await withGateway(Self.body(200, #"{"status":"ok"}"#)) { try $0.availability() }
        #expect(ready == .ready)
        let loading = try await withGateway(Self.body(503, #"{"reason": "loading: 71 %, 4 s left"}"#)) {
            try $0.availability()
        }
        #expect(loading == .unavailable(reason: "loading: 71 %, 4 s left"))
        let document = """
            {"model": {"name": "antling", "contextTokensMax": 2048},
             "nodes": [{"role": "coordinator", "state": "ready"}, {"role": "worker", "state": "ready"},
                       {"role": "worker", "state": "loading"}]}
            """
        let summary = try await withGateway(Self.body(200, document)) { try $0.summary() }
        #expect(summary.text == "model antling, 2 workers (1 ready), context of 2048 tokens")
        let bare = try await withGateway(Self.body(200, "{}")) { try $0.summary() }
        #expect(bare.text == "model unknown, no workers")
    }
}
