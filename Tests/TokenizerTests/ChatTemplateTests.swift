import Basics
import Foundation
import Testing
import Tokenizer

struct ChatTemplateTests {
    private func render(_ source: String, _ variables: [String: JSON] = [:]) throws -> String {
        try ChatTemplate(source: source).render(
            messages: [["role": "user", "content": "hi"]], tools: nil, addGenerationPrompt: true, variables: variables)
    }

    private func error(_ source: String) -> TokenizerError? {
        do {
            _ = try render(source)
            return nil
        } catch {
            return error as? TokenizerError
        }
    }

    // MARK: Files

    private func template(_ configuration: JSON, jinja: String? = nil) throws -> ChatTemplate {
        var files = TokenizerFiles()
        files["tokenizer_config.json"] = Array(configuration.serialised().utf8)
        files["chat_template.jinja"] = jinja.map { Array($0.utf8) }
        return try ChatTemplate(files: files)
    }

    @Test func readsSpecialTokens() throws {
        let configuration: JSON = [
            "bos_token": "<b>", "eos_token": ["content": "<e>"], "pad_token": nil,
            "chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ tools is none }}{{ documents is none }}",
        ]
        let template = try template(configuration)
        #expect(try template.render(messages: [], tools: nil, addGenerationPrompt: false) == "<b><e>TrueTrue")
        let overridden = try template.render(
            messages: [], tools: nil, addGenerationPrompt: false, variables: ["eos_token": "!"])
        #expect(overridden == "<b>!TrueTrue")
    }

    @Test func choosesAmongNamedTemplates() throws {
        let configuration: JSON = [
            "chat_template": [
                ["name": "default", "template": "plain"], ["name": "tool_use", "template": "tools"],
            ]
        ]
        let template = try template(configuration)
        #expect(try template.render(messages: [], tools: nil, addGenerationPrompt: false) == "plain")
        #expect(try template.render(messages: [], tools: [["x": 1]], addGenerationPrompt: false) == "tools")
        let file = try self.template(configuration, jinja: "file")
        #expect(try file.render(messages: [], tools: nil, addGenerationPrompt: false) == "file")
        #expect(throws: TokenizerError.chatTemplateMissing) { try self.template(["bos_token": "x"]) }
    }

    // MARK: Errors

    @Test(arguments: [
        ("a\n{{ 1 + }}", 2), ("a\n\n{% if x %}", 3), ("{#\n\n#}{{ 'x }}", 3), ("\n{% endfor %}", 2),
        ("{% for a in b %}\n{% nope %}{% endfor %}", 2), ("x\r\ny\r\n{{ ) }}", 3), ("{{ 99999999999999999999 }}", 1),
        ("\n{% raw %}\n", 2), ("{{ 'a\nb'\n( }}", 3),
    ])
    func syntaxErrorsNameTheirLine(_ source: String, _ line: Int) {
        guard case .templateSyntax(line, _) = error(source) else {
            Issue.record("\(source): \(String(describing: error(source)))")
            return
        }
    }

    @Test(arguments: [
        ("a\n{{ missing.x }}", 2), ("{% if true %}\n\n{{ 1 / 0 }}{% endif %}", 3),
        ("{% macro m() %}\n{{ [] + 1 }}\n{% endmacro %}\n\n{{ m() }}", 2), ("{{ 1 |\nnope }}", 1),
        ("\n\n{% for a, b in [1] %}{% endfor %}", 3), ("{{ 9223372036854775807 + 1 }}", 1),
        ("{{ -9223372036854775807 - 2 }}", 1), ("{{ 10 ** 30 }}", 1), ("{{ range(9) | batch(0) }}", 1),
        ("{{ 'a'.split('') }}", 1), ("{{ namespace(_x=1) }}", 1), ("{{ [1][::0] }}", 1), ("{{ 1e400 }}", 0),
    ])
    func failuresNameTheirLine(_ source: String, _ line: Int) {
        switch error(source) {
        case .templateFailed(line, _): break
        case .templateSyntax where line == 0: break
        case let other: Issue.record("\(source): \(String(describing: other))")
        }
    }

    @Test func refusesByItself() {
        #expect(error("\n{{ raise_exception('not today') }}") == .templateRaised(line: 2, message: "not today"))
    }

    // MARK: Limits

    @Test(arguments: [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ range(99999999999) }}", "{{ range(-9223372036854775807, 9223372036854775807) }}", "{{ 'x' * 9999999999 }}",
        "{{ [1] * 9999999999 }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x|replace('a', 'aaaa') %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace(x={}) %}{% for i in range(1000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x.index] %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] | batch(1) %}{% endfor %}",
        "{{ 'x'.rjust(99999999999) }}", "{{ '%9999d' % 1 }}",
        "{{ ('x' * 1000000).join(range(1000) | list | map('string')) }}",
    ])
    func costIsLimited(_ source: String) {
        switch error(source) {
        case .templateLimitExceeded, .templateFailed: break
        case let other: Issue.record("\(source): \(String(describing: other))")
        }
    }

    @Test(arguments: [
        String(repeating: "(", count: 5_000), String(repeating: "[", count: 5_000),
        String(repeating: "{", count: 5_000),
        String(repeating: "not ", count: 5_000), String(repeating: "-", count: 5_000),
        String(repeating: "1 if 1 else ", count: 5_000), "1" + String(repeating: " + 1", count: 5_000),
        "x" + String(repeating: ".x", count: 5_000), "x" + String(repeating: "|e", count: 5_000),
        "x" + String(repeating: "()", count: 5_000), "x" + String(repeating: " is defined", count: 5_000),
        "1" + String(repeating: " if 1", count: 5_000), String(repeating: "x[", count: 5_000),
        "x is " + String(repeating: "eq [", count: 5_000),
    ])
    func nestingIsLimited(_ expression: String) {
        #expect(error("{{ \(expression) }}") != nil)
    }

    @Test func statementsNestingIsLimited() {
        let deep = String(repeating: "{% if 1 %}", count: 5_000) + String(repeating: "{% endif %}", count: 5_000)
        guard case .templateLimitExceeded = error(deep) else {
            Issue.record("5000 nested statements were accepted")
            return
        }
        #expect(error(String(repeating: "x", count: 2 << 20)) != nil)
    }

    /// The deepest template that is allowed must not need the caller's stack: servers have threads of 512 KiB.
    @Test func deepestFitsASmallStack() throws {
        let sources = [
            "{{ " + String(repeating: "(", count: 50) + "1" + String(repeating: ")", count: 50) + " }}",
            "{{ " + String(repeating: "[", count: 50) + "1" + String(repeating: "]", count: 50) + " }}",
            String(repeating: "{% if 1 %}", count: 55) + "{{ 1 }}" + String(repeating: "{% endif %}", count: 55),
            "{% macro m(n) %}{% for i in [1] %}{% if n > 0 %}{{ ((((m(n - 1)))))|trim|upper }}{% endif %}{% endfor %}"
                + "{% endmacro %}{{ m(20) }}",
            "{{ " + String(repeating: "not ", count: 50) + "1 }}",
            "{% macro m(n) %}" + String(repeating: "{% for i in [1] %}", count: 55) + "{{ m(n - 1) if n }}"
                + String(repeating: "{% endfor %}", count: 55) + "{% endmacro %}{{ m(22) }}",
            "{{ 1" + String(repeating: " + 1", count: 60) + " }}",
        ]
        let failures = Failures()
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            for source in sources {
                do {
                    _ = try ChatTemplate(source: source).render(messages: [], tools: nil, addGenerationPrompt: false)
                } catch {
                    failures.append("\(source.prefix(30)): \(error)")
                }
            }
            done.signal()
        }
        thread.stackSize = 512 << 10
        thread.start()
        done.wait()
        #expect(failures.all == [])
    }

    // MARK: Things that golden renderings cannot hold

    @Test func tellsTheTime() throws {
        #expect(try render("{{ strftime_now('%Y') | int > 2024 }}{{ strftime_now('%d %b %Y') | length }}") == "True11")
    }

    /// Values that hold each other must not outlive the rendering, or be walked for ever.
    @Test func survivesCycles() throws {
        let source = """
            {% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}{{ ns.me.me == ns }}\
            {% macro m() %}x{% endmacro %}{% set ns.m = m %}{{ ns.m() }}{% set ns.l = [ns] %}{{ ns.l }}
            """
        #expect(try render(source) == "<Namespace>Truex[<Namespace>]")
    }

    // MARK: Fuzz

    private static let parts = [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "if ", "for ", "in ", "x", " = ", "set ", "endif", "endfor", "'",
        "\"",
        "\n", " ", "(", ")", "[", "]", "{", "}", "|", "tojson", "messages", ".", ",", ":", "1", "2.5", "e9", "is ",
        "not ",
        "else", "macro m(a)", "endmacro", "raw", "endraw", "\\", "\\x", "é", "🐦", "~", "**", "*", "/", "//", "%", "==",
        "<", "namespace()", "range(3)", "loop.index", "call m()", "endcall", "split", "join", "content", "\0", "_",
        "0x",
        "{{ x }}", "{% if 1 %}", "{% endif %}", "{% for i in messages %}", "{% endfor %}", "break", "filter upper",
    ]

    /// Whatever the bytes are: a result or a typed error, soon.
    @Test func anyTemplateEnds() throws {
        var generator = SeededGenerator(seed: 99)
        for _ in 0..<4_000 {
            let count = Int.random(in: 0..<40, using: &generator)
            let source = (0..<count).map { _ in Self.parts.randomElement(using: &generator) ?? "" }.joined()
            _ = error(source)
        }
        for _ in 0..<1_000 {
            let count = Int.random(in: 0..<80, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = error("{{" + String(decoding: bytes, as: UTF8.self) + "}}")
        }
    }

    /// Published-like templates with a byte changed here and there.
    @Test(arguments: ["qwen", "glm", "typescript"])
    func mutatedTemplatesEnd(_ name: String) throws {
        let original = try Fixtures.bytes("templates/\(name).jinja")
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = UInt8.random(in: 0x20...0x7E, using: &generator)
                default: bytes.insert(contentsOf: bytes[index..<min(index + 5, bytes.count)], at: index)
                }
            }
            _ = error(String(decoding: bytes, as: UTF8.self))
        }
    }
}

/// Collects messages from another thread.
private final class Failures: @unchecked Sendable {
    private let lock = NSLock()
    private var messages: [String] = []

    var all: [String] { lock.withLock { messages } }

    func append(_ message: String) { lock.withLock { messages.append(message) } }
}
