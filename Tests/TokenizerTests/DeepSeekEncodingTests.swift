import Basics
import Testing
import Tokenizer

/// Holds the built-in encodings against what the programs that DeepSeek V3.2 and V4 publish make of the same messages.
struct DeepSeekEncodingTests {
    private func template(_ version: String, words: String?) throws -> ChatTemplate {
        var files = TokenizerFiles()
        let type = version == "dsv4" ? "deepseek_v4" : "deepseek_v32"
        files["config.json"] = Array(#"{"model_type": "\#(type)"}"#.utf8)
        files["encoding_\(version).py"] = words.map { Array($0.utf8) }
        return try ChatTemplate(files: files)
    }

    private func variables(_ json: JSON?) -> [String: JSON] {
        var variables: [String: JSON] = [:]
        for name in ["thinking", "drop_thinking", "reasoning_effort"] { variables[name] = json?[name] }
        return variables
    }

    @Test func writesWhatThePublishedProgramsWrite() throws {
        let golden = try Fixtures.json("golden-deepseek.json")
        for item in try #require(golden["cases"]?.array) {
            let version = try #require(item["version"]?.string)
            let template = try template(version, words: golden["words"]?[version]?.string)
            let found = Result { () throws(TokenizerError) in
                try template.render(
                    messages: item["messages"] ?? [], tools: item["tools"], addGenerationPrompt: true,
                    variables: variables(item["variables"]))
            }
            let label = "\(version), \(item["name"]?.string ?? ""), \(item["variables"]?.serialised() ?? "")"
            if let text = item["text"]?.string {
                #expect(try found.get() == text, "\(label)")
            } else {
                #expect(throws: TokenizerError.self, "\(label)") { try found.get() }
            }
        }
    }

    private func render(_ version: String, _ messages: JSON, _ variables: [String: JSON] = [:]) throws -> String {
        try template(version, words: nil).render(
            messages: messages, tools: nil, addGenerationPrompt: true, variables: variables)
    }

    /// The examples of the models' own pages.
    @Test func writesThePublishedExamples() throws {
        let sum: JSON = [
            ["role": "system", "content": "You are a helpful assistant."], ["role": "user", "content": "What is 2+2?"],
        ]
        let expected = "<｜begin▁of▁sentence｜>You are a helpful assistant.<｜User｜>What is 2+2?<｜Assistant｜><think>"
        #expect(try render("dsv4", sum) == expected)
        let turns: JSON = [
            ["role": "user", "content": "hello"],
            ["role": "assistant", "content": "Hello! I am DeepSeek.", "reasoning_content": "thinking..."],
            ["role": "user", "content": "1+1=?"],
        ]
        #expect(
            try render("dsv32", turns, ["thinking": true])
                == "<｜begin▁of▁sentence｜><｜User｜>hello<｜Assistant｜></think>Hello! I am DeepSeek."
                + "<｜end▁of▁sentence｜><｜User｜>1+1=?<｜Assistant｜><think>")
    }

    @Test func thinkingIsSwitchedByAnyOfItsNames() throws {
        let question: JSON = [["role": "user", "content": "q"]]
        for (version, variables, ending) in [
            ("dsv32", [:], "</think>"), ("dsv4", [:], "<think>"),
            ("dsv32", ["enable_thinking": true], "<think>"), ("dsv4", ["enable_thinking": false], "</think>"),
            ("dsv4", ["reasoning_effort": "none"], "</think>"), ("dsv4", ["reasoning_effort": "high"], "<think>"),
            ("dsv32", ["thinking": false, "enable_thinking": true], "<think>"),
        ] as [(String, [String: JSON], String)] {
            #expect(try render(version, question, variables).hasSuffix("<｜Assistant｜>" + ending))
        }
        #expect(throws: TokenizerError.self) { try render("dsv4", question, ["thinking": "yes"]) }
    }

    @Test func tellsWhatItCannotWrite() throws {
        let question: JSON = [["role": "user", "content": "q"]]
        func problem(
            _ version: String, _ messages: JSON, tools: JSON? = nil, _ variables: [String: JSON] = [:]
        ) -> String {
            do {
                _ = try template(version, words: nil).render(
                    messages: messages, tools: tools, addGenerationPrompt: true, variables: variables)
                return ""
            } catch {
                return "\(error)"
            }
        }
        let tools: JSON = [["type": "function", "function": ["name": "f"]]]
        #expect(problem("dsv4", question, tools: tools).contains("encoding/encoding_dsv4.py, which is missing"))
        #expect(problem("dsv4", question, ["reasoning_effort": "max"]).contains("which is missing"))
        let bard: JSON = [["role": "bard", "content": ""]]
        #expect(problem("dsv4", bard).hasPrefix("messages[0]: the role 'bard' is unknown"))
        #expect(problem("dsv4", [["role": "user", "content": "q", "task": "sing"]]).contains("the task 'sing'"))
        let reminder: JSON = [["role": "latest_reminder", "content": "q"]]
        #expect(problem("dsv32", reminder).contains("latest_reminder"))
        #expect(problem("dsv32", [["role": "tool", "content": "q"]]).contains("the result of no call"))
        #expect(problem("dsv4", [["role": "user", "content": [["type": "image"]]]]).contains("no text"))
        let calls: JSON = [["function": ["name": "f", "arguments": "not JSON"]]]
        let call: JSON = [
            ["role": "user", "content": "q"], ["role": "assistant", "content": "", "tool_calls": calls],
        ]
        #expect(problem("dsv32", call).contains("arguments of 'f'"))
        #expect(problem("dsv4", call).isEmpty)
    }

    @Test func aPublishedTemplateComesFirst() throws {
        var files = TokenizerFiles()
        files["config.json"] = Array(#"{"model_type": "deepseek_v4"}"#.utf8)
        files["chat_template.jinja"] = Array("mine".utf8)
        let template = try ChatTemplate(files: files)
        #expect(try template.render(messages: [], tools: nil, addGenerationPrompt: true) == "mine")
        files["chat_template.jinja"] = nil
        files["config.json"] = Array(#"{"model_type": "deepseek_v3"}"#.utf8)
        #expect(throws: TokenizerError.chatTemplateMissing) { try ChatTemplate(files: files) }
    }

    @Test(arguments: [
        (#"X = "a" 'b'"#, "ab"), ("X: str = '''a\n'b\\\n'''", "a\n'b"), ("X = (\n  # no\n  \"a\"\n  'b')", "ab"),
        (#"X = "\x41\u00e9\U0001F41D\q\\\"""#, "Aé🐝\\q\\\""), ("XY = 'no'\nX = 'yes'", "yes"), ("X = r'\\n'", "\\n"),
        (" X = 'no'", nil), ("X == 'no'", nil), ("Y = 1", nil), ("X = ''", ""),
    ])
    func readsStrings(_ source: String, _ expected: String?) throws {
        let strings = try? PythonStrings(Array(source.utf8), file: "x.py", names: ["X"])
        #expect(strings?["X"] == expected)
    }

    @Test(arguments: ["X = 1", "X = 'a", "X = f'a'", "X = 'a\nb'", "X = '\\u12'", "X ="])
    func refusesWhatIsNoString(_ source: String) {
        #expect(throws: TokenizerError.self) { try PythonStrings(Array(source.utf8), file: "x.py", names: ["X"]) }
    }

    @Test func placesAreFilledOnce() throws {
        let values = ["a": "{b}", "b": "x"]
        #expect(try PythonFormat.filled("{a}{{a}}{b}", with: values, file: "f") == "{b}{a}x")
        for text in ["{c}", "{", "}", "{a"] {
            #expect(throws: TokenizerError.self) { try PythonFormat.filled(text, with: values, file: "f") }
        }
    }
}
