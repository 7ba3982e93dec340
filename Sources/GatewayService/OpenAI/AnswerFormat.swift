public import Basics
import OrderedCollections
import Wire

/// What an answer cost, in tokens.
public struct Usage: Hashable, Sendable {
    /// Tokens of all prompts.
    public var promptTokens: Int
    /// Tokens of all choices.
    public var completionTokens: Int
    /// Those of them that were spent on reasoning; nil if the model does not set its reasoning apart.
    public var reasoningTokens: Int?

    /// Counts tokens.
    public init(promptTokens: Int, completionTokens: Int, reasoningTokens: Int? = nil) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.reasoningTokens = reasoningTokens
    }

    /// OpenAI's `usage` object.
    public var json: JSON {
        var members: OrderedDictionary<String, JSON> = [
            "prompt_tokens": .integer(Int64(promptTokens)),
            "completion_tokens": .integer(Int64(completionTokens)),
            "total_tokens": .integer(Int64(promptTokens + completionTokens)),
        ]
        if let reasoningTokens {
            members["completion_tokens_details"] = ["reasoning_tokens": .integer(Int64(reasoningTokens))]
        }
        return .object(members)
    }
}

/// What the pieces of an answer look like: the members that all objects of one answer have in common.
public struct AnswerHead: Sendable {
    /// The answer's id, e.g. `cmpl-1f3a…`; the request's id in the log.
    public var identifier: String
    /// When the request came, in seconds since 1970.
    public var createdSeconds: Int
    /// The model's name.
    public var model: String
    /// Changes when the weights change: the model's digest.
    public var fingerprint: String?

    /// Describes an answer.
    public init(identifier: String, createdSeconds: Int, model: String, fingerprint: String?) {
        self.identifier = identifier
        self.createdSeconds = createdSeconds
        self.model = model
        self.fingerprint = fingerprint
    }

    func members(object: String) -> OrderedDictionary<String, JSON> {
        [
            "id": .string(identifier),
            "object": .string(object),
            "created": .integer(Int64(createdSeconds)),
            "model": .string(model),
            "system_fingerprint": fingerprint.map(JSON.string) ?? .null,
        ]
    }
}

/// How one of the two paths writes its answers.
package protocol AnswerFormat: Sendable {
    /// The whole answer; one piece per choice, in order.
    func whole(_ pieces: [ChoicePiece], usage: Usage) -> JSON
    /// The event that opens a choice before its first piece; nil if there is none.
    func opening(choice index: Int) -> JSON?
    /// An event with the next piece of a choice; `isFirst` for the first of that choice.
    func event(_ piece: ChoicePiece, choice index: Int, isFirst: Bool) -> JSON
    /// The event that carries the usage.
    func usageEvent(_ usage: Usage) -> JSON
}

/// Server-sent events.
enum ServerSentEvents {
    static let headers: [(String, String)] = [
        ("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"),
    ]
    static let done = Array("data: [DONE]\n\n".utf8)
    /// Ignored by clients; keeps proxies from giving up a silent connection.
    static let keepAlive = Array(": keep-alive\n\n".utf8)

    static func event(_ json: JSON) -> [UInt8] {
        Array("data: \(json.serialised())\n\n".utf8)
    }
}
