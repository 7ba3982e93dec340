public import Basics
public import Tokenizer

/// A model's format, and which of its special tokens are marks: they leave text where calls are looked for.
public struct ToolCallMarks: Sendable {
    /// The format.
    public let format: ToolCallFormat
    /// The marks that are special tokens.
    public let tokens: Set<TokenID>

    /// Looks for a format; nil if the model has none that is known.
    public init?(tokenizer: BPETokenizer, template: ChatTemplate?, reasoning: ReasoningFormat?) {
        guard let format = ToolCallFormat(template: template, reasoning: reasoning) else { return nil }
        self.format = format
        tokens = Set(format.marks.compactMap { tokenizer.token(named: $0) }.filter { tokenizer.isSpecial($0) })
    }
}

/// Nothing depends on the model's name: what its chat template writes says which format it was trained with.
extension ToolCallFormat {
    /// What a template writes that was made for a format; the first that fits.
    private static let signs: [(String, ToolCallFormat)] = [
        ("｜DSML｜", .invocations(tag: "｜DSML｜")),
        ("<|tool_call_argument_begin|>", .kimi),
        ("<｜tool▁call▁begin｜>", .deepSeek),
        ("<minimax:tool_call>", .invocations(tag: "")),
        ("<arg_key>", .argumentPairs),
        ("<function=", .functions),
        ("[TOOL_CALLS]", .list),
        ("<tool_call>", .json),
    ]

    /// The format of a model with this template; nil if the template tells of none.
    fileprivate init?(template: ChatTemplate?, reasoning: ReasoningFormat?) {
        guard let template else { return nil }
        if let sign = Self.signs.first(where: { template.mentions($0.0) }) {
            self = sign.1
        } else if reasoning == .channels {
            self = .channels
        } else {
            return nil
        }
    }
}
