import Basics

/// The rules of one family of byte-level tokenizers, as `tokenizer.ggml.pre` names it.
struct GGUFTokenFamily: Sendable {
    /// One step of cutting text into pieces.
    enum Cut: Sendable {
        /// Every digit is a piece.
        case digits
        /// Every match of a regular expression is a piece, and so is what lies between matches.
        case split(String)
        /// GPT-2's own expression.
        case words
    }

    let names: [String]
    let cuts: [Cut]
    /// Whether text is brought into Unicode's composed form (NFC) first.
    var isComposed = false
    /// Whether a piece that is a token itself is that token, whatever the merges say.
    var ignoresMerges = false
    /// Whether texts begin with the begin token where the file does not say it.
    var addsBegin = false

    /// The family of a name, nil if it is not known.
    static func named(_ name: String) -> GGUFTokenFamily? {
        all.first { $0.names.contains(name) }
    }

    /// All known names, in alphabetical order.
    static var names: [String] { all.flatMap(\.names).sorted() }

    /// `pre_tokenizer` of `tokenizer.json`.
    var preTokenizer: JSON {
        var components = cuts.map { cut -> JSON in
            switch cut {
            case .digits: ["type": "Digits", "individual_digits": true]
            case .split(let expression):
                [
                    "type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated",
                    "invert": false,
                ]
            case .words: Self.byteLevel(cutsWords: true)
            }
        }
        if case .words = cuts.last { return ["type": "Sequence", "pretokenizers": .array(components)] }
        components.append(Self.byteLevel(cutsWords: false))
        return ["type": "Sequence", "pretokenizers": .array(components)]
    }

    private static func byteLevel(cutsWords: Bool) -> JSON {
        ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool(cutsWords)]
    }
}

extension GGUFTokenFamily {
    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let endOfLines = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

    /// The expression that most families share; `digits` is how many digits make a piece.
    private static func words(digits: String) -> String {
        "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\(digits)| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\(endOfLines)"
    }

    /// The expressions are those of the models' own `tokenizer.json`. Where programs that read GGUF files use others,
    /// because their engines lack something, ours cut as the model was trained.
    static let all: [GGUFTokenFamily] = [
        GGUFTokenFamily(names: ["gpt-2"], cuts: [.words]),
        GGUFTokenFamily(
            names: ["qwen2", "deepseek-r1-qwen"], cuts: [.split(words(digits: "\\p{N}"))], isComposed: true),
    ]
}
