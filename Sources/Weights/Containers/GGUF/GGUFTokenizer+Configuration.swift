import Basics

extension GGUFTokenizer {
    /// One chat template; the default one has no name.
    struct ChatTemplate {
        let name: String
        let source: String
    }

    /// The chat templates, the default one first.
    static func chatTemplates(_ metadata: GGUFMetadata) throws(WeightsError) -> [ChatTemplate] {
        let key = "tokenizer.chat_template"
        var templates: [ChatTemplate] = []
        if metadata[key] != nil {
            templates.append(
                ChatTemplate(name: "default", source: try GGUFKey.string(key, metadata, default: nil)))
        }
        for named in metadata.values.keys.sorted() where named.hasPrefix("\(key).") {
            let source = try GGUFKey.string(named, metadata, default: nil)
            templates.append(ChatTemplate(name: String(named.dropFirst(key.count + 1)), source: source))
        }
        return templates
    }

    /// `tokenizer_config.json`: special tokens by the names that templates know, and the templates if there are
    /// several.
    static func configuration(_ vocabulary: GGUFVocabulary, _ templates: [ChatTemplate]) -> JSON {
        var members: JSON = [:]
        let tokens = [
            ("bos_token", vocabulary.beginToken), ("eos_token", vocabulary.endToken),
            ("unk_token", vocabulary.unknownToken), ("pad_token", vocabulary.paddingToken),
        ]
        for (name, token) in tokens {
            if let text = vocabulary.text(token) { members = members.setting(name, to: .string(text)) }
        }
        guard templates.count > 1 else { return members }
        let list = templates.map { template -> JSON in
            ["name": .string(template.name), "template": .string(template.source)]
        }
        return members.setting("chat_template", to: .array(list))
    }

    /// `generation_config.json`: where texts begin and end, and how they are sampled if the file says so.
    static func generation(_ vocabulary: GGUFVocabulary, _ metadata: GGUFMetadata) throws(WeightsError) -> JSON {
        var members: JSON = [:]
        if let token = vocabulary.beginToken { members = members.setting("bos_token_id", to: .integer(Int64(token))) }
        let ends = vocabulary.endTokens
        if !ends.isEmpty {
            members = members.setting("eos_token_id", to: .array(ends.map { .integer(Int64($0)) }))
        }
        let samplings = [
            ("temp", "temperature"), ("top_k", "top_k"), ("top_p", "top_p"), ("min_p", "min_p"),
            ("penalty_repeat", "repetition_penalty"),
        ]
        for (key, name) in samplings {
            let key = "general.sampling.\(key)"
            guard let value = try GGUFKey.number(key, metadata) else { continue }
            guard name == "top_k" else {
                members = members.setting(name, to: .double(value))
                continue
            }
            guard let count = Int64(exactly: value) else {
                throw .tokenizerMalformed(key: key, reason: "\(value) is no whole number of 64 bits")
            }
            members = members.setting(name, to: .integer(count))
        }
        return members
    }
}

extension GGUFVocabulary {
    /// Control tokens that end an answer wherever they occur. A GGUF file has room for one end token and one end of a
    /// turn; published `generation_config.json` files of the same models list more.
    private static let endTexts: Set<String> = [
        "<|call|>", "<|end_of_text|>", "<|endoftext|>", "<|eom_id|>", "<|eot_id|>", "<|im_end|>", "<|return|>",
        "<end_of_turn>", "<｜end▁of▁sentence｜>", "[e~[",
    ]

    /// The tokens that end a generation, each once, the end token first.
    var endTokens: [Int] {
        var tokens = [endToken].compactMap(\.self) + furtherEndTokens
        tokens += texts.indices.filter { kinds[$0] == .control && Self.endTexts.contains(texts[$0]) }
        var seen: Set<Int> = []
        return tokens.filter { seen.insert($0).inserted }
    }
}
