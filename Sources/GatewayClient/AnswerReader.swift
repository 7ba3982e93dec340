import Basics
import HTTPServer

/// Reads the body of an answer, streamed or whole, piece by piece.
struct AnswerReader {
    /// What was found in it.
    enum Event: Equatable {
        case failed(GatewayFailure)
        case finished(reason: String)
        case reasoning(String)
        case text(String)
        case usage(TokenUsage)
    }

    private let status: Int
    private let isStream: Bool
    private var events = ServerSentEventReader()
    private var body: [UInt8] = []
    private var isComplete = false

    init(status: Int, contentType: String?) {
        self.status = status
        isStream = status == 200 && contentType?.hasPrefix("text/event-stream") == true
    }

    /// Takes the next piece.
    mutating func append(_ bytes: [UInt8]) -> [Event] {
        guard isStream else {
            body += bytes
            return []
        }
        return events.append(bytes).flatMap { data -> [Event] in
            if data == "[DONE]" {
                isComplete = true
                return []
            }
            guard let json = try? JSON(parsing: data) else {
                return [.failed(.malformedAnswer(reason: "an event is not JSON"))]
            }
            return Self.read(json, status: nil)
        }
    }

    /// The answer has ended: what is left, or what is missing.
    func end() -> [Event] {
        if isStream {
            return isComplete ? [] : [.failed(.brokenOff(reason: "it ended without its last event"))]
        }
        guard let json = try? JSON(parsing: body) else {
            return [.failed(.malformedAnswer(reason: "status \(status) and no JSON"))]
        }
        if status != 200, json["error"] == nil {
            return [.failed(.malformedAnswer(reason: "status \(status) without an error"))]
        }
        return Self.read(json, status: status)
    }

    private static func read(_ json: JSON, status: Int?) -> [Event] {
        if let error = json["error"] { return [.failed(GatewayFailure(error, status: status))] }
        var events: [Event] = []
        if let choice = json["choices"]?.array?.first {
            let reasoning = (choice["delta"] ?? choice["message"])?["reasoning_content"]?.string
            if let reasoning, !reasoning.isEmpty { events.append(.reasoning(reasoning)) }
            let text = choice["text"] ?? choice["delta"]?["content"] ?? choice["message"]?["content"]
            if let text = text?.string, !text.isEmpty { events.append(.text(text)) }
            if let reason = choice["finish_reason"]?.string { events.append(.finished(reason: reason)) }
        }
        if let usage = TokenUsage(json["usage"]) { events.append(.usage(usage)) }
        return events
    }
}

/// What an answer cost, in tokens.
public struct TokenUsage: Equatable, Sendable {
    /// Tokens that were given.
    public var promptTokens: Int
    /// Tokens that were generated.
    public var completionTokens: Int

    /// Counts them.
    public init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    /// All of them: what is in the model's context now.
    public var totalTokens: Int { promptTokens + completionTokens }

    init?(_ json: JSON?) {
        guard let prompt = json?["prompt_tokens"]?.integer, let completion = json?["completion_tokens"]?.integer
        else { return nil }
        self.init(promptTokens: prompt, completionTokens: completion)
    }
}
