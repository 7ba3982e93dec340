/// How a model writes calls of tools.
public enum ToolCallFormat: Hashable, Sendable {
    /// GLM-4.5 and its successors: the function's name, then names and values by turns.
    /// `<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>`
    case argumentPairs
    /// gpt-oss: a message with a recipient, `commentary to=functions.f`. Told apart by `ChannelSplitter`.
    case channels
    /// DeepSeek V3, V3.1 and R1, each call between two tokens. V3 and R1 put the arguments into a code block.
    case deepSeek
    /// Qwen3.5 and Qwen3-Coder: elements that are named after what they hold.
    /// `<tool_call><function=f><parameter=a>1</parameter></function></tool_call>`
    case functions
    /// MiniMax-M2 and, with a token in each tag, DeepSeek V3.2 and V4.
    /// `<invoke name="f"><parameter name="a">1</parameter></invoke>`
    case invocations(tag: String)
    /// Qwen3 and many others: an object with `name` and `arguments`. `<tool_call>{…}</tool_call>`
    case json
    /// Kimi-K2: each call between two tokens, under a name of its own, `functions.f:0`.
    case kimi
    /// Mixtral 8x22B: a list of objects with `name` and `arguments` up to the end. `[TOOL_CALLS][{…}]`
    case list

    /// What begins and ends a block with one call or several. Nil for the end: the block ends with the answer.
    var blocks: [(open: String, close: String?)] {
        switch self {
        case .argumentPairs, .functions, .json: [("<tool_call>", "</tool_call>")]
        case .channels: []
        case .deepSeek: [("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")]
        case .invocations(tag: ""): [("<minimax:tool_call>", "</minimax:tool_call>")]
        case .invocations(let tag):
            // V3.2 and V4.
            ["function_calls", "tool_calls"].map { ("<\(tag)\($0)>", "</\(tag)\($0)>") }
        case .kimi: [("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>")]
        case .list: [("[TOOL_CALLS]", nil)]
        }
    }

    /// All that may be a token of its own.
    var marks: [String] {
        let inner: [String] =
            switch self {
            case .argumentPairs: ["<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"]
            case .deepSeek: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"]
            case .invocations(let tag): [tag]
            case .kimi: ["<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"]
            case .channels, .functions, .json, .list: []
            }
        return inner + blocks.map(\.open) + blocks.compactMap(\.close)
    }
}
