import Basics
import Dispatch
import GatewayService
import HTTPServer
import Logging
import Testing
import Transport
import Wire

/// Experts that a test can tell: two layers with a router, told apart by the token's place in the answer.
private func experts(_ position: Int) -> RoutedExperts {
    RoutedExperts(countPerLayer: [2, 1], experts: [UInt16(position), UInt16(position + 100), UInt16(position + 200)])
}

private func json(_ positions: some Sequence<Int>) -> JSON {
    .array(
        positions.map { position in
            [[.integer(Int64(position)), .integer(Int64(position + 100))], [.integer(Int64(position + 200))]]
        })
}

/// The tokens of a text, from a place in the answer on, with their experts.
private func tokens(_ bytes: some Sequence<UInt8>, from start: Int = 0, finish: FinishReason? = nil) -> Generated {
    let tokens = bytes.enumerated().map { offset, byte in
        ScoredToken(token: TokenID(Int32(byte)), logprob: -1, routedExperts: experts(start + offset))
    }
    return Generated(tokens: tokens, finish: finish)
}

@Suite("Experts of an answer's pieces")
struct HeldExpertsTests {
    /// Text and places of the tokens that each piece completes; one token at a time.
    private func pieces(_ body: JSON, _ bytes: [UInt8], finish: FinishReason = .length) throws -> [(String, [Int])] {
        let model = try TestModel.context()
        let plan = try GenerationPlan(CompletionRequest(parsing: body), model: model, randomSeed: 5)
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: model.tokenizer)
        return bytes.enumerated().map { position, byte in
            let isLast = position == bytes.count - 1
            let piece = assembler.append(tokens([byte], from: position, finish: isLast ? finish : nil))
            return (piece.text, piece.routedExperts.map { Int($0.experts[0]) })
        }
    }

    @Test("they come with the text that the token completes")
    func characters() throws {
        let pieces = try pieces(["prompt": "x"], Array("aé蜂!".utf8))
        #expect(pieces.map(\.0) == ["a", "", "é", "", "", "蜂", "!"])
        #expect(pieces.map(\.1) == [[0], [], [1, 2], [], [], [3, 4, 5], [6]])
        // A character that was begun and will never be whole: the next one's beginning completes its text.
        let broken = try self.pieces(["prompt": "x"], [0xC3, 0xE8, 0x9C, 0xC3, 0xA9, 33])
        #expect(broken.map(\.0) == ["", "\u{FFFD}", "", "\u{FFFD}", "é", "!"])
        #expect(broken.map(\.1) == [[], [0], [], [1, 2], [3, 4], [5]])
    }

    @Test("text that may be the beginning of a stop string holds them back; what is certain brings them")
    func stopStrings() throws {
        let pieces = try pieces(["prompt": "x", "stop": "STOP"], Array("aSTx!STOPb".utf8))
        #expect(pieces.map(\.0) == ["a", "", "", "STx", "!", "", "", "", "", ""])
        // The stop string's own tokens are part of the answer's count; what follows them is not.
        #expect(pieces.map(\.1) == [[0], [], [], [1, 2, 3], [4], [], [], [], [5, 6, 7, 8], []])
    }

    @Test("half a character at the end, an end token and an echoed prompt lose none")
    func ends() throws {
        let half = try pieces(["prompt": "x"], [97, 0xE8, 0x9C])
        #expect(half.map(\.1) == [[0], [], [1, 2]])
        let ended = try pieces(["prompt": "x", "stop_token_ids": [33]], Array("ab!".utf8), finish: .stop)
        #expect(ended.map(\.0) == ["a", "b", ""])
        #expect(ended.map(\.1) == [[0], [1], [2]])
        let echoed = try pieces(["prompt": "été", "echo": true, "stop": "yz", "min_tokens": 2], Array("yzyx".utf8))
        #expect(echoed.map(\.0) == ["étéy", "z", "", "yx"])
        #expect(echoed.map(\.1) == [[0], [1], [], [2, 3]])
    }
}

@Suite("Routed experts over HTTP", .serialized)
struct RoutedExpertsTests {
    private static let text = "aé STOx STOP and more"

    private static func service() throws -> TestService {
        try TestService { generate, emit in
            if generate.tokensMax == 0 { return emit(.generated(Generated(finish: .length))) }
            if generate.wantsPromptLogprobs {
                emit(.generated(Generated(promptTokens: generate.prompt.map { ScoredToken(token: $0) })))
            }
            let bytes = Array(text.utf8)
            for (position, byte) in bytes.enumerated() {
                let finish: FinishReason? = position == bytes.count - 1 ? .length : nil
                var news = tokens([byte], from: position, finish: finish)
                if !generate.wantsRoutedExperts { news.tokens[0].routedExperts = nil }
                emit(.generated(news))
            }
        }
    }

    /// What the choices of a stream add up to, by index.
    private func added(_ answer: TestClient.Answer) throws -> [Int: [JSON]] {
        var experts: [Int: [JSON]] = [:]
        for event in answer.events where event != "[DONE]" {
            for choice in try JSON(parsing: event)["choices"]?.array ?? [] {
                let index = try #require(choice["index"]?.integer)
                experts[index, default: []] += try #require(choice["routed_experts"]?.array, "every chunk has some")
            }
        }
        return experts
    }

    @Test(
        "each choice has its own, one per generated token, whole as streamed",
        arguments: ["/v1/completions", "/v1/chat/completions"])
    func choices(path: String) throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        var body: JSON = [
            "n": 2, "max_tokens": 40, "stop": "STOP", "return_routed_experts": true, "return_token_ids": true,
        ]
        if path == "/v1/completions" {
            body = body.setting("prompt", to: ["xy", "z"]).setting("echo", to: true).setting("logprobs", to: 1)
        } else {
            body = body.setting("messages", to: [["role": "user", "content": "hi"]]).setting("logprobs", to: true)
        }
        let whole = try TestClient.post(service.port, path, body)
        let choices = try #require(whole.json["choices"]?.array)
        #expect(choices.count == (path == "/v1/completions" ? 4 : 2))
        for choice in choices {
            #expect(choice["finish_reason"] == "stop")
            #expect(choice["token_ids"]?.array?.count == 13)
            #expect(choice["routed_experts"] == json(0..<13))
        }
        #expect(whole.json["usage"]?["completion_tokens"]?.integer == choices.count * 13)
        let streamed = try added(TestClient.post(service.port, path, body.setting("stream", to: true)))
        #expect(streamed.count == choices.count)
        for (index, choice) in choices.enumerated() {
            #expect(JSON.array(streamed[index] ?? []) == choice["routed_experts"])
        }
        #expect(service.backend.generates.allSatisfy { $0.wantsRoutedExperts })
    }

    @Test("a chunk has those of the tokens whose text it completes")
    func chunks() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        let body: JSON = [
            "prompt": "x", "max_tokens": 40, "stop": "STOP", "return_routed_experts": true, "stream": true,
        ]
        let events = try TestClient.post(service.port, "/v1/completions", body).events.dropLast()
        let choices = try events.compactMap { try JSON(parsing: $0)["choices"]?.array?.first }
        #expect(choices.map { $0["text"] } == ["a", "é", " ", "STOx", " ", ""])
        let expected = [json([0]), json(1...2), json([3]), json(4...7), json([8]), json(9...12)]
        #expect(choices.map { $0["routed_experts"] } == expected)
    }

    @Test("who does not ask gets none and asks for none")
    func unasked() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        for stream in [false, true] {
            let body: JSON = ["prompt": "x", "max_tokens": 40, "stream": .bool(stream), "return_routed_experts": false]
            let answer = try TestClient.post(service.port, "/v1/completions", body)
            #expect(answer.status == 200)
            #expect(!answer.body.contains("routed_experts"))
        }
        #expect(service.backend.generates.allSatisfy { !$0.wantsRoutedExperts })
        let wrong = try TestClient.post(
            service.port, "/v1/completions", ["prompt": "x", "return_routed_experts": "yes"])
        #expect(wrong.status == 400)
        #expect(wrong.error?["param"] == "return_routed_experts")
    }

    @Test("an answer without tokens has an empty list")
    func nothingGenerated() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        for logprobs in [.null, 1] as [JSON] {
            let body: JSON = [
                "prompt": "x", "max_tokens": 0, "echo": true, "logprobs": logprobs, "return_routed_experts": true,
            ]
            let answer = try TestClient.post(service.port, "/v1/completions", body)
            #expect(answer.json["choices"]?.array?.first?["routed_experts"] == [])
        }
    }

    @Test("an answer that is not streamed holds so many and no more; a stream holds none")
    func limit() throws {
        let perToken = 1 << 16
        let tokenCount = Limits.Gateway.routedExpertsMax / perToken + 1
        let routed = RoutedExperts(
            countPerLayer: [UInt16](repeating: 1 << 12, count: 16), experts: [UInt16](repeating: 7, count: perToken))
        let service = try TestService { generate, emit in
            // The long one goes on for ever, as far as the gateway knows.
            let last = generate.prompt == TestModel.tokens("long") ? nil : tokenCount - 1
            for number in 1...(last ?? tokenCount) {
                let token = ScoredToken(token: TokenID(97), routedExperts: routed)
                emit(.generated(Generated(tokens: [token], finish: number == last ? .length : nil)))
            }
        }
        defer { service.gateway.stop() }
        let fits: JSON = ["prompt": "fits", "max_tokens": 99, "return_routed_experts": true]
        #expect(try TestClient.post(service.port, "/v1/completions", fits).status == 200)
        let long: JSON = ["prompt": "long", "max_tokens": 99, "return_routed_experts": true]
        let refused = try TestClient.post(service.port, "/v1/completions", long)
        #expect(refused.status == 400)
        #expect(refused.error?["code"] == "too_many_routed_experts")
        #expect(refused.error?["param"] == "return_routed_experts")
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
    }

    /// The answers of a gateway whose coordinator sends no experts: to a request that asks for them, and to one that
    /// does not.
    private func answersWithoutExperts(
        _ options: LinkOptions
    ) throws -> (asked: TestClient.Answer, unasked: TestClient.Answer) {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { _, reply in
            reply(Generated(tokens: [ScoredToken(token: TokenID(97))], finish: .length))
        }
        let listener = try coordinator.listen(certificates, options: options)
        defer { listener.stop() }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let news = DispatchSemaphore(value: 0)
        let backend = CoordinatorBackend(
            endpoint: Endpoint(host: "127.0.0.1", port: listener.port),
            identity: try certificates.identity("gateway", .gateway), logger: logger, onNews: { news.signal() })
        let gateway = Gateway(
            configuration: GatewayConfiguration(
                node: NodeID("gateway"), http: HTTPConfiguration(host: "127.0.0.1", port: 0)), backend: backend,
            logger: logger)
        try gateway.start()
        defer { gateway.stop() }
        while !backend.status().isReady { try #require(news.wait(timeout: .now() + 20) == .success) }
        let body: JSON = ["prompt": "x", "max_tokens": 1]
        return (
            try TestClient.post(gateway.port, "/v1/completions", body.setting("return_routed_experts", to: true)),
            try TestClient.post(gateway.port, "/v1/completions", body)
        )
    }

    @Test("a coordinator that leaves out what was asked for is a server error, not a shorter list")
    func missing() throws {
        let answers = try answersWithoutExperts(LinkOptions())
        #expect(answers.asked.status == 500)
        #expect(answers.asked.error?["message"]?.string?.contains("lacks the experts") == true)
        #expect(answers.unasked.status == 200)
    }

    @Test("a coordinator that was not upgraded yet serves all but those who ask")
    func olderCoordinator() throws {
        let answers = try answersWithoutExperts(LinkOptions(versions: 1...1))
        #expect(answers.asked.status == 400)
        let message = answers.asked.error?["message"]?.string ?? ""
        #expect(
            message.hasPrefix("'return_routed_experts' needs version 2 of the protocol; the coordinator at 127.0.0.1:"))
        #expect(message.hasSuffix(" speaks version 1"))
        #expect(answers.unasked.status == 200)
    }
}
