public import Basics
import OrderedCollections

/// The body of `POST /v1/chat/completions`, checked as far as that is possible without knowing the model.
public struct ChatRequest: Equatable, Sendable {
    /// The messages as the template sees them: an array of objects; `content` is a string or `null`, the arguments of
    /// calls are objects.
    public var messages: JSON
    /// The same with the arguments of calls as the text that came; nil if there are none.
    public var messagesWithArgumentText: JSON?
    /// The tools as the client wrote them; nil if there are none.
    public var tools: JSON?
    /// Whether one answer may call several tools.
    public var allowsSeveralToolCalls: Bool
    /// Whether the template opens the assistant's turn.
    public var addsGenerationPrompt: Bool
    /// Whether the last message is continued instead of answered.
    public var continuesFinalMessage: Bool
    /// Further variables of the template.
    public var templateVariables: [String: JSON]
    /// Whether the tokenizer adds its special tokens; templates normally write them themselves.
    public var addsSpecialTokens: Bool
    /// Whether reasoning is told from the answer; else it is a part of its text.
    public var splitsReasoning: Bool
    /// Whether reasoning that was told from the answer is sent.
    public var reportsReasoning: Bool
    /// What both paths share.
    public var options: GenerationOptions

    /// Reads a request; throws an error that names the field.
    public init(parsing json: JSON) throws(APIError) {
        let fields = try RequestFields(json)
        try UnsupportedFields.refuse(UnsupportedFields.ofChat, in: fields)
        if let format = fields.value("response_format") { try ResponseFormat.check(format) }
        options = try GenerationOptions(fields)
        let counts = 0...Int(Int32.max)
        let tokensMax = try fields.integer("max_tokens", in: counts)
        options.tokensMax = try fields.integer("max_completion_tokens", in: counts) ?? tokensMax
        options.logprobCount = try ChatRequest.logprobCount(fields)
        tools = try ChatRequest.tools(fields)
        allowsSeveralToolCalls = try fields.bool("parallel_tool_calls") ?? true
        continuesFinalMessage = try fields.bool("continue_final_message") ?? false
        addsGenerationPrompt = try fields.bool("add_generation_prompt") ?? !continuesFinalMessage
        guard !(continuesFinalMessage && addsGenerationPrompt) else {
            throw .invalid(
                "continue_final_message",
                "'continue_final_message' and 'add_generation_prompt' exclude each other")
        }
        addsSpecialTokens = try fields.bool("add_special_tokens") ?? false
        splitsReasoning = try ChatRequest.splitsReasoning(fields)
        reportsReasoning = try fields.bool("include_reasoning") ?? true
        templateVariables = try ChatRequest.templateVariables(fields)
        let read = try ChatMessages.read(fields, parsesArguments: true)
        let unparsed = try ChatMessages.read(fields, parsesArguments: false)
        messages = .array(read)
        messagesWithArgumentText = read == unparsed ? nil : .array(unparsed)
    }

    private static func logprobCount(_ fields: RequestFields) throws(APIError) -> Int? {
        let wantsLogprobs = try fields.bool("logprobs") ?? false
        let count = try fields.integer("top_logprobs", in: 0...Limits.Gateway.logprobsMax)
        guard wantsLogprobs || (count ?? 0) == 0 else {
            throw .invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true")
        }
        return wantsLogprobs ? count ?? 0 : nil
    }

    private static func splitsReasoning(_ fields: RequestFields) throws(APIError) -> Bool {
        switch try fields.string("reasoning_format") {
        case nil, "auto", "deepseek": return true
        case "none": return false
        case let format?:
            throw .invalid(
                "reasoning_format",
                "'reasoning_format' is '\(format)'; it must be \"auto\", \"deepseek\" or \"none\"")
        }
    }

    /// The tools, unless `tool_choice` says that none may be used.
    private static func tools(_ fields: RequestFields) throws(APIError) -> JSON? {
        let tools = try fields.array("tools", countMax: Limits.Gateway.toolsMax) ?? []
        for (position, tool) in tools.enumerated() where tool["function"]?["name"]?.string == nil {
            throw .invalid("tools", "'tools[\(position)]' must be an object with 'function.name'")
        }
        switch fields.value("tool_choice") {
        case nil, .string("auto"): break
        case .string("none"): return nil
        case let choice?:
            let name = choice["function"]?["name"]?.string.map { "the function '\($0)'" } ?? choice.serialised()
            throw .unsupported(
                "tool_choice", "'tool_choice' may be \"auto\" or \"none\"; forcing \(name) is not supported")
        }
        return tools.isEmpty ? nil : .array(tools)
    }

    private static func templateVariables(_ fields: RequestFields) throws(APIError) -> [String: JSON] {
        var variables: [String: JSON] = [:]
        if let effort = try fields.string("reasoning_effort") { variables["reasoning_effort"] = .string(effort) }
        for (name, value) in try fields.object("chat_template_kwargs") ?? [:] {
            guard !["messages", "tools", "add_generation_prompt"].contains(name) else {
                throw .invalid(
                    "chat_template_kwargs", "'\(name)' is a field of the request, not of 'chat_template_kwargs'")
            }
            variables[name] = value
        }
        return variables
    }
}

/// The field `messages`, brought into the form that templates are written for.
enum ChatMessages {
    /// OpenAI sends a call's arguments as JSON text. Most templates print them from an object, so they are parsed;
    /// others put the text together with other text, and need it as it came.
    static func read(_ fields: RequestFields, parsesArguments: Bool) throws(APIError) -> [JSON] {
        guard let elements = try fields.array("messages", countMax: Limits.Gateway.messagesMax) else {
            throw .invalid("messages", "'messages' is missing")
        }
        guard !elements.isEmpty else { throw .invalid("messages", "'messages' is empty") }
        var messages: [JSON] = []
        for (position, element) in elements.enumerated() {
            messages.append(
                try message(element, name: "messages[\(position)]", parsesArguments: parsesArguments))
        }
        return messages
    }

    private static func message(_ json: JSON, name: String, parsesArguments: Bool) throws(APIError) -> JSON {
        guard var members = json.object else {
            throw .invalid("messages", "'\(name)' must be an object, found \(json.kindName)")
        }
        guard members["role"]?.string != nil else {
            throw .invalid("messages", "'\(name).role' must be a string, e.g. \"user\"")
        }
        members["content"] = try content(members["content"] ?? .null, name: name)
        if members["content"] == .null, members["tool_calls"] == nil {
            throw .invalid("messages", "'\(name).content' is missing")
        }
        try readReasoning(&members, name: name)
        if let calls = members["tool_calls"], !calls.isNull {
            members["tool_calls"] = .array(try toolCalls(calls, name: name, parsesArguments: parsesArguments))
        }
        return .object(members)
    }

    /// Reasoning goes by two names; templates know the longer one.
    private static func readReasoning(
        _ members: inout OrderedDictionary<String, JSON>, name: String
    ) throws(APIError) {
        for key in ["reasoning_content", "reasoning"] {
            guard let value = members[key] else { continue }
            guard !value.isNull else {
                members[key] = nil
                continue
            }
            guard value.string != nil else {
                throw .invalid("messages", "'\(name).\(key)' must be a string, found \(value.kindName)")
            }
            if members["reasoning_content"] == nil { members["reasoning_content"] = value }
        }
    }

    /// Text parts become one string, a line each: templates of text models know only strings.
    private static func content(_ json: JSON, name: String) throws(APIError) -> JSON {
        switch json {
        case .null, .string: return json
        case .array(let parts):
            var texts: [String] = []
            for (position, part) in parts.enumerated() {
                let place = "\(name).content[\(position)]"
                if let text = part.string {
                    texts.append(text)
                    continue
                }
                guard let type = part["type"]?.string else {
                    throw .invalid("messages", "'\(place)' must be an object with a 'type'")
                }
                guard type == "text" else {
                    throw .unsupported("messages", "'\(place)' is of type '\(type)'; the model reads only text")
                }
                guard let text = part["text"]?.string else {
                    throw .invalid("messages", "'\(place).text' must be a string")
                }
                texts.append(text)
            }
            return .string(texts.joined(separator: "\n"))
        case .bool, .double, .integer, .object:
            throw .invalid(
                "messages", "'\(name).content' must be a string or an array of text parts, found \(json.kindName)")
        }
    }

    private static func toolCalls(
        _ json: JSON, name: String, parsesArguments: Bool
    ) throws(APIError) -> [JSON] {
        guard let calls = json.array else {
            throw .invalid("messages", "'\(name).tool_calls' must be an array, found \(json.kindName)")
        }
        guard parsesArguments else { return calls }
        return calls.map { call in
            guard var members = call.object, var function = members["function"]?.object,
                let text = function["arguments"]?.string, let arguments = try? JSON(parsing: text),
                arguments.object != nil
            else { return call }
            function["arguments"] = arguments
            members["function"] = .object(function)
            return .object(members)
        }
    }
}
