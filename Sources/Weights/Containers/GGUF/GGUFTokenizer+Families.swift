import Basics

/// The rules of one family of byte-level tokenizers, as `tokenizer.ggml.pre` names it.
struct GGUFTokenFamily: Sendable {
    /// One step of cutting text into pieces.
    enum Cut: Sendable {
        /// Every digit is a piece.
        case digits
        /// Every match of a regular expression is a piece, and so is what lies between matches.
        case split(String)
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
            }
        }
        components.append(
            ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false])
        return ["type": "Sequence", "pretokenizers": .array(components)]
    }
}

extension GGUFTokenFamily {
    /// The expressions are those of the models' own `tokenizer.json` (of `kimi-k2`: of the model's own Python).
    /// Programs that read GGUF files use others where their engines lack something or where they approximate; ours cut
    /// as the model was trained. What differs is said at the family.
    static let all: [GGUFTokenFamily] = [
        // What converters of the first days wrote, which knew no families. There is no model's file to follow; the
        // steps are those that llama.cpp gives the name.
        GGUFTokenFamily(
            names: ["default"],
            cuts: [.split("[\\p{P}$+<=>^~|]+"), .split(gptWords), .split("\\p{N}+"), .split("[0-9][0-9][0-9]")]),
        GGUFTokenFamily(
            names: ["deepseek-coder"],
            cuts: [
                .split("[\\r\\n]"), .split("\\s?\\p{L}+"), .split("\\s?\\p{P}+"), .split(deepseekIdeographs), .digits,
            ]),
        // llama.cpp keeps runs of digits together, and three ends of ranges of the letters are other characters there.
        GGUFTokenFamily(
            names: ["deepseek-llm"],
            cuts: [
                .split("[\\r\\n]"), .split("\\s?[\(deepseekLetters)]+"), .split("\\s?[\(deepseekPunctuation)]+"),
                .split("\\s+$"), .split(deepseekIdeographs), .digits,
            ]),
        GGUFTokenFamily(
            names: ["deepseek-v3", "joyai-llm"],
            cuts: [
                .split("\\p{N}{1,3}"), .split("[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"),
                .split(
                    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                        + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\(spaces)"),
            ]),
        // Whole pieces are looked up first in the models' files, not so in llama.cpp.
        GGUFTokenFamily(
            names: ["glm4", "glm5", "chatglm-bpe"], cuts: [.split(words(digits: "\\p{N}{1,3}"))], ignoresMerges: true),
        GGUFTokenFamily(names: ["gpt-2"], cuts: [.split(gptWords)]),
        // This family and the next come from tiktoken, which looks up whole pieces first; llama.cpp does not for them,
        // and tells upper from lower case in ASCII only.
        GGUFTokenFamily(
            names: ["gpt-4o", "llama4"],
            cuts: [.split(casedWords(suffix: "\(contractions)?", digits: "\\p{N}{1,3}", lineEnds: "[\\r\\n/]*"))],
            ignoresMerges: true),
        GGUFTokenFamily(names: ["kimi-k2"], cuts: [.split(kimiWords)], ignoresMerges: true),
        GGUFTokenFamily(
            names: ["llama-bpe", "llama-v3", "llama3"], cuts: [.split(words(digits: "\\p{N}{1,3}"))],
            ignoresMerges: true, addsBegin: true),
        GGUFTokenFamily(
            names: ["minimax-m2"],
            cuts: [.split(casedWords(suffix: "\(contractions)?", digits: "\\p{N}{1,3}", lineEnds: "[\\r\\n/]*"))]),
        GGUFTokenFamily(names: ["olmo"], cuts: [.split(gptWords)], isComposed: true),
        GGUFTokenFamily(
            names: ["qwen2", "deepseek-r1-qwen"], cuts: [.split(words(digits: "\\p{N}"))], isComposed: true),
        // Marks belong to the word whose letters they stand on.
        GGUFTokenFamily(
            names: ["qwen35"],
            cuts: [
                .split(
                    "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                        + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\(spaces)")
            ], isComposed: true),
        GGUFTokenFamily(names: ["refact", "smollm", "starcoder"], cuts: [.digits, .split(gptWords)]),
        // llama.cpp tells upper from lower case in ASCII only.
        GGUFTokenFamily(
            names: ["tekken"],
            cuts: [.split(casedWords(suffix: "", digits: "\\p{N}", lineEnds: "[\\r\\n/]*"))],
            ignoresMerges: true, addsBegin: true),
    ]

    private static let gptWords =
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

    /// The expression that most families share; `digits` is how many digits make a piece.
    private static func words(digits: String) -> String {
        "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\(digits)| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\(spaces)"
    }

    /// Words that also end where lower case goes over into upper case.
    private static func casedWords(
        suffix: String, digits: String, lineEnds: String, letters guardExpression: String = ""
    ) -> String {
        let upper = "(?:\(guardExpression)[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}])"
        let lower = "(?:\(guardExpression)[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}])"
        let start = "[^\\r\\n\\p{L}\\p{N}]?"
        return "\(start)\(upper)*\(lower)+\(suffix)|\(start)\(upper)+\(lower)*\(suffix)|\(digits)"
            + "| ?[^\\s\\p{L}\\p{N}]+\(lineEnds)|\(spaces)"
    }

    /// Han characters are pieces of their own. The model's own expression subtracts them from the letters with `&&`,
    /// which PCRE2 does not know; a look-ahead says the same.
    private static let kimiWords =
        "[\\p{Han}]+|"
        + casedWords(
            suffix: "\(contractions)?", digits: "\\p{N}{1,3}", lineEnds: "[\\r\\n]*", letters: "(?!\\p{Han})")

    private static let deepseekIdeographs = "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
    private static let deepseekPunctuation =
        "!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}"
}
