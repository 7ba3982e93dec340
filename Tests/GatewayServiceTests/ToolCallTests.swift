import Basics
import GatewayService
import Testing
import Tokenizer
import Wire

/// Models that call tools, each in the manner of a family; small as `TestModel`.
private enum CallingModel: String, CaseIterable {
    case argumentPairs, channels, deepSeek, dsml, functions, json, kimi, minimax

    /// What the template tells the model, so that its format is known.
    private var sign: String {
        switch self {
        case .argumentPairs: "<arg_key>"
        case .channels: "<|channel|>"
        case .deepSeek: "<｜tool▁call▁begin｜>"
        case .dsml: "｜DSML｜"
        case .functions: "<function="
        case .json: "<tool_call>"
        case .kimi: "<|tool_call_argument_begin|>"
        case .minimax: "<minimax:tool_call>"
        }
    }

    private var marks: [String] {
        switch self {
        case .argumentPairs, .functions, .json: ["<tool_call>", "</tool_call>"]
        case .channels: ["<|start|>", "<|channel|>", "<|message|>", "<|return|>", "<|call|>", "<|constrain|>"]
        case .deepSeek:
            [
                "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>",
                "<｜tool▁calls▁end｜>",
            ]
        case .dsml: ["｜DSML｜"]
        case .kimi:
            [
                "<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
                "<|tool_call_end|>", "<|tool_calls_section_end|>",
            ]
        case .minimax: ["<minimax:tool_call>", "</minimax:tool_call>"]
        }
    }

    /// The marks are special tokens, which leave no text otherwise.
    func context() throws -> ModelContext {
        let template =
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            + "{% if tools %}{{ '\(sign)' }}{{ tools | length }}{% endif %}{% if add_generation_prompt %}<|assistant|>"
            + "{% endif %}"
        let tokens = marks.enumerated().map { (name: $1, id: 259 + $0, isSpecial: true) }
        return try ModelContext(
            files: TestModel.files(contextTokensMax: 1000, template: template, moreTokens: tokens),
            createdSeconds: 1_700_000_000)
    }

    /// A sentence and two calls, as the model writes them.
    var answer: String {
        switch self {
        case .argumentPairs:
            "I look.\n<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n</tool_call>"
                + "\n<tool_call>now</tool_call>"
        case .channels:
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
                + "<|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
                + "{\"city\":\"Köln\"}<|call|><|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}"
        case .deepSeek:
            "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\":\"Köln\"}<｜tool▁call▁end｜>"
                + "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        case .dsml:
            "I look.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n"
                + "<｜DSML｜parameter name=\"city\" string=\"true\">Köln</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
                + "<｜DSML｜invoke name=\"now\">\n\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"
        case .functions:
            "I look.\n\n<tool_call>\n<function=weather>\n<parameter=city>\nKöln\n</parameter>\n</function>\n</tool_call>"
                + "\n<tool_call>\n<function=now>\n</function>\n</tool_call>"
        case .json:
            "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>\n"
                + "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"
        case .kimi:
            "I look.<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>"
                + "{\"city\":\"Köln\"}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>"
                + "{}<|tool_call_end|><|tool_calls_section_end|>"
        case .minimax:
            "I look.\n<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Köln</parameter>\n"
                + "</invoke>\n<invoke name=\"now\">\n</invoke>\n</minimax:tool_call>"
        }
    }
}

@Suite("Calls of tools over HTTP", .serialized)
struct ToolCallTests {
    private static let tools: JSON = [
        [
            "type": "function",
            "function": ["name": "weather", "parameters": ["properties": ["city": ["type": "string"]]]],
        ],
        ["type": "function", "function": ["name": "now"]],
    ]

    private func service(
        _ model: CallingModel, _ text: String, finish: FinishReason = .stop
    ) throws -> TestService {
        try TestService.answering(text, by: model.context(), finish: finish)
    }

    private func ask(_ service: TestService, _ more: [String: JSON] = [:]) throws -> TestClient.Answer {
        var body: JSON = ["messages": [["role": "user", "content": "q"]], "tools": Self.tools]
        for (key, value) in more { body = body.setting(key, to: value) }
        return try TestClient.post(service.port, "/v1/chat/completions", body)
    }

    private func functions(_ calls: JSON?) -> [JSON] { (calls?.array ?? []).compactMap { $0["function"] } }

    private static let wanted: [JSON] = [
        ["name": "weather", "arguments": "{\"city\":\"Köln\"}"], ["name": "now", "arguments": "{}"],
    ]

    @Test("an answer has its calls", arguments: CallingModel.allCases) private func whole(_ model: CallingModel) throws
    {
        let service = try service(model, model.answer)
        defer { service.gateway.stop() }
        let answer = try ask(service, ["n": 2]).json
        for index in 0..<2 {
            let choice = answer["choices"]?.array?[index]
            #expect(choice?["finish_reason"] == "tool_calls")
            #expect(choice?["message"]?["content"] == "I look.")
            #expect(choice?["message"]?["reasoning_content"] == (model == .channels ? "Hm." : nil))
            let calls = choice?["message"]?["tool_calls"]
            #expect(functions(calls) == Self.wanted)
            let identifiers = (calls?.array ?? []).compactMap { $0["id"]?.string }
            #expect(Set(identifiers).count == 2 && calls?.array?.allSatisfy { $0["type"] == "function" } == true)
            if model == .kimi { #expect(identifiers == ["functions.weather:0", "functions.now:1"]) }
        }
    }

    @Test("a stream brings each call whole", arguments: CallingModel.allCases)
    private func stream(_ model: CallingModel) throws {
        let service = try service(model, model.answer)
        defer { service.gateway.stop() }
        let events = try ask(service, ["stream": true]).events
        #expect(events.last == "[DONE]")
        let choices = try events.dropLast().compactMap { try JSON(parsing: $0)["choices"]?.array?.first }
        #expect(choices.compactMap { $0["delta"]?["content"]?.string }.joined() == "I look.")
        let calls = choices.flatMap { $0["delta"]?["tool_calls"]?.array ?? [] }
        #expect(functions(.array(calls)) == Self.wanted)
        #expect(calls.map { $0["index"] } == [0, 1])
        #expect(Set(calls.compactMap { $0["id"]?.string }).count == 2)
        #expect(choices.last?["finish_reason"] == "tool_calls")
    }

    @Test("an answer that only calls has no content")
    func onlyCalls() throws {
        let service = try service(.json, "<tool_call>{\"name\":\"now\"}</tool_call>")
        defer { service.gateway.stop() }
        let choice = try ask(service).json["choices"]?.array?.first
        #expect(choice?["message"]?["content"] == .null)
        #expect(functions(choice?["message"]?["tool_calls"]).count == 1)
    }

    @Test("without tools, calls are text", arguments: [CallingModel.json, .minimax])
    private func withoutTools(_ model: CallingModel) throws {
        let service = try service(model, model.answer)
        defer { service.gateway.stop() }
        for more: [String: JSON] in [["tools": .null], ["tool_choice": "none"]] {
            let choice = try ask(service, more).json["choices"]?.array?.first
            #expect(choice?["finish_reason"] == "stop")
            #expect(choice?["message"]?["tool_calls"] == nil)
            let plain = model.answer.replacing("<tool_call>", with: "").replacing("</tool_call>", with: "")
                .replacing("<minimax:tool_call>", with: "").replacing("</minimax:tool_call>", with: "")
            #expect(choice?["message"]?["content"]?.string == plain)
        }
    }

    @Test("one call is all that a client may want", arguments: CallingModel.allCases)
    private func oneCall(_ model: CallingModel) throws {
        let service = try service(model, model.answer)
        defer { service.gateway.stop() }
        let choice = try ask(service, ["parallel_tool_calls": false]).json["choices"]?.array?.first
        #expect(choice?["finish_reason"] == "tool_calls")
        #expect(functions(choice?["message"]?["tool_calls"]) == [Self.wanted[0]])
    }

    @Test("a call that breaks off is text", arguments: [CallingModel.json, .channels])
    private func breaksOff(_ model: CallingModel) throws {
        let text =
            model == .json
            ? "<tool_call>{\"name\": \"we"
            : "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"c"
        let service = try service(model, text, finish: .length)
        defer { service.gateway.stop() }
        let choice = try ask(service).json["choices"]?.array?.first
        #expect(choice?["finish_reason"] == "length")
        #expect(choice?["message"]?["tool_calls"] == nil)
        #expect(choice?["message"]?["content"]?.string == (model == .json ? text : "{\"c"))
    }
}
