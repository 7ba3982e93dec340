import Basics
import OrderedCollections

/// Reads the calls in a block that a model wrote. Models make mistakes: what cannot be read is no call, and stays text.
package struct ToolCallParser: Sendable {
    let format: ToolCallFormat
    let schemas: ToolSchemas

    /// Reads calls of the tools that `schemas` describes.
    package init(format: ToolCallFormat, schemas: ToolSchemas) {
        self.format = format
        self.schemas = schemas
    }

    /// The calls of a block, without the marks around it; nil if it holds anything else.
    func calls(in block: String) -> [ToolCall]? {
        var rest = block[...].trimmed
        var calls: [ToolCall] = []
        repeat {
            guard let call = call(takenFrom: &rest) else { return nil }
            calls += call
            rest = rest.trimmed
        } while !rest.isEmpty
        // A list may be empty, and a name.
        return calls.isEmpty || calls.contains { $0.name.isEmpty } ? nil : calls
    }

    /// Takes a call, or all that are left; nil if there is something else.
    private func call(takenFrom rest: inout Substring) -> [ToolCall]? {
        switch format {
        case .argumentPairs: argumentPairs(&rest).map { [$0] }
        case .channels: nil
        case .deepSeek: deepSeek(&rest).map { [$0] }
        case .functions:
            element(
                &rest, open: "<function=", close: "</function>", argumentOpen: "<parameter=",
                argumentClose: "</parameter>", nameEnd: ">"
            ).map { [$0] }
        case .invocations(let tag):
            element(
                &rest, open: "<\(tag)invoke name=\"", close: "</\(tag)invoke>",
                argumentOpen: "<\(tag)parameter name=\"", argumentClose: "</\(tag)parameter>", nameEnd: "\""
            ).map { [$0] }
        case .json, .list: objects(&rest)
        case .kimi: kimi(&rest).map { [$0] }
        }
    }

    // MARK: - Arguments as JSON

    /// An object, or a list of them.
    private func objects(_ rest: inout Substring) -> [ToolCall]? {
        defer { rest = "" }
        guard let value = try? JSON(parsing: String(rest)) else { return nil }
        var calls: [ToolCall] = []
        for object in value.array ?? [value] {
            guard let name = object["name"]?.string else { return nil }
            let arguments = object["arguments"] ?? object["parameters"] ?? .object([:])
            calls.append(
                ToolCall(
                    identifier: object["id"]?.string, name: name,
                    arguments: arguments.string ?? arguments.serialised()))
        }
        return calls
    }

    /// `<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{…}<|tool_call_end|>`
    private func kimi(_ rest: inout Substring) -> ToolCall? {
        guard rest.take("<|tool_call_begin|>"), let name = rest.take(until: "<|tool_call_argument_begin|>"),
            let arguments = rest.take(until: "<|tool_call_end|>")
        else { return nil }
        let identifier = name.trimmed
        var function = identifier
        _ = function.take("functions.")
        if let colon = function.lastIndex(of: ":"), function[colon...].dropFirst().allSatisfy(\.isNumber) {
            function = function[..<colon]
        }
        return ToolCall(
            identifier: String(identifier), name: String(function), arguments: String(arguments.trimmed))
    }

    /// V3.1: `<｜tool▁call▁begin｜>f<｜tool▁sep｜>{…}<｜tool▁call▁end｜>`; before, the first is the kind of tool, and name
    /// and a block of code follow.
    private func deepSeek(_ rest: inout Substring) -> ToolCall? {
        guard rest.take("<｜tool▁call▁begin｜>"), let first = rest.take(until: "<｜tool▁sep｜>"),
            var second = rest.take(until: "<｜tool▁call▁end｜>")
        else { return nil }
        guard let name = second.take(until: "\n```json") else {
            return ToolCall(name: String(first.trimmed), arguments: String(second.trimmed))
        }
        guard let arguments = second.take(until: "```") else { return nil }
        return ToolCall(name: String(name.trimmed), arguments: String(arguments.trimmed))
    }

    // MARK: - Arguments as bare text

    /// `f<arg_key>a</arg_key><arg_value>1</arg_value>`, the whole block.
    private func argumentPairs(_ rest: inout Substring) -> ToolCall? {
        let name = (rest.take(before: "<arg_key>") ?? rest.takeAll()).trimmed
        guard !name.contains("<") else { return nil }
        var arguments: OrderedDictionary<String, JSON> = [:]
        while rest.take("<arg_key>") {
            guard let key = rest.take(until: "</arg_key>") else { return nil }
            rest = rest.trimmed
            guard rest.take("<arg_value>"), let value = rest.take(until: "</arg_value>") else { return nil }
            let parameter = String(key.trimmed)
            arguments[parameter] = schemas.value(of: String(value), function: String(name), parameter: parameter)
            rest = rest.trimmed
        }
        return ToolCall(name: String(name), arguments: JSON.object(arguments).serialised())
    }

    /// An element with an element for each argument; the names stand in the tags, up to `nameEnd`.
    private func element(
        _ rest: inout Substring, open: String, close: String, argumentOpen: String, argumentClose: String,
        nameEnd: String
    ) -> ToolCall? {
        /// A name, and what else stands in its tag.
        func tag(_ rest: inout Substring) -> (name: Substring, more: Substring)? {
            guard let name = rest.take(until: nameEnd) else { return nil }
            if nameEnd == ">" { return (name, "") }
            return rest.take(until: ">").map { (name, $0) }
        }
        guard rest.take(open), let name = tag(&rest)?.name else { return nil }
        var arguments: OrderedDictionary<String, JSON> = [:]
        rest = rest.trimmed
        while rest.take(argumentOpen) {
            guard let (key, more) = tag(&rest), let text = rest.take(until: argumentClose) else { return nil }
            arguments[String(key)] = value(
                of: text, isText: more.contains("string=\"true\""), isValue: more.contains("string=\"false\""),
                function: String(name), parameter: String(key))
            rest = rest.trimmed
        }
        guard rest.take(close) else { return nil }
        return ToolCall(name: String(name), arguments: JSON.object(arguments).serialised())
    }

    /// The model may say what a value is. Where it does not, one line end on either side belongs to the tags.
    private func value(
        of text: Substring, isText: Bool, isValue: Bool, function: String, parameter: String
    ) -> JSON {
        if isText { return .string(String(text)) }
        if isValue { return (try? JSON(parsing: String(text))) ?? .string(String(text)) }
        var bare = text
        _ = bare.take("\n")
        if bare.utf8.last == UInt8(ascii: "\n") { bare = Substring(bare.unicodeScalars.dropLast()) }
        return schemas.value(of: String(bare), function: function, parameter: parameter)
    }
}

/// Taking text from the beginning. Compared byte by byte: an accent that follows a mark does not hide it.
extension Substring {
    /// Takes `mark` if it comes next.
    fileprivate mutating func take(_ mark: String) -> Bool {
        guard utf8.starts(with: mark.utf8) else { return false }
        self = self[utf8.index(startIndex, offsetBy: mark.utf8.count)...]
        return true
    }

    /// Takes all up to `mark`, which is dropped; nil if it does not come.
    fileprivate mutating func take(until mark: String) -> Substring? {
        guard let text = take(before: mark) else { return nil }
        _ = take(mark)
        return text
    }

    /// Takes all up to `mark`, which is left; nil if it does not come.
    fileprivate mutating func take(before mark: String) -> Substring? {
        guard let range = utf8.firstRange(of: mark.utf8) else { return nil }
        defer { self = self[range.lowerBound...] }
        return self[..<range.lowerBound]
    }

    fileprivate mutating func takeAll() -> Substring {
        defer { self = "" }
        return self
    }
}
