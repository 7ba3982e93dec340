import Basics

/// The prompts of DeepSeek V3.2 and V4, whose directories hold no chat template but a Python program that writes
/// prompts (`encoding/encoding_dsv32.py`, `encoding/encoding_dsv4.py`).
///
/// What those programs do is built in; what they say is not: the sentences by which a model is told of its tools are
/// read out of the model's own file, so that they are those that it was trained with. Without that file everything
/// works but tools and forms of answers.
struct DeepSeekEncoding: Sendable {
    /// Which of the two formats.
    enum Version: Sendable {
        case v32
        case v4
    }

    static let begin = "<｜begin▁of▁sentence｜>"
    static let end = "<｜end▁of▁sentence｜>"
    static let user = "<｜User｜>"
    static let assistant = "<｜Assistant｜>"
    static let reminder = "<｜latest_reminder｜>"
    static let thinkOpen = "<think>"
    static let thinkClose = "</think>"
    static let markup = "｜DSML｜"

    let version: Version
    /// The text about tools, with places for what it is about; nil if the model's file is missing.
    private let toolWording: String?
    /// The text about the form of an answer; nil if the model's file has no such text.
    private let formatWording: String?
    /// What asks for as much thought as possible; nil if the model's file has no such text.
    let effortWording: String?

    private static let toolWordings = ["TOOLS_TEMPLATE", "TOOLS_SYSTEM_TEMPLATE"]
    private static let formatWordingName = "response_format_template"
    private static let effortWordingName = "REASONING_EFFORT_MAX"

    /// The file that holds the wording.
    private static func file(_ version: Version) -> String {
        switch version {
        case .v32: "encoding_dsv32.py"
        case .v4: "encoding_dsv4.py"
        }
    }

    /// Nil if the model is of another family.
    init?(files: TokenizerFiles) throws(TokenizerError) {
        switch try files.document("config.json")?["model_type"]?.string {
        case "deepseek_v32": version = .v32
        case "deepseek_v4": version = .v4
        default: return nil
        }
        let file = Self.file(version)
        guard let bytes = files[file] else {
            toolWording = nil
            formatWording = nil
            effortWording = nil
            return
        }
        let names = Self.toolWordings + [Self.formatWordingName, Self.effortWordingName]
        let strings = try PythonStrings(bytes, file: file, names: names)
        toolWording = Self.toolWordings.lazy.compactMap { strings[$0] }.first
        formatWording = strings[Self.formatWordingName]
        effortWording = strings[Self.effortWordingName]
    }

    /// What a template is asked for too. The generation prompt is a part of the last user's message.
    func render(messages: JSON, tools: JSON?, variables: [String: JSON]) throws(TokenizerError) -> String {
        let options = try DeepSeekOptions(variables, version: version)
        var read: [DeepSeekMessage] = []
        for (index, message) in (messages.array ?? []).enumerated() {
            read.append(try DeepSeekMessage(message, index: index))
        }
        if let tools = tools?.array, !tools.isEmpty { Self.add(tools, to: &read) }
        switch version {
        case .v32: return try renderV32(read, options)
        case .v4: return try renderV4(read, options)
        }
    }

    /// Tools belong to the message that leads the conversation.
    private static func add(_ tools: [JSON], to messages: inout [DeepSeekMessage]) {
        if let first = messages.first, first.role == .system || first.role == .developer {
            messages[0].tools = tools
        } else {
            messages.insert(DeepSeekMessage(role: .system, tools: tools), at: 0)
        }
    }

    /// The place of the last message by a person; nil if there is none.
    static func lastQuestion(_ messages: [DeepSeekMessage]) -> Int? {
        messages.lastIndex { $0.role == .user || $0.role == .developer }
    }

    /// What follows the content of a message that brings tools, or wants an answer of some form.
    func supplements(of message: DeepSeekMessage) throws(TokenizerError) -> String {
        var text = ""
        if !message.tools.isEmpty { text += "\n\n" + (try toolText(message)) }
        if let format = message.responseFormat { text += "\n\n" + (try formatText(format, message)) }
        return text
    }

    /// A request wants a text that only the model's file has.
    func missingWording(_ what: String, _ message: DeepSeekMessage?) -> TokenizerError {
        .conversationRefused(
            message: message?.index, reason: "\(what) stands in encoding/\(Self.file(version)), which is missing")
    }

    private func formatText(_ format: JSON, _ message: DeepSeekMessage) throws(TokenizerError) -> String {
        guard let formatWording else { throw missingWording("how the model is told of a form", message) }
        return try PythonFormat.filled(
            formatWording, with: ["schema": Self.json(format)], file: Self.file(version))
    }

    private func toolText(_ message: DeepSeekMessage) throws(TokenizerError) -> String {
        guard let toolWording else { throw missingWording("how the model is told of its tools", message) }
        let schemas = message.tools.map { Self.json($0["function"] ?? $0) }.joined(separator: "\n")
        let values = [
            "dsml_token": Self.markup, "thinking_start_token": Self.thinkOpen, "thinking_end_token": Self.thinkClose,
            "tool_schemas": schemas,
        ]
        return try PythonFormat.filled(toolWording, with: values, file: Self.file(version))
    }

    /// Calls of tools, as the model writes them. `block` is the name of the element around them.
    func callText(_ message: DeepSeekMessage, block: String) throws(TokenizerError) -> String {
        guard !message.toolCalls.isEmpty else { return "" }
        var lines = ["<\(Self.markup)\(block)>"]
        for call in message.toolCalls {
            lines.append("<\(Self.markup)invoke name=\"\(call.name)\">")
            let parameters = try arguments(of: call, in: message).map { name, value in
                let text = value.string
                return "<\(Self.markup)parameter name=\"\(name)\" string=\"\(text != nil)\">"
                    + "\(text ?? Self.json(value))</\(Self.markup)parameter>"
            }
            // A call without arguments leaves its line empty.
            lines.append(parameters.joined(separator: "\n"))
            lines.append("</\(Self.markup)invoke>")
        }
        lines.append("</\(Self.markup)\(block)>")
        return "\n\n" + lines.joined(separator: "\n")
    }

    private func arguments(
        of call: DeepSeekMessage.ToolCall, in message: DeepSeekMessage
    ) throws(TokenizerError) -> [(String, JSON)] {
        if let members = call.arguments.object { return members.map { ($0.key, $0.value) } }
        guard let text = call.arguments.string else {
            throw .conversationRefused(
                message: message.index, reason: "the arguments of '\(call.name)' are \(call.arguments.kindName)")
        }
        if let members = (try? JSON(parsing: text))?.object { return members.map { ($0.key, $0.value) } }
        guard version == .v4 else {
            throw .conversationRefused(
                message: message.index, reason: "the arguments of '\(call.name)' are no JSON object")
        }
        return [("arguments", .string(text))]
    }

    /// As Python's `json.dumps` writes it, without escapes for what is not ASCII.
    private static func json(_ value: JSON) -> String {
        var writer = JinjaJSONWriter()
        writer.write(JinjaValue(value))
        return writer.text
    }
}

/// What the variables of a template say about an encoding.
struct DeepSeekOptions {
    /// Whether the model thinks before it answers.
    var thinks: Bool
    /// Whether reasoning before the last question is left out.
    var dropsReasoning: Bool
    /// Whether it is asked to think as much as it can.
    var wantsMostEffort: Bool

    init(_ variables: [String: JSON], version: DeepSeekEncoding.Version) throws(TokenizerError) {
        let effort = variables["reasoning_effort"]?.string
        var thinks: Bool?
        for name in ["thinking", "enable_thinking"] {
            if let value = try Self.flag(name, variables) { thinks = value || thinks == true }
        }
        self.thinks = effort == "none" ? false : thinks ?? (version == .v4)
        dropsReasoning = try Self.flag("drop_thinking", variables) ?? true
        wantsMostEffort = effort == "max" && version == .v4
    }

    private static func flag(_ name: String, _ variables: [String: JSON]) throws(TokenizerError) -> Bool? {
        guard let value = variables[name], !value.isNull else { return nil }
        guard let flag = value.bool else {
            throw .conversationRefused(
                message: nil, reason: "'\(name)' must be true or false, found \(value.kindName)")
        }
        return flag
    }
}

/// Python's `str.format` with names only.
package enum PythonFormat {
    package static func filled(
        _ text: String, with values: [String: String], file: String
    ) throws(TokenizerError) -> String {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "{" || scalar == "}" else {
                result.append(scalar)
                continue
            }
            if rest.first == scalar {
                rest.removeFirst()
                result.append(scalar)
                continue
            }
            guard scalar == "{", let end = rest.firstIndex(of: "}"), let value = values[String(rest[..<end])] else {
                throw .fileMalformed(file: file, reason: "a text has a place for something unknown")
            }
            result.append(contentsOf: value.unicodeScalars)
            rest = rest[rest.index(after: end)...]
        }
        return String(result)
    }
}
