import Basics
import GatewayService
import HTTPServer
import Testing
import Tokenizer
import Wire

@Suite("Plans")
struct GenerationPlanTests {
    private func chat(_ body: String, contextTokensMax: Int = 64, withTemplate: Bool = true) throws -> GenerationPlan {
        let model = try TestModel.context(contextTokensMax: contextTokensMax, withTemplate: withTemplate)
        return try GenerationPlan(ChatRequest(parsing: JSON(parsing: body)), model: model, randomSeed: 5)
    }

    private func completion(_ body: JSON) throws -> GenerationPlan {
        try GenerationPlan(CompletionRequest(parsing: body), model: TestModel.context(), randomSeed: 5)
    }

    @Test("the final message is continued where it ends, without the end of its turn")
    func continues() throws {
        let plan = try chat(
            #"""
            {"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"It is "}],
             "continue_final_message":true}
            """#)
        let expected =
            [TestModel.user] + TestModel.tokens("q") + [TestModel.end, TestModel.assistant] + TestModel.tokens("It is")
        #expect(plan.prompts[0].tokens == expected)
    }

    /// With a vocabulary in SentencePiece's manner, where a word's token begins with its space.
    private func firstText(_ plan: GenerationPlan) throws -> String {
        let document: JSON = [
            "model": ["type": "BPE", "vocab": ["\u{2581}word": 0], "merges": []],
            "decoder": [
                "type": "Sequence",
                "decoders": [
                    ["type": "Replace", "pattern": ["String": "\u{2581}"], "content": " "],
                    ["type": "Strip", "content": " ", "start": 1, "stop": 0],
                ],
            ],
        ]
        var files = TokenizerFiles()
        files["tokenizer.json"] = document.serialisedBytes()
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: try BPETokenizer(files: files))
        return assembler.append(Generated(tokens: [ScoredToken(token: TokenID(0))])).text
    }

    @Test("a space at the beginning belongs to a text that is continued, not to an answer")
    func firstSpace() throws {
        let question = #"{"messages":[{"role":"user","content":"q"}]}"#
        #expect(try firstText(try chat(question)) == "word")
        let begun = #"{"messages":[{"role":"assistant","content":"a"}],"continue_final_message":true}"#
        #expect(try firstText(try chat(begun)) == " word")
        #expect(try firstText(try completion(["prompt": "a"])) == " word")
        #expect(try firstText(try completion(["prompt": [.integer(Int64(TestModel.user.value))]])) == "word")
    }

    @Test("templates get the arguments of calls as objects, or as the text that came if they need that")
    func argumentsOfCalls() throws {
        let body = #"""
            {"messages":[{"role":"assistant","content":null,
              "tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"a\" :1}"}}]}]}
            """#
        for (part, expected) in [
            ("arguments.a", "1"), ("arguments | tojson", #"{"a": 1}"#),
            ("name + c.function.arguments", #"f{"a" :1}"#),
        ] {
            let template = "{% for c in messages[0].tool_calls %}{{ c.function.\(part) }}{% endfor %}"
            let model = try ModelContext(files: TestModel.files(template: template), createdSeconds: 0)
            let plan = try GenerationPlan(ChatRequest(parsing: JSON(parsing: body)), model: model, randomSeed: 5)
            #expect(plan.prompts[0].tokens == TestModel.tokens(expected), "\(part)")
        }
    }

    @Test("tools and further variables reach the template")
    func templateVariables() throws {
        let plan = try chat(
            #"""
            {"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}],
             "chat_template_kwargs":{"hint":"!"}}
            """#)
        let expected =
            [TestModel.user] + TestModel.tokens("q") + [TestModel.end] + TestModel.tokens("tools:1")
            + [TestModel.assistant] + TestModel.tokens("!")
        #expect(plan.prompts[0].tokens == expected)
    }

    @Test("a model without a template says so")
    func noTemplate() {
        let error = apiError {
            _ = try chat(#"{"messages":[{"role":"user","content":"q"}]}"#, withTemplate: false)
        }
        #expect(error?.status == 400)
        #expect(error?.code == "no_chat_template")
    }

    @Test("an answer may fill the context and no more")
    func contextEnd() throws {
        let plan = try completion(["prompt": .string(String(repeating: "x", count: 60)), "max_tokens": 100])
        #expect(plan.generate(choice: 0).tokensMax == 4)
        let full = String(repeating: "x", count: 64)
        #expect(apiError { _ = try completion(["prompt": .string(full)]) }?.code == "context_length_exceeded")
        let scoring = try completion(["prompt": .string(full), "max_tokens": 0, "echo": true, "logprobs": 1])
        #expect(scoring.generate(choice: 0).tokensMax == 0)
    }

    @Test("the request's own values go before the model's, those before OpenAI's")
    func defaults() throws {
        let own = try completion(["prompt": "x", "temperature": 0, "top_p": 0.5, "top_k": -1, "seed": 3])
        #expect(own.sampling.temperature == 0)
        #expect(own.sampling.topP == 0.5)
        #expect(own.sampling.topK == 0)
        #expect(own.seed == 3)
        let model = try completion(["prompt": "x"])
        #expect(model.sampling.temperature == 0.5)
        #expect(model.sampling.topK == 7)
        #expect(model.sampling.minP == 0)
        #expect(model.sampling.repetitionPenalty == 1)
        #expect(model.seed == 5)
    }

    @Test("stop tokens are the model's and the client's; ignoring the end keeps the client's")
    func stopTokens() throws {
        #expect(try completion(["prompt": "x", "stop_token_ids": [7]]).stopTokens == [TokenID(7), TestModel.end])
        let ignoring = try completion(["prompt": "x", "stop_token_ids": [7], "ignore_eos": true])
        #expect(ignoring.stopTokens == [TokenID(7)])
    }
}

@Suite("Assembling answers")
struct ChoiceAssemblerTests {
    private func texts(_ body: JSON, _ progress: [Generated]) throws -> [ChoicePiece] {
        let model = try TestModel.context()
        let plan = try GenerationPlan(CompletionRequest(parsing: body), model: model, randomSeed: 5)
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: model.tokenizer)
        return progress.map { assembler.append($0) }
    }

    private func tokens(_ text: String, finish: FinishReason? = nil) -> Generated {
        Generated(tokens: TestModel.tokens(text).map { ScoredToken(token: $0) }, finish: finish)
    }

    @Test("the token that ends an answer is reported but is no text")
    func endToken() throws {
        let pieces = try texts(["prompt": "x", "stop_token_ids": [33]], [tokens("a!", finish: .stop)])
        #expect(pieces.map(\.text) == ["a"])
        #expect(pieces[0].tokens.count == 2)
        #expect(pieces[0].finish == .stop)
        let atLength = try texts(["prompt": "x"], [tokens("a!", finish: .length)])
        #expect(atLength.map(\.text) == ["a!"])
    }

    @Test("stop strings count only after min_tokens")
    func minimum() throws {
        let pieces = try texts(["prompt": "x", "stop": "b", "min_tokens": 3], [tokens("abcdbe")])
        #expect(pieces.map(\.text) == ["abcd"])
        #expect(pieces[0].finish == .stop)
    }

    @Test("what was held back is released when the answer ends")
    func released() throws {
        let pieces = try texts(["prompt": "x", "stop": "END"], [tokens("aE"), tokens("N", finish: .length)])
        #expect(pieces.map(\.text) == ["a", "EN"])
        #expect(pieces.last?.finish == .length)
    }

    @Test("half a character at the end of an answer is replaced, not lost")
    func halfCharacter() throws {
        let half = Generated(tokens: [ScoredToken(token: TokenID(0xE2))], finish: .length)
        #expect(try texts(["prompt": "x"], [half]).map(\.text) == ["\u{FFFD}"])
    }

    @Test("special tokens are text only if asked for")
    func specialTokens() throws {
        let special = Generated(tokens: [ScoredToken(token: TestModel.user)], finish: .length)
        #expect(try texts(["prompt": "x"], [special]).map(\.text) == [""])
        #expect(try texts(["prompt": "x", "skip_special_tokens": false], [special]).map(\.text) == ["<|user|>"])
    }
}

@Suite("Server-sent events")
struct ServerSentEventReaderTests {
    @Test("events are found whatever the pieces, comments are skipped")
    func pieces() {
        let bytes = Array(": hello\n\ndata: {\"a\":1}\n\ndata:x\r\ndata: y\r\n\r\nevent: z\n\ndata: [DONE]\n\n".utf8)
        for size in [1, 3, bytes.count] {
            var reader = ServerSentEventReader()
            var events: [String] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                events += reader.append(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(events == ["{\"a\":1}", "x\ny", "[DONE]"])
        }
    }
}
