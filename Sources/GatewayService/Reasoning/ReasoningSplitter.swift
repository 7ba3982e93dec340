/// Where a piece of an answer's text belongs.
public enum AnswerChannel: Hashable, Sendable {
    /// What the model says to whoever asked.
    case answer
    /// A whole call of a tool; the text is the arguments.
    case call(function: String)
    /// What it thinks before.
    case reasoning
}

/// A piece of text with its place.
public struct AnswerSegment: Hashable, Sendable {
    /// Its place.
    public var channel: AnswerChannel
    /// The text; never empty, unless a call has no arguments.
    public var text: String

    /// A piece.
    public init(_ channel: AnswerChannel, _ text: String) {
        self.channel = channel
        self.text = text
    }
}

/// Splits the text of one answer, as it comes, into reasoning and answer. Marks themselves belong to neither.
///
/// A pure state machine: the same tokens give the same split, however they are cut into pieces. Text is held back only
/// while it may be a part of a mark, or white space that surrounds a mark.
public struct ReasoningSplitter: Sendable {
    private var splitter: any MarkedTextSplitter

    /// Starts an answer to a prompt that ends in `start`. With `findsCalls`, messages to tools are told apart.
    public init(_ marks: ReasoningMarks, start: ReasoningStart, findsCalls: Bool = false) {
        switch marks.format {
        case .channels: splitter = ChannelSplitter(start: start, findsCalls: findsCalls)
        case .tags(let open, let close):
            splitter = TagSplitter(open: open, close: close, searchesText: marks.tokens.isEmpty, start: start)
        }
    }

    /// Whether what comes next is reasoning, as far as that is known.
    public var isReasoning: Bool { splitter.isReasoning }

    /// How many Unicode scalars are held back.
    public var heldScalarCount: Int { splitter.heldScalarCount }

    /// Takes text.
    public mutating func append(_ text: String) -> [AnswerSegment] { splitter.append(text).joined }

    /// Takes a mark that is a token of its own; `text` is what it leaves in the text, nothing if special tokens leave
    /// none.
    public mutating func append(_ mark: ReasoningMark, text: String) -> [AnswerSegment] {
        splitter.append(mark, text: text).joined
    }

    /// The answer ends here, or breaks off: what was held back.
    public mutating func finish(breaksOff: Bool = false) -> [AnswerSegment] {
        splitter.finish(breaksOff: breaksOff).joined
    }
}

/// Splits text at the marks of one format.
protocol MarkedTextSplitter: Sendable {
    var isReasoning: Bool { get }
    var heldScalarCount: Int { get }
    mutating func append(_ text: String) -> [AnswerSegment]
    mutating func append(_ mark: ReasoningMark, text: String) -> [AnswerSegment]
    mutating func finish(breaksOff: Bool) -> [AnswerSegment]
}

extension [AnswerSegment] {
    /// Without empty pieces, neighbours of one channel as one; each call is one already.
    fileprivate var joined: [AnswerSegment] {
        var result: [AnswerSegment] = []
        for segment in self {
            if case .call = segment.channel {
                result.append(segment)
            } else if result.last?.channel == segment.channel {
                result[result.count - 1].text += segment.text
            } else if !segment.text.isEmpty {
                result.append(segment)
            }
        }
        return result
    }
}
