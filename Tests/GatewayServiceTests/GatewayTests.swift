import Basics
import Dispatch
import GatewayService
import Testing
import Wire

@Suite("The gateway over HTTP", .serialized)
struct GatewayTests {
    @Test("a completion is generated with the model's defaults and answered whole")
    func completion() throws {
        let service = try TestService { generate, emit in TestService.say("world", generate, emit) }
        defer { service.gateway.stop() }
        let answer = try TestClient.post(service.port, "/v1/completions", ["prompt": "hello ", "max_tokens": 5])
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.json["object"] == "text_completion")
        #expect(answer.json["model"] == "tiny")
        #expect(answer.json["system_fingerprint"] == "colony-0123456789ab")
        let choice = answer.json["choices"]?.array?.first
        #expect(choice?["text"] == "world")
        #expect(choice?["finish_reason"] == "length")
        #expect(answer.json["usage"] == ["prompt_tokens": 6, "completion_tokens": 5, "total_tokens": 11])
        let asked = try #require(service.backend.generates.first)
        #expect(asked.prompt == TestModel.tokens("hello "))
        #expect(asked.tokensMax == 5)
        #expect(asked.sampling.temperature == 0.5)
        #expect(asked.sampling.topP == 0.75)
        #expect(asked.sampling.topK == 7)
        #expect(asked.stopTokens == [TestModel.end])
        #expect(asked.logprobCount == nil)
    }

    @Test("the reference check's request is answered in its form")
    func reference() throws {
        let service = try TestService { generate, emit in TestService.say("xy", generate, emit) }
        defer { service.gateway.stop() }
        let answer = try TestClient.post(
            service.port, "/v1/completions",
            [
                "model": "default", "prompt": [1, 2, 3], "max_tokens": 2, "temperature": 0, "echo": true,
                "logprobs": 20, "return_token_ids": true, "return_tokens_as_token_ids": true, "ignore_eos": true,
                "seed": 0,
            ])
        let logprobs = answer.json["choices"]?.array?.first?["logprobs"]
        #expect(logprobs?["tokens"] == ["token_id:1", "token_id:2", "token_id:3", "token_id:120", "token_id:121"])
        #expect(logprobs?["token_logprobs"] == [nil, -0.1, -0.1, -0.1, -0.1])
        let top = try #require(logprobs?["top_logprobs"]?.array)
        #expect(top.count == 5)
        #expect(top[0] == .null)
        #expect(top[1]["token_id:2"] == -0.1)
        #expect(top[4].object.map { Array($0).count } == 20)
        let asked = try #require(service.backend.generates.first)
        #expect(asked.stopTokens.isEmpty)
        #expect(asked.sampling.temperature == 0)
        #expect(asked.sampling.seed == 0)
        #expect(asked.wantsPromptLogprobs)
        #expect(asked.logprobCount == 20)
    }

    @Test("a stream carries the text as it comes, then the usage, then [DONE]")
    func stream() throws {
        let service = try TestService { generate, emit in TestService.say("hé!", generate, emit, finish: .length) }
        defer { service.gateway.stop() }
        let answer = try TestClient.post(
            service.port, "/v1/completions",
            ["prompt": "x", "max_tokens": 4, "stream": true, "stream_options": ["include_usage": true]])
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/event-stream; charset=utf-8")
        let events = answer.events
        #expect(events.last == "[DONE]")
        let documents = try events.dropLast().map { try JSON(parsing: $0) }
        #expect(documents.compactMap { $0["choices"]?.array?.first?["text"]?.string } == ["h", "é", "!"])
        #expect(documents.last?["usage"] == ["prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5])
        #expect(documents[2]["choices"]?.array?.first?["finish_reason"] == "length")
        #expect(Set(documents.compactMap { $0["id"]?.string }).count == 1)
    }

    @Test("a chat's stream opens with the role and ends with the reason")
    func chatStream() throws {
        let service = try TestService { generate, emit in
            TestService.say("hi", generate, emit, finish: .length)
        }
        defer { service.gateway.stop() }
        let answer = try TestClient.post(
            service.port, "/v1/chat/completions",
            ["messages": [["role": "user", "content": "hello"]], "stream": true])
        let choices = try answer.events.dropLast().map { try JSON(parsing: $0)["choices"]?.array?.first ?? .null }
        #expect(
            choices.map { $0["delta"] } == [
                ["role": "assistant", "content": ""], ["content": "h"], ["content": "i"],
            ])
        #expect(choices.map { $0["finish_reason"] } == [.null, .null, "length"])
        #expect(answer.events.last == "[DONE]")
        let asked = try #require(service.backend.generates.first)
        #expect(asked.prompt == [TestModel.user] + TestModel.tokens("hello") + [TestModel.end, TestModel.assistant])
        #expect(asked.tokensMax == 56)
    }

    @Test("several prompts with several choices each are numbered through, with seeds of their own")
    func choices() throws {
        let service = try TestService { generate, emit in
            let text = String(decoding: generate.prompt.map { UInt8($0.value) }, as: UTF8.self)
            TestService.say(text.uppercased(), generate, emit)
        }
        defer { service.gateway.stop() }
        let body: JSON = ["prompt": ["a", "b"], "n": 2, "seed": 9, "max_tokens": 1]
        let answer = try TestClient.post(service.port, "/v1/completions", body)
        let choices = try #require(answer.json["choices"]?.array)
        #expect(choices.map { $0["index"] } == [0, 1, 2, 3])
        #expect(choices.map { $0["text"] } == ["A", "A", "B", "B"])
        #expect(answer.json["usage"] == ["prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6])
        let seeds = service.backend.generates.map(\.sampling.seed)
        #expect(seeds[0] == 9)
        #expect(seeds[1] != 9)
        #expect(seeds[2...] == seeds[..<2])
    }

    @Test("a stop string ends the answer, is not shown, and cancels the sequence")
    func stopString() throws {
        let service = try TestService { generate, emit in TestService.say("one STOP two", generate, emit) }
        defer { service.gateway.stop() }
        let body: JSON = ["prompt": "x", "max_tokens": 30, "stop": ["STOP"]]
        let choice = try TestClient.post(service.port, "/v1/completions", body).json["choices"]?.array?.first
        #expect(choice?["text"] == "one ")
        #expect(choice?["finish_reason"] == "stop")
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
    }

    @Test("scoring a prompt generates nothing; echo alone does not even ask the cluster")
    func scoring() throws {
        let service = try TestService { generate, emit in
            TestService.say("", generate, emit)
        }
        defer { service.gateway.stop() }
        let scored = try TestClient.post(
            service.port, "/v1/completions", ["prompt": "abc", "max_tokens": 0, "echo": true, "logprobs": 1])
        let choice = scored.json["choices"]?.array?.first
        #expect(choice?["text"] == "abc")
        #expect(choice?["logprobs"]?["tokens"] == ["a", "b", "c"])
        #expect(choice?["logprobs"]?["token_logprobs"] == [nil, -0.1, -0.1])
        #expect(service.backend.generates.map(\.tokensMax) == [0])
        let plain = try TestClient.post(
            service.port, "/v1/completions", ["prompt": "abc", "max_tokens": 0, "echo": true])
        #expect(plain.json["choices"]?.array?.first?["text"] == "abc")
        #expect(service.backend.generates.count == 1)
    }
}

@Suite("The gateway's errors over HTTP", .serialized)
struct GatewayErrorTests {
    @Test("a refusal before the first token has a status of its own")
    func refusals() throws {
        let cases: [(RefusalCode, Int, String?)] = [
            (.invalidRequest, 400, nil), (.overloaded, 429, "1"), (.unavailable, 503, "1"),
            (.deadlineExceeded, 504, nil), (.internalError, 500, nil),
        ]
        for (code, status, retryAfter) in cases {
            let service = try TestService { (_, emit) throws(Refusal) in
                if code == .overloaded { throw Refusal(code, "no") }
                emit(.failed(Refusal(code, "no")))
            }
            for stream in [false, true] {
                let body: JSON = ["prompt": "x", "stream": .bool(stream)]
                let answer = try TestClient.post(service.port, "/v1/completions", body)
                #expect(answer.status == status)
                #expect(answer.headers["retry-after"] == retryAfter)
                #expect(answer.error?["message"]?.string?.contains("no") == true)
            }
            service.gateway.stop()
        }
    }

    @Test("an error in mid-stream is an event, and there is no [DONE]")
    func midStream() throws {
        let service = try TestService { generate, emit in
            emit(.generated(Generated(tokens: [ScoredToken(token: TokenID(97))])))
            if generate.prompt == TestModel.tokens("x") {
                emit(.failed(Refusal(.unavailable, "worker-2 died")))
            }
        }
        defer { service.gateway.stop() }
        let body: JSON = ["prompt": ["y", "x"], "stream": true]
        let answer = try TestClient.post(service.port, "/v1/completions", body)
        #expect(answer.status == 200)
        #expect(answer.events.count == 3)
        let error = try JSON(parsing: answer.events[2])["error"]
        #expect(error?["message"] == "worker-2 died")
        #expect(error?["type"] == "service_unavailable_error")
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
    }

    @Test("a client that leaves cancels all of its sequences")
    func disconnect() throws {
        let service = try TestService { _, emit in
            emit(.generated(Generated(tokens: [ScoredToken(token: TokenID(97))])))
        }
        defer { service.gateway.stop() }
        do {
            let client = try TestClient(port: service.port)
            let body: JSON = ["prompt": "x", "n": 2, "stream": true]
            client.send("POST", "/v1/completions", body: body.serialised())
            #expect(client.receive(until: "\"index\":1").contains("\"index\":1"))
        }
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
    }

    @Test("while the cluster is away requests get the reason, and /health says so")
    func unavailable() throws {
        let service = try TestService { _, _ in }
        defer { service.gateway.stop() }
        #expect(try TestClient.get(service.port, "/health").status == 200)
        service.backend.fail(Refusal(.unavailable, "worker-1 died 3 s ago"))
        let health = try TestClient.get(service.port, "/health")
        #expect(health.status == 503)
        #expect(health.body == #"{"status":"unavailable","reason":"worker-1 died 3 s ago"}"#)
        let answer = try TestClient.post(service.port, "/v1/completions", ["prompt": "x"])
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
        #expect(answer.error?["message"] == "worker-1 died 3 s ago")
        #expect(try TestClient.get(service.port, "/live").status == 200)
        #expect(try TestClient.get(service.port, "/v1/models").status == 503)
    }

    @Test(
        "bad requests are refused with OpenAI's object and cost nobody else anything",
        arguments: [
            ("/v1/completions", "{", 400, "malformed_json"),
            ("/v1/completions", #"{"prompt":[260]}"#, 400, "token_out_of_range"),
            ("/v1/completions", #"{"prompt":"x","stop_token_ids":[999]}"#, 400, "token_out_of_range"),
            ("/v1/completions", #"{"prompt":"x","logit_bias":{"999":1}}"#, 400, "token_out_of_range"),
            ("/v1/completions", #"{"prompt":"\#(String(repeating: "x", count: 64))"}"#, 400, "context_length_exceeded"),
            ("/v1/completions", #"{"prompt":"x","model":"other"}"#, 404, "model_not_found"),
            ("/v1/completions", #"{"prompt":""}"#, 400, ""),
            ("/v1/completions", #"{"prompt":"x","min_tokens":17}"#, 400, ""),
            (
                "/v1/chat/completions", #"{"messages":[{"role":"user","content":"x"}],"tool_choice":"required"}"#, 400,
                "unsupported_parameter"
            ),
            ("/v1/nothing", "{}", 404, "path_not_found"),
        ])
    func badRequests(path: String, body: String, status: Int, code: String) throws {
        let service = try TestService { _, _ in }
        defer { service.gateway.stop() }
        let answer = try TestClient.post(service.port, path, text: body)
        #expect(answer.status == status)
        #expect(answer.error?["code"] == (code.isEmpty ? .null : .string(code)))
        #expect(answer.error?["message"]?.string?.isEmpty == false)
        #expect(service.backend.generates.isEmpty)
    }

    @Test("every path knows its method")
    func methods() throws {
        let service = try TestService { _, _ in }
        defer { service.gateway.stop() }
        let answer = try TestClient.get(service.port, "/v1/completions")
        #expect(answer.status == 405)
        #expect(answer.headers["allow"] == "POST")
        #expect(answer.error?["code"] == "method_not_allowed")
        #expect(try TestClient.post(service.port, "/health", [:]).status == 405)
    }

    @Test("models, cluster and metrics are served")
    func documents() throws {
        let service = try TestService { generate, emit in TestService.say("ok", generate, emit) }
        defer { service.gateway.stop() }
        let models = try TestClient.get(service.port, "/v1/models").json
        #expect(models["data"]?.array?.first?["id"] == "tiny")
        #expect(try TestClient.get(service.port, "/v1/models/default").json["id"] == "tiny")
        #expect(try TestClient.get(service.port, "/v1/models/tiny").json["max_model_len"] == 64)
        #expect(try TestClient.get(service.port, "/v1/models/other").status == 404)
        let cluster = try TestClient.get(service.port, "/cluster")
        #expect(cluster.json["isReady"] == true)
        #expect(cluster.json["nodes"]?.array?.map { $0["role"] } == ["coordinator", "gateway"])
        #expect(cluster.body.hasPrefix("{\n  \""))
        _ = try TestClient.post(service.port, "/v1/completions", ["prompt": "x"])
        let metrics = try TestClient.get(service.port, "/metrics").body
        #expect(metrics.contains(#"colony_gateway_requests_total{route="/v1/completions",status="200"} 1"#))
        #expect(metrics.contains("colony_gateway_generated_tokens_total 2\n"))
        #expect(metrics.contains("colony_gateway_time_to_first_token_seconds_count 1\n"))
        #expect(metrics.contains("colony_gateway_open_requests 0\n"))
    }

    @Test("a gateway that stops ends open streams with an error")
    func draining() throws {
        let service = try TestService { _, emit in
            emit(.generated(Generated(tokens: [ScoredToken(token: TokenID(97))])))
        }
        let client = try TestClient(port: service.port)
        client.send("POST", "/v1/completions", body: #"{"prompt":"x","stream":true}"#)
        _ = client.receive(until: "data: ")
        service.gateway.stop()
        #expect(client.receive(until: "stopping").contains("the gateway is stopping"))
        #expect(service.backend.cancelled.wait(timeout: .now() + 10) == .success)
    }
}
