import Basics

/// Splits messages with headers, as gpt-oss writes them:
///
/// ```
/// <|channel|>analysis<|message|>They greet.<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|return|>
/// ```
///
/// The channel `analysis` is reasoning, every other one the answer. A header that names a recipient (the call of a
/// tool) is left in the answer's text, since without it nobody could tell what the message is.
struct ChannelSplitter: MarkedTextSplitter {
    private enum Phase {
        /// In the text of a message.
        case body(AnswerChannel)
        /// In the name of the channel and what follows it.
        case channel
        /// Between two messages, or in the name of who speaks.
        case role
    }

    private var phase: Phase
    private var header = ""
    private var hasMarks = false

    init(start: ReasoningStart) {
        switch start {
        case .outside: phase = .role
        case .answer: phase = .body(.answer)
        case .reasoning: phase = .body(.reasoning)
        }
    }

    var isReasoning: Bool {
        if case .body(.reasoning) = phase { true } else { false }
    }

    var heldScalarCount: Int { header.unicodeScalars.count }

    mutating func append(_ text: String) -> [AnswerSegment] {
        if case .body(let channel) = phase { return [AnswerSegment(channel, text)] }
        header += text
        return header.utf8.count > Limits.Gateway.channelHeaderBytesMax ? giveUp() : []
    }

    mutating func append(_ mark: ReasoningMark, text: String) -> [AnswerSegment] {
        hasMarks = true
        switch mark {
        case .channel:
            header = ""
            phase = .channel
        case .message:
            defer { header = "" }
            guard case .channel = phase else {
                phase = .body(.answer)
                return []
            }
            phase = .body(header.hasPrefix("analysis") ? .reasoning : .answer)
            return header.contains(" to=") ? [AnswerSegment(.answer, header)] : []
        case .start, .end:
            header = ""
            phase = .role
        case .constrain, .open, .close: return append(text)
        }
        return []
    }

    mutating func finish() -> [AnswerSegment] {
        // What is left of a header says nothing to anybody.
        hasMarks ? [] : giveUp()
    }

    /// This is no header: the model does not write messages.
    private mutating func giveUp() -> [AnswerSegment] {
        defer { header = "" }
        phase = .body(.answer)
        return [AnswerSegment(.answer, header)]
    }
}
