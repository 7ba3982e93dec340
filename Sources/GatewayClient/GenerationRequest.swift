import Basics
import OrderedCollections

/// Something that somebody said.
public struct ChatMessage: Equatable, Sendable {
    /// Who speaks.
    public enum Role: String, Sendable {
        case assistant, system, user
    }

    /// Who said it.
    public var role: Role
    /// What was said.
    public var content: String
    /// What the model thought before it said that; empty if it did not tell.
    public var reasoning: String

    /// Puts it down.
    public init(_ role: Role, _ content: String, reasoning: String = "") {
        self.role = role
        self.content = content
        self.reasoning = reasoning
    }

    var json: JSON {
        var members: OrderedDictionary<String, JSON> = [
            "role": .string(role.rawValue), "content": .string(content),
        ]
        if !reasoning.isEmpty { members["reasoning_content"] = .string(reasoning) }
        return .object(members)
    }
}

/// What the gateway is asked for: an answer to a conversation, or the continuation of a text.
public struct GenerationRequest: Equatable, Sendable {
    /// What is given.
    public enum Prompt: Equatable, Sendable {
        /// A conversation, rendered with the model's chat template.
        case conversation([ChatMessage])
        /// The beginning of a text, given to the model as it is.
        case text(String)
    }

    /// What is given.
    public var prompt: Prompt
    /// How the answer is generated.
    public var settings: GenerationSettings
    /// Whether the answer comes piece by piece.
    public var streams: Bool

    /// Puts it together.
    public init(prompt: Prompt, settings: GenerationSettings, streams: Bool = true) {
        self.prompt = prompt
        self.settings = settings
        self.streams = streams
    }

    /// The path of the gateway that it is posted to.
    var path: String {
        switch prompt {
        case .conversation: "/v1/chat/completions"
        case .text: "/v1/completions"
        }
    }

    /// The body.
    var json: JSON {
        var members: OrderedDictionary<String, JSON> = ["model": .string(settings.model)]
        switch prompt {
        case .conversation(let messages):
            members["messages"] = .array(messages.map(\.json))
            if !settings.templateArguments.isEmpty {
                members["chat_template_kwargs"] = .object(settings.templateArguments)
            }
        case .text(let text): members["prompt"] = .string(text)
        }
        if let maxTokens = settings.maxTokens { members["max_tokens"] = .integer(Int64(maxTokens)) }
        if let temperature = settings.temperature { members["temperature"] = .double(temperature) }
        if let topP = settings.topP { members["top_p"] = .double(topP) }
        if let seed = settings.seed { members["seed"] = .integer(Int64(seed)) }
        members["stream"] = .bool(streams)
        if streams { members["stream_options"] = ["include_usage": true] }
        return .object(members)
    }
}
