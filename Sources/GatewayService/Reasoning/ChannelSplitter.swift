import Basics

/// Splits messages with headers, as gpt-oss writes them:
///
/// ```
/// <|channel|>analysis<|message|>They greet.<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|return|>
/// <|channel|>commentary to=functions.clock <|constrain|>json<|message|>{"zone":"UTC"}<|call|>
/// ```
///
/// The channel `analysis` is reasoning, every other one the answer. A header that names a recipient makes a call of a
/// tool; the recipient may stand before the channel too. Where calls are not looked for, that header is left in the
/// answer's text, since without it nobody could tell what the message is.
struct ChannelSplitter: MarkedTextSplitter {
    private enum Phase {
        /// In the text of a message.
        case body(AnswerChannel)
        /// In the arguments of a call.
        case call(function: String)
        /// In the name of the channel and what follows it.
        case channel
        /// Between two messages, or in the name of who speaks.
        case role
    }

    private let findsCalls: Bool
    private var phase: Phase
    /// What came since the last mark.
    private var header = ""
    /// Whom the message is for, if that stands before its channel.
    private var recipient: String?
    /// Of the call that the text is in; it goes out whole.
    private var arguments = ""
    /// Unicode scalars of the header or the arguments.
    private(set) var heldScalarCount = 0
    private var hasMarks = false

    init(start: ReasoningStart, findsCalls: Bool) {
        self.findsCalls = findsCalls
        switch start {
        case .outside: phase = .role
        case .answer: phase = .body(.answer)
        case .reasoning: phase = .body(.reasoning)
        }
    }

    var isReasoning: Bool {
        if case .body(.reasoning) = phase { true } else { false }
    }

    mutating func append(_ text: String) -> [AnswerSegment] {
        switch phase {
        case .body(let channel): return [AnswerSegment(channel, text)]
        case .call:
            arguments += text
            heldScalarCount += text.unicodeScalars.count
            return []
        case .channel, .role:
            header += text
            heldScalarCount += text.unicodeScalars.count
            return header.utf8.count > Limits.Gateway.channelHeaderBytesMax ? giveUp() : []
        }
    }

    mutating func append(_ mark: ReasoningMark, text: String) -> [AnswerSegment] {
        hasMarks = true
        switch mark {
        case .channel:
            defer { phase = .channel }
            if case .role = phase { recipient = Self.recipient(in: header) } else { recipient = nil }
            dropHeader()
            return call(isWhole: true)
        case .message: return call(isWhole: true) + beginBody()
        case .start, .end:
            defer { phase = .role }
            dropHeader()
            recipient = nil
            return call(isWhole: true)
        case .constrain, .open, .close: return append(text)
        }
    }

    mutating func finish(breaksOff: Bool) -> [AnswerSegment] {
        let call = call(isWhole: !breaksOff)
        // What is left of a header says nothing to anybody.
        return call + (hasMarks ? [] : giveUp())
    }

    private mutating func dropHeader() {
        guard !header.isEmpty else { return }
        header = ""
        heldScalarCount = 0
    }

    private mutating func beginBody() -> [AnswerSegment] {
        defer { dropHeader() }
        guard case .channel = phase else {
            phase = .body(.answer)
            return []
        }
        let recipient = recipient ?? Self.recipient(in: header)
        if findsCalls, let recipient {
            let prefix = "functions."
            let function = recipient.hasPrefix(prefix) ? String(recipient.dropFirst(prefix.count)) : recipient
            phase = .call(function: function)
            return []
        }
        phase = .body(header.hasPrefix("analysis") ? .reasoning : .answer)
        guard let recipient else { return [] }
        return [AnswerSegment(.answer, header.contains(" to=") ? header : "\(header) to=\(recipient) ")]
    }

    /// The call whose arguments ended; the text of one that breaks off.
    private mutating func call(isWhole: Bool) -> [AnswerSegment] {
        guard case .call(let function) = phase else { return [] }
        phase = .role
        defer {
            arguments = ""
            heldScalarCount = 0
        }
        return [AnswerSegment(isWhole ? .call(function: function) : .answer, arguments)]
    }

    /// Whom a header names: `commentary to=functions.clock json`.
    private static func recipient(in header: String) -> String? {
        guard let range = header.firstRange(of: " to=") else { return nil }
        let name = header[range.upperBound...].prefix { !$0.isWhitespace && $0 != "<" }
        return name.isEmpty ? nil : String(name)
    }

    /// This is no header: the model does not write messages.
    private mutating func giveUp() -> [AnswerSegment] {
        defer { dropHeader() }
        phase = .body(.answer)
        return [AnswerSegment(.answer, header)]
    }
}
