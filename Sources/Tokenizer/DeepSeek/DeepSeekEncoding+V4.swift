import Basics

/// The format of DeepSeek V4: results of tools are parts of the user's next message, and some questions are tasks that
/// a token names.
extension DeepSeekEncoding {
    func renderV4(_ messages: [DeepSeekMessage], _ options: DeepSeekOptions) throws(TokenizerError) -> String {
        var messages = Self.inOrderOfCalls(Self.withResultsInQuestions(messages))
        // Who works with tools needs to know why it called them.
        let drops = options.dropsReasoning && messages.allSatisfy(\.tools.isEmpty)
        if options.thinks, drops, let last = Self.lastQuestion(messages) {
            messages = messages.enumerated().filter { $0.offset >= last || $0.element.role != .developer }.map(
                \.element)
        }
        let last = Self.lastQuestion(messages) ?? -1
        var text = Self.begin
        if options.thinks, options.wantsMostEffort, !messages.isEmpty { text += try effortText() }
        for (index, message) in messages.enumerated() {
            let isAfterTask = index > 0 && messages[index - 1].task != nil
            let showsThought = options.thinks && !isAfterTask && (!drops || index > last)
            text += try body(message, showsThought: showsThought)
            let next = index + 1 < messages.count ? messages[index + 1].role : nil
            guard next == nil || next == .assistant || next == .latestReminder else { continue }
            text += opening(after: message, thinks: options.thinks, isThought: !drops || index >= last)
        }
        return text
    }

    private func effortText() throws(TokenizerError) -> String {
        guard let effortWording else { throw missingWording("how the model is asked for the most effort", nil) }
        return effortWording
    }

    private func body(_ message: DeepSeekMessage, showsThought: Bool) throws(TokenizerError) -> String {
        switch message.role {
        case .system: return message.content + (try supplements(of: message))
        case .developer:
            guard !message.content.isEmpty else {
                throw .conversationRefused(message: message.index, reason: "a developer's message needs content")
            }
            return Self.user + message.content + (try supplements(of: message))
        case .user, .tool:
            let parts = message.blocks.map { $0.call == nil ? $0.text : "<tool_result>\($0.text)</tool_result>" }
            return Self.user + parts.joined(separator: "\n\n")
        case .latestReminder: return Self.reminder + message.content
        case .assistant:
            let thought = showsThought ? message.reasoning + Self.thinkClose : ""
            let calls = try callText(message, block: "tool_calls")
            return thought + message.content + calls + (message.omitsEnd ? "" : Self.end)
        }
    }

    /// What opens the answer to a message that is the last, or that is answered by the next.
    private func opening(after message: DeepSeekMessage, thinks: Bool, isThought: Bool) -> String {
        if let task = message.task {
            guard task == .action else { return task.token }
            return Self.assistant + (thinks ? Self.thinkOpen : Self.thinkClose) + task.token
        }
        guard message.role == .user || message.role == .developer else { return "" }
        return Self.assistant + (thinks && isThought ? Self.thinkOpen : Self.thinkClose)
    }

    /// Neighbouring messages of users and tools as one message of several parts.
    private static func withResultsInQuestions(_ messages: [DeepSeekMessage]) -> [DeepSeekMessage] {
        var merged: [DeepSeekMessage] = []
        for message in messages {
            switch message.role {
            case .tool:
                let block = DeepSeekMessage.Block(text: message.content, call: message.toolCallIdentifier)
                if merged.last?.role == .user {
                    merged[merged.count - 1].blocks.append(block)
                } else {
                    var question = DeepSeekMessage(role: .user)
                    question.index = message.index
                    question.blocks = [block]
                    merged.append(question)
                }
            case .user:
                let block = DeepSeekMessage.Block(text: message.content, call: nil)
                if let last = merged.last, last.role == .user, last.task == nil {
                    merged[merged.count - 1].blocks.append(block)
                } else {
                    var question = message
                    question.blocks = [block]
                    merged.append(question)
                }
            case .assistant, .developer, .latestReminder, .system: merged.append(message)
            }
        }
        return merged
    }

    /// Results in the order of the calls, whichever came first.
    private static func inOrderOfCalls(_ messages: [DeepSeekMessage]) -> [DeepSeekMessage] {
        var messages = messages
        var order: [String: Int] = [:]
        for index in messages.indices {
            let message = messages[index]
            if message.role == .assistant, !message.toolCalls.isEmpty {
                order = [:]
                for (place, call) in message.toolCalls.enumerated() {
                    if let identifier = call.identifier, !identifier.isEmpty { order[identifier] = place }
                }
            }
            let places = message.blocks.indices.filter { message.blocks[$0].call != nil }
            guard message.role == .user, places.count > 1, !order.isEmpty else { continue }
            let sorted = places.map { message.blocks[$0] }.enumerated().sorted { left, right in
                let leftOrder = order[left.element.call ?? ""] ?? 0
                let rightOrder = order[right.element.call ?? ""] ?? 0
                return (leftOrder, left.offset) < (rightOrder, right.offset)
            }
            for (place, block) in zip(places, sorted) { messages[index].blocks[place] = block.element }
        }
        return messages
    }
}
