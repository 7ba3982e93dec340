import Basics

/// A message as the encodings of DeepSeek see it.
struct DeepSeekMessage {
    enum Role: String {
        case assistant, developer, system, tool, user
        case latestReminder = "latest_reminder"
    }

    /// The call of a tool.
    struct ToolCall {
        let name: String
        let identifier: String?
        let arguments: JSON
    }

    /// A part of a user's message in V4: what they say, or what a tool gave.
    struct Block {
        let text: String
        /// The call whose result this is; nil for what is said. An empty name is a result of an unknown call.
        let call: String?
    }

    /// What a user's message of V4 is for, other than an answer: a task that one token names.
    enum Task: String, CaseIterable {
        case action, authority, domain, query, title
        case readURL = "read_url"

        var token: String { "<｜\(rawValue)｜>" }
    }

    /// Its place in the request; nil if it is not from there.
    var index: Int?
    var role: Role
    var content = ""
    var blocks: [Block] = []
    var reasoning = ""
    var tools: [JSON] = []
    var toolCalls: [ToolCall] = []
    var toolCallIdentifier = ""
    var responseFormat: JSON?
    var task: Task?
    /// Whether the end of the turn is left out, so that it can go on.
    var omitsEnd = false

    init(role: Role, tools: [JSON] = []) {
        self.role = role
        self.tools = tools
    }

    /// Reads a message of a request.
    init(_ json: JSON, index: Int) throws(TokenizerError) {
        self.index = index
        guard let role = json["role"]?.string.flatMap(Role.init(rawValue:)) else {
            let found = json["role"]?.string ?? "nothing"
            throw .conversationRefused(
                message: index,
                reason: "the role '\(found)' is unknown "
                    + "(known: assistant, developer, latest_reminder, system, tool, user)")
        }
        self.role = role
        content = try Self.text(json["content"] ?? .null, index: index)
        reasoning = json["reasoning_content"]?.string ?? json["reasoning"]?.string ?? ""
        tools = json["tools"]?.array ?? []
        toolCallIdentifier = json["tool_call_id"]?.string ?? ""
        if let format = json["response_format"], !format.isNull { responseFormat = format }
        omitsEnd = json["wo_eos"]?.bool ?? false
        for call in json["tool_calls"]?.array ?? [] { toolCalls.append(try Self.toolCall(call, index: index)) }
        guard let name = json["task"]?.string else { return }
        guard let task = Task(rawValue: name) else {
            let known = Task.allCases.map(\.rawValue).joined(separator: ", ")
            throw .conversationRefused(message: index, reason: "the task '\(name)' is unknown (known: \(known))")
        }
        self.task = task
    }

    private static func text(_ content: JSON, index: Int) throws(TokenizerError) -> String {
        switch content {
        case .null: return ""
        case .string(let text): return text
        case .array(let parts):
            var texts: [String] = []
            for part in parts {
                guard let text = part.string ?? part["text"]?.string else {
                    throw .conversationRefused(message: index, reason: "a part of its content is no text")
                }
                texts.append(text)
            }
            return texts.joined(separator: "\n\n")
        case .bool, .double, .integer, .object:
            throw .conversationRefused(message: index, reason: "its content is \(content.kindName), not text")
        }
    }

    private static func toolCall(_ json: JSON, index: Int) throws(TokenizerError) -> ToolCall {
        guard let function = json["function"], let name = function["name"]?.string else {
            throw .conversationRefused(message: index, reason: "a call of a tool has no 'function.name'")
        }
        return ToolCall(
            name: name, identifier: json["id"]?.string ?? function["id"]?.string,
            arguments: function["arguments"] ?? [:])
    }
}
