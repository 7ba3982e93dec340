import Basics
import GatewayService
import HTTPServer
import Testing
import Tokenizer
import Wire

@Suite("Reasoning over HTTP", .serialized)
struct ReasoningTests {
    private static let question: JSON = [["role": "user", "content": "q"]]

    private func service(
        _ model: ReasoningModel, _ text: String, finish: FinishReason = .length
    ) throws -> TestService {
        try TestService.answering(text, by: model.context(), finish: finish)
    }

    private func ask(_ service: TestService, _ more: [String: JSON] = [:]) throws -> JSON {
        var body: JSON = ["messages": Self.question]
        for (key, value) in more { body = body.setting(key, to: value) }
        return try TestClient.post(service.port, "/v1/chat/completions", body).json
    }

    private func message(_ answer: JSON, _ index: Int = 0) -> JSON? { answer["choices"]?.array?[index]["message"] }

    @Test("an answer is split", arguments: ReasoningModel.allCases)
    func whole(_ model: ReasoningModel) throws {
        let text = model.answer(reasoning: "Hm, 1 < 2.", text: "Yes.\n")
        let service = try service(model, text, finish: .stop)
        defer { service.gateway.stop() }
        let answer = try ask(service, ["n": 2])
        for index in 0..<2 {
            #expect(message(answer, index)?["reasoning_content"] == "Hm, 1 < 2.")
            #expect(message(answer, index)?["content"] == "Yes.\n")
            #expect(answer["choices"]?.array?[index]["finish_reason"] == "stop")
        }
        let details = answer["usage"]?["completion_tokens_details"]
        let count = try #require(details?["reasoning_tokens"]?.integer)
        #expect(count % 2 == 0)
        #expect(count >= 20)
        #expect(try #require(answer["usage"]?["completion_tokens"]?.integer) >= count + 10)
    }

    @Test("a stream carries both, and adds up to the whole", arguments: ReasoningModel.allCases)
    func stream(_ model: ReasoningModel) throws {
        let service = try service(model, model.answer(reasoning: "Hm,\n\n蜂 </thin", text: " Yes é."), finish: .stop)
        defer { service.gateway.stop() }
        let body: JSON = ["messages": Self.question, "stream": true, "stream_options": ["include_usage": true]]
        let answer = try TestClient.post(service.port, "/v1/chat/completions", body)
        #expect(answer.events.last == "[DONE]")
        let documents = try answer.events.dropLast().map { try JSON(parsing: $0) }
        let deltas = documents.compactMap { $0["choices"]?.array?.first?["delta"] }
        #expect(deltas.first == ["role": "assistant", "content": ""])
        let reasoning = deltas.compactMap { $0["reasoning_content"]?.string }
        #expect(reasoning.joined() == "Hm,\n\n蜂 </thin")
        #expect(reasoning.count > 3, "it comes piece by piece")
        let text = deltas.compactMap { $0["content"]?.string }.joined()
        #expect(text == (model == .channels ? " Yes é." : "Yes é."))
        let whole = try ask(service)
        #expect(documents.last?["usage"] == whole["usage"])
        #expect(documents.last?["usage"]?["completion_tokens_details"]?["reasoning_tokens"] != nil)
    }

    @Test("tokens, ids and logprobs are those of the whole answer", arguments: ReasoningModel.allCases)
    func tokens(_ model: ReasoningModel) throws {
        let text = model.answer(reasoning: "ab", text: "c")
        let service = try service(model, text)
        defer { service.gateway.stop() }
        let ids = try model.context().tokenizer.encode(text)
        let answer = try ask(service, ["logprobs": true, "top_logprobs": 1, "return_token_ids": true])
        let choice = answer["choices"]?.array?.first
        #expect(choice?["token_ids"]?.array?.compactMap(\.integer) == ids.map { Int($0.value) })
        #expect(choice?["logprobs"]?["content"]?.array?.count == ids.count)
        #expect(answer["usage"]?["completion_tokens"]?.integer == ids.count)
    }

    @Test("an answer that ends while the model thinks has no content")
    func limit() throws {
        let service = try service(.tokens, ReasoningModel.tokens.answer(reasoning: "too long", text: "never"))
        defer { service.gateway.stop() }
        let answer = try ask(service, ["max_tokens": 6])
        #expect(message(answer)?["content"] == "")
        #expect(message(answer)?["reasoning_content"] == "too")
        #expect(answer["choices"]?.array?.first?["finish_reason"] == "length")
        #expect(answer["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 6)
    }

    @Test("a stop string ends reasoning and answer alike, but none reaches from the one into the other")
    func stops() throws {
        let service = try service(.tokens, "<think>one STOP two</think>STOP three")
        defer { service.gateway.stop() }
        let inside = try ask(service, ["stop": "STOP"])
        #expect(message(inside)?["reasoning_content"] == "one ")
        #expect(message(inside)?["content"] == "")
        #expect(inside["choices"]?.array?.first?["finish_reason"] == "stop")
        let across = try ask(service, ["stop": ["twoSTOP", "\n\n", "three"]])
        #expect(message(across)?["reasoning_content"] == "one STOP two")
        #expect(message(across)?["content"] == "STOP ")
    }

    @Test("a request may ask for the text as it is, or for no reasoning")
    func fields() throws {
        let service = try service(.tokens, "<think>a</think>b")
        defer { service.gateway.stop() }
        let none = try ask(service, ["reasoning_format": "none"])
        #expect(message(none) == ["role": "assistant", "content": "<think>a</think>b", "refusal": nil])
        #expect(none["usage"]?["completion_tokens_details"] == nil)
        let without = try ask(service, ["include_reasoning": false])
        #expect(message(without) == ["role": "assistant", "content": "b", "refusal": nil])
        #expect(without["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 3)
        #expect(message(try ask(service, ["reasoning_format": "deepseek"]))?["content"] == "b")
        #expect(try ask(service, ["reasoning_format": "xml"])["error"]?["param"] == "reasoning_format")
    }

    @Test("a model without marks is left alone")
    func noReasoning() throws {
        let service = try TestService { generate, emit in TestService.say("<think>a</think>b", generate, emit) }
        defer { service.gateway.stop() }
        let answer = try ask(service)
        #expect(message(answer) == ["role": "assistant", "content": "<think>a</think>b", "refusal": nil])
        #expect(answer["usage"]?["completion_tokens_details"] == nil)
    }

    @Test("experts come with the text that their token completes")
    func experts() throws {
        let context = try ReasoningModel.tokens.context()
        let body: JSON = ["messages": Self.question, "return_routed_experts": true]
        let plan = try GenerationPlan(ChatRequest(parsing: body), model: context, randomSeed: 1)
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: context.tokenizer)
        let tokens = context.tokenizer.encode("<think>\na \nb</think>\n\nc")
        let counts = tokens.enumerated().map { position, token in
            let experts = RoutedExperts(countPerLayer: [1], experts: [UInt16(position)])
            let scored = ScoredToken(token: token, routedExperts: experts)
            return assembler.append(Generated(tokens: [scored])).routedExperts.count
        }
        #expect(counts == [1, 1, 1, 0, 0, 3, 1, 1, 1, 1])
    }
}

@Suite("Prompts of models that reason")
struct ReasoningPromptTests {
    private func plan(_ model: ReasoningModel, _ body: String) throws -> GenerationPlan {
        try GenerationPlan(ChatRequest(parsing: JSON(parsing: body)), model: model.context(), randomSeed: 5)
    }

    private func prompt(_ model: ReasoningModel, _ plan: GenerationPlan) throws -> String {
        try model.context().tokenizer.decode(plan.prompts[0].tokens)
    }

    @Test("the end of the prompt says whether the answer begins within reasoning")
    func starts() throws {
        let question = #""messages":[{"role":"user","content":"What is <think>?"}]"#
        #expect(try plan(.opened, "{\(question)}").reasoning?.start == .reasoning)
        let off = #"{\#(question),"chat_template_kwargs":{"thinking":false}}"#
        #expect(try plan(.opened, off).reasoning?.start == .outside)
        #expect(try plan(.tokens, "{\(question)}").reasoning?.start == .outside)
        #expect(try plan(.channels, "{\(question)}").reasoning?.start == .outside)
    }

    @Test("a message that is continued may end within reasoning")
    func continues() throws {
        func plan(_ model: ReasoningModel, _ message: String) throws -> GenerationPlan {
            try self.plan(model, #"{"messages":[{"role":"assistant",\#(message)}],"continue_final_message":true}"#)
        }
        #expect(try plan(.tokens, #""content":"So""#).reasoning?.start == .answer)
        #expect(try plan(.tokens, #""content":"<think>Hm""#).reasoning?.start == .reasoning)
        #expect(try plan(.tokens, #""content":"<think>Hm</think>So""#).reasoning?.start == .answer)
        let thought = try plan(.tokens, #""content":"","reasoning_content":"Hm""#)
        #expect(thought.reasoning?.start == .reasoning)
        #expect(try prompt(.tokens, thought) == "<|assistant|><think>Hm")
        #expect(try plan(.channels, #""content":"So""#).reasoning?.start == .answer)
        let analysis = try plan(.channels, #""content":null,"reasoning_content":"Hm","tool_calls":[]"#)
        #expect(analysis.reasoning?.start == .reasoning)
    }

    @Test("reasoning of earlier turns reaches the template, by either name")
    func history() throws {
        for name in ["reasoning_content", "reasoning"] {
            let said = #"{"role":"assistant","content":"a","\#(name)":"r"}"#
            let body = #"{"messages":[\#(said),{"role":"user","content":"q"}]}"#
            let found = try prompt(.tokens, try plan(.tokens, body))
            #expect(found == "<|assistant|><think>r</think>a<|end|><|user|>q<|end|><|assistant|>")
            let channels = try prompt(.channels, try plan(.channels, body))
            #expect(channels.hasPrefix("<|start|>assistant<|channel|>analysis<|message|>r<|end|>"))
        }
        let body: JSON = ["messages": [["role": "user", "content": "q", "reasoning_content": 1]]]
        let error = apiError { _ = try ChatRequest(parsing: body) }
        #expect(error?.parameter == "messages")
    }
}
