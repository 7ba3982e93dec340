import Basics

/// The format of DeepSeek V3.2: a question ends with the token that opens the answer, results of tools follow the
/// calls.
extension DeepSeekEncoding {
    func renderV32(_ messages: [DeepSeekMessage], _ options: DeepSeekOptions) throws(TokenizerError) -> String {
        let messages = options.thinks && options.dropsReasoning ? Self.withoutOldDevelopers(messages) : messages
        let last = Self.lastQuestion(messages)
        var text = Self.begin
        for (index, message) in messages.enumerated() {
            // Whether the model thinks about what this message says.
            let isThought = options.thinks && index >= last ?? 0
            switch message.role {
            case .system: text += message.content + (try supplements(of: message))
            case .user: text += question(message.content, isThought: options.thinks && index == last)
            case .developer:
                guard !message.content.isEmpty else {
                    throw .conversationRefused(message: message.index, reason: "a developer's message needs content")
                }
                let content = try supplements(of: message) + "\n\n# The user's message is: " + message.content
                text += question(content, isThought: options.thinks && index == last)
            case .tool: text += try result(message, at: index, of: messages, isThought: isThought)
            case .assistant:
                text += try answer(message, isThought: options.thinks && index > last ?? -1)
            case .latestReminder:
                throw .conversationRefused(
                    message: message.index, reason: "DeepSeek V3.2 has no role 'latest_reminder'")
            }
        }
        return text
    }

    /// Developers' messages before the last question are left out.
    private static func withoutOldDevelopers(_ messages: [DeepSeekMessage]) -> [DeepSeekMessage] {
        guard let last = lastQuestion(messages) else { return messages }
        return messages.enumerated().filter { $0.offset >= last || $0.element.role != .developer }.map(\.element)
    }

    private func question(_ content: String, isThought: Bool) -> String {
        Self.user + content + Self.assistant + (isThought ? Self.thinkOpen : Self.thinkClose)
    }

    private func answer(_ message: DeepSeekMessage, isThought: Bool) throws(TokenizerError) -> String {
        guard !isThought || !message.reasoning.isEmpty || !message.toolCalls.isEmpty else {
            throw .conversationRefused(
                message: message.index,
                reason: "while the model thinks, an answer after the last question needs 'reasoning_content'")
        }
        let thought = isThought ? message.reasoning + Self.thinkClose : ""
        return thought + message.content + (try callText(message, block: "function_calls")) + Self.end
    }

    /// The result of a tool: the first of an answer's calls begins the list of them, the last ends it.
    private func result(
        _ message: DeepSeekMessage, at index: Int, of messages: [DeepSeekMessage], isThought: Bool
    ) throws(TokenizerError) -> String {
        let caller = messages[..<index].lastIndex { $0.role != .tool }
        guard let caller, messages[caller].role == .assistant, index - caller <= messages[caller].toolCalls.count else {
            throw .conversationRefused(message: message.index, reason: "it is the result of no call")
        }
        var text = index - caller == 1 ? "\n\n<function_results>" : ""
        text += "\n<result>\(message.content)</result>"
        guard index - caller == messages[caller].toolCalls.count else { return text }
        return text + "\n</function_results>\n\n" + (isThought ? Self.thinkOpen : Self.thinkClose)
    }
}
