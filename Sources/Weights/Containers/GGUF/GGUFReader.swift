import Basics

/// What an architecture's table reads its configuration from: keys `architecture.name` with the file named in errors,
/// and the tensors.
struct GGUFReader {
    let file: String
    let architecture: String
    let metadata: GGUFMetadata
    /// By the names that Hugging Face gives them.
    let tensors: [String: TensorPlace]

    /// A whole number, or the fallback if the key is missing. What sizes make sense is the model's business.
    func integer(_ name: String, default fallback: Int? = nil) throws(WeightsError) -> Int {
        let key = key(name)
        guard let value = metadata[key] else { return try required(fallback, key, "a whole number") }
        guard let number = value.integer, Int64(exactly: number) != nil else {
            throw invalid(key, value, "a whole number")
        }
        return number
    }

    /// A finite number, or the fallback if the key is missing.
    func number(_ name: String, default fallback: Double? = nil) throws(WeightsError) -> Double {
        let key = key(name)
        guard let value = metadata[key] else { return try required(fallback, key, "a number") }
        guard let number = value.double, number.isFinite else { throw invalid(key, value, "a finite number") }
        return number
    }

    /// A word, nil if the key is missing.
    func word(_ name: String) throws(WeightsError) -> String? {
        let key = key(name)
        guard let value = metadata[key] else { return nil }
        guard let word = value.string else { throw invalid(key, value, "a string") }
        return word
    }

    /// Refuses a value that would change the answers and is not understood; a missing key is fine.
    func require(_ name: String, _ allowed: [Double]) throws(WeightsError) {
        let key = key(name)
        guard let value = metadata[key] else { return }
        guard let number = value.double, allowed.contains(number) else {
            let words = allowed.map { JSON.double($0).serialised() }.joined(separator: " or ")
            throw invalid(key, value, "\(words): Colony computes with no other")
        }
    }

    /// Rows of the embedding, which are the vocabulary. A list of tokens that is longer has tokens without a row.
    func vocabularySize() throws(WeightsError) -> Int {
        let name = "model.embed_tokens.weight"
        guard let rows = tensors[name]?.description.shape.first else {
            throw .tensorMissing(tensor: "token_embd.weight", model: file)
        }
        let key = "tokenizer.ggml.tokens"
        if let tokens = metadata[key]?.array, tokens.count > rows {
            throw .metadataInvalid(
                file: file, key: key, found: "a list of \(tokens.count)",
                expected: "at most \(rows), the embedding's rows")
        }
        return rows
    }

    /// The ids of special tokens under `tokenizer.ggml.*`, each once: one id, a list of several, or null.
    func tokens(_ names: String...) throws(WeightsError) -> JSON {
        var ids: [JSON] = []
        for name in names {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard let value = metadata[key] else { continue }
            guard value.integer != nil else { throw invalid(key, value, "a token id") }
            if !ids.contains(value) { ids.append(value) }
        }
        return ids.count > 1 ? .array(ids) : ids.first ?? .null
    }

    /// The error that says what stands at `key` instead of what is expected.
    func invalid(_ key: String, _ found: JSON, _ expected: String) -> WeightsError {
        let text = found.array.map { "a list of \($0.count)" } ?? String(found.serialised().prefix(80))
        return .metadataInvalid(file: file, key: key, found: text, expected: expected)
    }

    /// The whole key of one of the architecture's own.
    func key(_ name: String) -> String { architecture + "." + name }

    private func required<Value>(_ fallback: Value?, _ key: String, _ what: String) throws(WeightsError) -> Value {
        guard let fallback else { throw .metadataInvalid(file: file, key: key, found: "missing", expected: what) }
        return fallback
    }
}

extension GGUFReader {
    /// `rope.scaling.*` as Hugging Face's `rope_scaling`; null if positions are not stretched.
    func ropeScaling() throws(WeightsError) -> JSON {
        let factor = try number("rope.scaling.factor", default: 1)
        // As its writers do: without a type a factor means linear, and 0 means none.
        let type = try word("rope.scaling.type") ?? "linear"
        guard type != "none", factor != 0, type != "linear" || factor != 1 else { return .null }
        var scaling: JSON = ["rope_type": .string(type), "factor": .double(factor)]
        guard type == "yarn" else { return scaling }
        // Programs disagree on what these mean beside the factor that follows from YaRN's own formula.
        try require("rope.scaling.attn_factor", [1])
        try require("rope.scaling.yarn_attn_factor", [1])
        try require("rope.scaling.yarn_ext_factor", [1, -1])
        let original = try integer("rope.scaling.original_context_length", default: integer("context_length"))
        scaling = scaling.setting("original_max_position_embeddings", to: .integer(Int64(original)))
        for (name, word) in [("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow")]
        where metadata[key("rope.scaling." + name)] != nil {
            scaling = scaling.setting(word, to: .double(try number("rope.scaling." + name)))
        }
        return scaling
    }
}
