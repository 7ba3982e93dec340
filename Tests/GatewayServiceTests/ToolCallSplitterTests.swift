import Basics
import GatewayService
import Testing

/// Calls of tools in the text of an answer, in the manner of every family.
@Suite("Calls of tools in text")
struct ToolCallSplitterTests {
    /// An answer, what is a call in it, and what is text.
    struct Case: Sendable, CustomTestStringConvertible {
        let format: ToolCallFormat
        let answer: String
        var text = ""
        var calls: [ToolCall] = []

        var testDescription: String { "\(format): \(answer.prefix(60))" }
    }

    static let tools: JSON = [
        [
            "type": "function",
            "function": [
                "name": "weather",
                "parameters": [
                    "type": "object",
                    "properties": [
                        "city": ["type": "string"], "days": ["type": "integer"], "exact": ["type": "boolean"],
                        "parts": ["type": "array", "items": ["type": "string"]],
                        "unit": ["anyOf": [["type": "string"], ["type": "null"]]],
                        "limit": ["type": ["number", "string"]],
                    ],
                ],
            ],
        ]
    ]

    private static let berlin = #"{"city":"Berlin","days":3}"#

    static let cases: [Case] = json + functions + argumentPairs + invocations + deepSeek + kimi + list

    private static let json = [
        Case(
            format: .json,
            answer:
                "Let me see.\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Berlin\", \"days\": 3}}\n"
                + "</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n",
            text: "Let me see.",
            calls: [ToolCall(name: "weather", arguments: berlin), ToolCall(name: "now", arguments: "{}")]),
        Case(
            format: .json, answer: "<tool_call>{\"name\":\"weather\",\"parameters\":{\"city\":\"Berlin\",\"days\":3}}",
            calls: [ToolCall(name: "weather", arguments: berlin)]),
        // What is no call is text, marks and all.
        Case(format: .json, answer: "a \n<tool_call>\nno\n</tool_call> b", text: "a \n<tool_call>\nno\n</tool_call> b"),
        Case(format: .json, answer: "a\n<tool_call>{\"name\": \"we", text: "a\n<tool_call>{\"name\": \"we"),
        Case(format: .json, answer: "1 < 2 <tool \n<tool_cal", text: "1 < 2 <tool \n<tool_cal"),
        Case(format: .json, answer: "<tool_call></tool_call>", text: "<tool_call></tool_call>"),
        Case(format: .json, answer: " \n", text: " \n"),
        Case(
            format: .json, answer: "<tool_call>{\"name\":\"now\"}</tool_call> Then é.\n", text: " Then é.",
            calls: [ToolCall(name: "now", arguments: "{}")]),
    ]

    private static let functions = [
        Case(
            format: .functions,
            answer: "Well.\n\n<tool_call>\n<function=weather>\n<parameter=city>\nBerlin\n</parameter>\n"
                + "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
            text: "Well.", calls: [ToolCall(name: "weather", arguments: berlin)]),
        Case(
            format: .functions,
            answer: "<tool_call>\n<function=weather>\n<parameter=city>\n\n12\n</parameter>\n<parameter=exact>\nTrue\n"
                + "</parameter>\n<parameter=parts>\n[\"a\", \"b\"]\n</parameter>\n<parameter=unit>\nnull\n</parameter>\n"
                + "<parameter=other>\n{\"x\": 1.5}\n</parameter>\n<parameter=word>\nfree text\n</parameter>\n"
                + "</function>\n</tool_call>\n",
            calls: [
                ToolCall(
                    name: "weather",
                    arguments:
                        #"{"city":"\n12","exact":true,"parts":["a","b"],"unit":null,"other":{"x":1.5},"word":"free text"}"#
                )
            ]),
        Case(
            format: .functions, answer: "<tool_call>\n<function=now>\n</function>\n</tool_call>",
            calls: [ToolCall(name: "now", arguments: "{}")]),
        Case(
            format: .functions, answer: "<tool_call>\n<function=now>\n<parameter=a>\n</function>\n</tool_call>",
            text: "<tool_call>\n<function=now>\n<parameter=a>\n</function>\n</tool_call>"),
    ]

    private static let argumentPairs = [
        Case(
            format: .argumentPairs,
            answer: "\n<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Berlin</arg_value>\n"
                + "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
            calls: [ToolCall(name: "weather", arguments: berlin)]),
        Case(
            format: .argumentPairs,
            answer: "<tool_call>weather<arg_key>limit</arg_key><arg_value>7</arg_value><arg_key>unit</arg_key>"
                + "<arg_value>7</arg_value></tool_call><tool_call>now</tool_call>",
            calls: [
                ToolCall(name: "weather", arguments: #"{"limit":7,"unit":"7"}"#),
                ToolCall(name: "now", arguments: "{}"),
            ]),
        Case(
            format: .argumentPairs, answer: "<tool_call>now<arg_key>a</arg_key></tool_call>",
            text: "<tool_call>now<arg_key>a</arg_key></tool_call>"),
    ]

    private static let invocations = [
        Case(
            format: .invocations(tag: ""),
            answer: "Hm.\n<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Berlin</parameter>\n"
                + "<parameter name=\"days\">3</parameter>\n</invoke>\n<invoke name=\"now\">\n</invoke>\n"
                + "</minimax:tool_call>",
            text: "Hm.",
            calls: [ToolCall(name: "weather", arguments: berlin), ToolCall(name: "now", arguments: "{}")]),
        Case(
            format: .invocations(tag: "｜DSML｜"),
            answer: "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n"
                + "<｜DSML｜parameter name=\"city\" string=\"true\">3</｜DSML｜parameter>\n"
                + "<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
                + "</｜DSML｜function_calls>",
            calls: [ToolCall(name: "weather", arguments: #"{"city":"3","days":3}"#)]),
        Case(
            format: .invocations(tag: "｜DSML｜"),
            answer: "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"now\">\n\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
            calls: [ToolCall(name: "now", arguments: "{}")]),
    ]

    private static let deepSeek = [
        Case(
            format: .deepSeek,
            answer: "So.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\": \"Berlin\"}"
                + "<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            text: "So.",
            calls: [
                ToolCall(name: "weather", arguments: #"{"city": "Berlin"}"#), ToolCall(name: "now", arguments: "{}"),
            ]),
        Case(
            format: .deepSeek,
            answer: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
                + "{\"city\": \"Berlin\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n"
                + "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            calls: [
                ToolCall(name: "weather", arguments: #"{"city": "Berlin"}"#), ToolCall(name: "now", arguments: "{}"),
            ]),
    ]

    private static let kimi = [
        Case(
            format: .kimi,
            answer: "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>"
                + "{\"city\":\"Berlin\"}<|tool_call_end|><|tool_call_begin|>functions.now:1"
                + "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            calls: [
                ToolCall(identifier: "functions.weather:0", name: "weather", arguments: #"{"city":"Berlin"}"#),
                ToolCall(identifier: "functions.now:1", name: "now", arguments: "{}"),
            ])
    ]

    private static let list = [
        Case(
            format: .list, answer: "[TOOL_CALLS] [{\"name\": \"now\", \"arguments\": {}, \"id\": \"a1b2c3d4e\"}]",
            calls: [ToolCall(identifier: "a1b2c3d4e", name: "now", arguments: "{}")]),
        Case(format: .list, answer: "none: [TOOL_CALLS] []", text: "none: [TOOL_CALLS] []"),
    ]

    private struct Found: Equatable {
        var text = ""
        var calls: [ToolCall] = []

        mutating func add(_ pieces: [ToolCallSplitter.Piece]) {
            for piece in pieces {
                switch piece {
                case .calls(let calls): self.calls += calls
                case .text(let text): self.text += text
                }
            }
        }
    }

    private static func find(_ parts: [Substring], _ format: ToolCallFormat) -> Found {
        var splitter = ToolCallSplitter(ToolCallParser(format: format, schemas: ToolSchemas(tools)))
        var found = Found()
        for part in parts { found.add(splitter.append(String(part))) }
        found.add(splitter.finish())
        return found
    }

    /// However it is cut: in one, in two anywhere, one by one.
    @Test("text and calls", arguments: cases) func textAndCalls(_ test: Case) {
        let expected = Found(text: test.text, calls: test.calls)
        #expect(Self.find([test.answer[...]], test.format) == expected)
        let scalars = test.answer.unicodeScalars
        for cut in scalars.indices {
            #expect(Self.find([test.answer[..<cut], test.answer[cut...]], test.format) == expected)
        }
        let single = scalars.indices.map { test.answer[$0..<scalars.index(after: $0)] }
        #expect(Self.find(single, test.format) == expected)
    }

    /// Text comes as soon as it is no beginning of a mark.
    @Test("what is held back") func heldBack() {
        var splitter = ToolCallSplitter(ToolCallParser(format: .json, schemas: ToolSchemas([])))
        #expect(splitter.append("a <") == [.text("a")])
        #expect(splitter.append("b") == [.text(" <b")])
        #expect(splitter.append(" <tool_call") == [])
        #expect(splitter.append("s") == [.text(" <tool_calls")])
        #expect(splitter.append("\n<tool_call>{\"name\":\"f\"") == [])
        #expect(splitter.append("}</tool_call> ") == [.calls([ToolCall(name: "f", arguments: "{}")])])
        #expect(splitter.finish() == [])
    }

    /// Answers that are cut, doubled and mixed up never lose a character of text that holds no call, and never trap.
    @Test("damaged answers", arguments: cases) func damaged(_ test: Case) {
        let scalars = Array(test.answer.unicodeScalars)
        for seed in 0..<60 {
            var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
            func number(below limit: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % max(1, limit)
            }
            var damaged = scalars
            for _ in 0..<(1 + number(below: 4)) {
                let start = number(below: damaged.count), end = start + number(below: damaged.count - start)
                let part = Array(damaged[start..<end])
                switch number(below: 3) {
                case 0: damaged.removeSubrange(start..<end)
                case 1: damaged.insert(contentsOf: part, at: number(below: damaged.count))
                default: damaged.replaceSubrange(start..<end, with: part.reversed())
                }
            }
            let answer = damaged.reduce(into: "") { $0.unicodeScalars.append($1) }
            let found = Self.find([answer[...]], test.format)
            if found.calls.isEmpty { #expect(found.text == answer) }
        }
    }
}
