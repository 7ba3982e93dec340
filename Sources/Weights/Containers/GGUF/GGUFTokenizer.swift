import Basics

/// Makes the small files that a model directory has out of the tokenizer in a GGUF file's metadata, so that nothing
/// above knows where a model came from: `tokenizer.json`, `tokenizer_config.json`, `generation_config.json` and, if
/// the model has one template, `chat_template.jinja`.
///
/// GGUF names a tokenizer's rules (`tokenizer.ggml.pre`) and does not hold them. What a name means is in
/// `GGUFTokenizer+Families.swift`; a name that is not there is refused, since text cut by other rules than those of
/// the training gives a model that works, only worse.
public enum GGUFTokenizer {
    /// The kinds of vocabulary (`tokenizer.ggml.model`) that can be brought into `tokenizer.json`.
    public static let models = ["gpt2", "llama"]

    /// The files by name.
    public static func files(from metadata: GGUFMetadata) throws(WeightsError) -> [String: [UInt8]] {
        let vocabulary = try GGUFVocabulary(metadata)
        let tokenizer =
            switch try GGUFKey.string("tokenizer.ggml.model", metadata, default: nil) {
            case "gpt2": try bytePairTokenizer(vocabulary, metadata)
            case "llama": try sentencePieceTokenizer(vocabulary, metadata)
            case let other:
                throw .tokenizerUnsupported(key: "tokenizer.ggml.model", found: other, supported: models)
            }
        let templates = try chatTemplates(metadata)
        var files = [
            "tokenizer.json": tokenizer,
            "tokenizer_config.json": configuration(vocabulary, templates).serialisedBytes(),
            "generation_config.json": try generation(vocabulary, metadata).serialisedBytes(),
        ]
        if templates.count == 1, let template = templates.first {
            files["chat_template.jinja"] = Array(template.source.utf8)
        }
        return files
    }
}

/// Reads single values of a GGUF file's metadata; errors name the key.
enum GGUFKey {
    static func string(
        _ key: String, _ metadata: GGUFMetadata, default value: String?
    ) throws(WeightsError) -> String {
        guard let member = metadata[key] else {
            guard let value else { throw .tokenizerMalformed(key: key, reason: "it is missing") }
            return value
        }
        guard let text = member.string else { throw wrong(key, member, "a string") }
        return text
    }

    static func bool(_ key: String, _ metadata: GGUFMetadata, default value: Bool) throws(WeightsError) -> Bool {
        guard let member = metadata[key] else { return value }
        guard let flag = member.bool else { throw wrong(key, member, "a boolean") }
        return flag
    }

    static func number(_ key: String, _ metadata: GGUFMetadata) throws(WeightsError) -> Double? {
        guard let member = metadata[key] else { return nil }
        guard let number = member.double else { throw wrong(key, member, "a number") }
        return number
    }

    /// An array, nil if there is none; `count` is how many elements it must have at least.
    static func array(
        _ key: String, _ metadata: GGUFMetadata, count: Int = 0
    ) throws(WeightsError) -> [JSON]? {
        guard let member = metadata[key] else { return nil }
        guard let elements = member.array else { throw wrong(key, member, "an array") }
        guard elements.count >= count else {
            throw .tokenizerMalformed(key: key, reason: "it has \(elements.count) elements for \(count) tokens")
        }
        return elements
    }

    private static func wrong(_ key: String, _ member: JSON, _ expected: String) -> WeightsError {
        .tokenizerMalformed(key: key, reason: "it must be \(expected), found \(member.kindName)")
    }
}
