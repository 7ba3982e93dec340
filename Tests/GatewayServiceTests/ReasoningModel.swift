import Basics
import GatewayService
import Tokenizer
import Wire

/// Models that reason, each in the manner of a family; small as `TestModel`.
enum ReasoningModel: String, CaseIterable {
    /// The marks are special tokens: they leave no text.
    case special
    /// The marks are tokens and text.
    case tokens
    /// The marks are plain text, of several tokens.
    case text
    /// As `tokens`; the template opens the reasoning, or, told not to think, closes it.
    case opened
    /// Messages with channels.
    case channels

    private static let turns =
        "{% for m in messages %}<|{{ m.role }}|>"
        + "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<|end|>"
        + "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    private static let opening =
        "{% if add_generation_prompt %}{{ '<think></think>' if thinking is false else '<think>\n' }}{% endif %}"
    private static let channelTurns =
        "{% for m in messages %}<|start|>{{ m.role }}"
        + "{% if m.thinking %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|><|start|>assistant{% endif %}"
        + "{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>{{ m.content }}<|end|>{% endfor %}"
        + "{% if add_generation_prompt %}<|start|>assistant{% endif %}"

    private var tokens: [(name: String, id: Int, isSpecial: Bool)] {
        switch self {
        case .text: []
        case .special: [("<think>", 259, true), ("</think>", 260, true)]
        case .tokens, .opened: [("<think>", 259, false), ("</think>", 260, false)]
        case .channels:
            [
                ("<|start|>", 259, true), ("<|channel|>", 260, true), ("<|message|>", 261, true),
                ("<|return|>", 262, true), ("<|call|>", 263, true), ("<|constrain|>", 264, true),
            ]
        }
    }

    func context(contextTokensMax: Int = 400) throws -> ModelContext {
        let template =
            switch self {
            case .channels: Self.channelTurns
            case .opened: Self.turns + Self.opening
            case .special, .tokens, .text: Self.turns
            }
        return try ModelContext(
            files: TestModel.files(contextTokensMax: contextTokensMax, template: template, moreTokens: tokens),
            createdSeconds: 1_700_000_000)
    }

    /// An answer with reasoning, as the model writes it after a prompt.
    func answer(reasoning: String, text: String) -> String {
        switch self {
        case .channels:
            "<|channel|>analysis<|message|>\(reasoning)<|end|><|start|>assistant<|channel|>final<|message|>\(text)"
        case .opened: "\(reasoning)\n</think>\n\n\(text)"
        case .special, .text, .tokens: "<think>\n\(reasoning)\n</think>\n\n\(text)"
        }
    }
}
