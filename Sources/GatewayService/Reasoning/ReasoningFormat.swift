public import Basics
public import Tokenizer

/// How a model sets its reasoning apart from its answer.
public enum ReasoningFormat: Hashable, Sendable {
    /// Messages with a header, as in the harmony format of gpt-oss: `<|channel|>analysis<|message|>…<|end|>`.
    case channels
    /// The reasoning stands between two marks, e.g. `<think>` and `</think>`, before the answer.
    case tags(open: String, close: String)
}

/// A mark that steers where text belongs.
public enum ReasoningMark: Hashable, Sendable {
    /// Names the channel of a message.
    case channel
    /// Ends the reasoning.
    case close
    /// Names the form of a message's content.
    case constrain
    /// Ends a message.
    case end
    /// Ends a message's header.
    case message
    /// Begins the reasoning.
    case open
    /// Begins a message's header.
    case start
}

/// A model's format, and which of its tokens are marks.
///
/// Nothing depends on the model's name: what the chat template writes and what the vocabulary holds say which marks
/// there are. A mark that is a token of its own counts only as that token; where it is not, the text is searched for
/// it.
public struct ReasoningMarks: Sendable {
    /// The format.
    public let format: ReasoningFormat
    /// The marks that are tokens of their own. Empty if the text is searched for them.
    public let tokens: [TokenID: ReasoningMark]

    /// The pairs of marks that models are known to write.
    private static let pairs = [
        ("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"),
        ("◁think▷", "◁/think▷"),
    ]
    private static let channelMarks: [(String, ReasoningMark)] = [
        ("<|start|>", .start), ("<|channel|>", .channel), ("<|message|>", .message), ("<|end|>", .end),
    ]
    private static let rarerChannelMarks: [(String, ReasoningMark)] = [
        ("<|return|>", .end), ("<|call|>", .end), ("<|constrain|>", .constrain),
    ]

    /// Looks for marks; nil if the model has none.
    public init?(tokenizer: BPETokenizer, template: ChatTemplate?) {
        if let channels = Self.channels(tokenizer, template) {
            self = channels
            return
        }
        for (open, close) in Self.pairs {
            let openToken = Self.token(open, tokenizer)
            let closeToken = Self.token(close, tokenizer)
            if let openToken, let closeToken {
                self.init(
                    format: .tags(open: open, close: close), tokens: [openToken: .open, closeToken: .close])
                return
            }
            if template?.mentions(close) ?? false {
                self.init(format: .tags(open: open, close: close), tokens: [:])
                return
            }
        }
        return nil
    }

    private init(format: ReasoningFormat, tokens: [TokenID: ReasoningMark]) {
        self.format = format
        self.tokens = tokens
    }

    private static func channels(_ tokenizer: BPETokenizer, _ template: ChatTemplate?) -> ReasoningMarks? {
        if let template, !template.mentions("<|channel|>") { return nil }
        var tokens: [TokenID: ReasoningMark] = [:]
        for (name, mark) in channelMarks {
            guard let token = token(name, tokenizer) else { return nil }
            tokens[token] = mark
        }
        for (name, mark) in rarerChannelMarks {
            if let token = token(name, tokenizer) { tokens[token] = mark }
        }
        return ReasoningMarks(format: .channels, tokens: tokens)
    }

    /// The token that a mark always is; nil if it is several.
    private static func token(_ mark: String, _ tokenizer: BPETokenizer) -> TokenID? {
        let tokens = tokenizer.encode(mark)
        return tokens.count == 1 && tokenizer.name(of: tokens[0]) == mark ? tokens[0] : nil
    }
}
