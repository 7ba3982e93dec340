import Basics
import GatewayService
import Tokenizer
import Wire

/// A model small enough to be written down: token `n` below 256 is the byte `n`, three special tokens follow.
enum TestModel {
    static let end = TokenID(256)
    static let user = TokenID(257)
    static let assistant = TokenID(258)
    static let vocabularySize = 260

    static let template =
        "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
        + "{% if tools %}tools:{{ tools | length }}{% endif %}"
        + "{% if add_generation_prompt %}<|assistant|>{% endif %}{% if hint %}{{ hint }}{% endif %}"

    /// The names that byte-level vocabularies give to bytes: visible characters stand for themselves.
    static func byteName(_ byte: Int) -> String {
        let isVisible: (Int) -> Bool = {
            (33...126).contains($0) || (161...172).contains($0) || (174...255).contains($0)
        }
        if isVisible(byte) { return String(Character(Unicode.Scalar(UInt8(byte)))) }
        let rank = (0..<byte).filter { !isVisible($0) }.count
        return Unicode.Scalar(UInt32(256 + rank)).map { String(Character($0)) } ?? ""
    }

    /// `moreTokens` are added tokens with their numbers, special ones or not.
    static func files(
        contextTokensMax: Int = 64, withTemplate: Bool = true, template: String = template,
        moreTokens: [(name: String, id: Int, isSpecial: Bool)] = []
    ) -> ModelFiles {
        let entries = (0..<256).map { "\(JSON.string(byteName($0)).serialised()):\($0)" }
        let vocabulary = (try? JSON(parsing: "{\(entries.joined(separator: ","))}")) ?? .null
        let special: [(name: String, id: Int, isSpecial: Bool)] = [
            ("<|end|>", 256, true), ("<|user|>", 257, true), ("<|assistant|>", 258, true),
        ]
        let added = (special + moreTokens).map { name, id, isSpecial -> JSON in
            [
                "id": .integer(Int64(id)), "content": .string(name), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": .bool(isSpecial),
            ]
        }
        let tokenizer: JSON = [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added), "normalizer": nil,
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
            ],
            "post_processor": nil,
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
                "merges": [],
            ],
        ]
        let generation: JSON = ["eos_token_id": [256], "temperature": 0.5, "top_p": 0.75, "top_k": 7]
        var files = [
            ModelFiles.File(name: "tokenizer.json", bytes: Array(tokenizer.serialised().utf8)),
            ModelFiles.File(name: "generation_config.json", bytes: Array(generation.serialised().utf8)),
        ]
        if withTemplate { files.append(ModelFiles.File(name: "chat_template.jinja", bytes: Array(template.utf8))) }
        return ModelFiles(
            modelName: "tiny", contextTokensMax: UInt32(contextTokensMax),
            vocabularySize: UInt32(vocabularySize + moreTokens.count),
            files: files)
    }

    static func context(contextTokensMax: Int = 64, withTemplate: Bool = true) throws -> ModelContext {
        try ModelContext(
            files: files(contextTokensMax: contextTokensMax, withTemplate: withTemplate), createdSeconds: 1_700_000_000)
    }

    /// The tokens of a text: its bytes.
    static func tokens(_ text: String) -> [TokenID] { text.utf8.map { TokenID(Int32($0)) } }
}

/// The error that `body` throws; nil if it throws none.
func apiError(_ body: () throws -> Void) -> APIError? {
    do {
        try body()
        return nil
    } catch {
        return error as? APIError
    }
}
