import Basics

/// What an architecture's table reads its configuration from: keys `architecture.name` with the file named in errors,
/// and the tensors.
struct GGUFReader {
    let file: String
    let architecture: String
    let metadata: GGUFMetadata
    /// The names of all tensors in the files.
    var storedNames: Set<String> = []
    /// By the names that Hugging Face gives them; empty until they are known.
    var tensors: [String: TensorPlace] = [:]

    /// A whole number, or the fallback if the key is missing. What sizes make sense is the model's business.
    func integer(_ name: String, default fallback: Int? = nil) throws(WeightsError) -> Int {
        let key = key(name)
        guard let value = metadata[key] else { return try required(fallback, key, "a whole number") }
        guard let number = value.integer, Int64(exactly: number) != nil else {
            throw invalid(key, value, "a whole number")
        }
        return number
    }

    /// A finite number, or the fallback if the key is missing. Files have 32 bits of what a configuration says in
    /// decimal digits; the shortest ones that give these bits are taken for those.
    func number(_ name: String, default fallback: Double? = nil) throws(WeightsError) -> Double {
        let key = key(name)
        guard let value = metadata[key] else { return try required(fallback, key, "a number") }
        guard let number = value.double, number.isFinite else { throw invalid(key, value, "a finite number") }
        return Self.decimal(number)
    }

    /// The number that the shortest digits stand for which give the same 32 bits; the number itself if it has more.
    static func decimal(_ number: Double) -> Double {
        Float(exactly: number).flatMap { Double($0.description) } ?? number
    }

    /// Yes or no, or the fallback if the key is missing.
    func flag(_ name: String, default fallback: Bool) throws(WeightsError) -> Bool {
        let key = key(name)
        guard let value = metadata[key] else { return fallback }
        guard let flag = value.bool else { throw invalid(key, value, "true or false") }
        return flag
    }

    /// Yes or no for each layer (files may say more, of layers that predict further tokens); nil if the key is missing.
    func layerFlags(_ name: String) throws(WeightsError) -> [Bool]? {
        let key = key(name)
        guard let value = metadata[key] else { return nil }
        let count = try furtherLayers().lowerBound
        let flags = value.array?.compactMap { $0.bool ?? $0.integer.map { $0 != 0 } } ?? []
        guard flags.count >= count, flags.count == value.array?.count else {
            throw invalid(key, value, "a list with true or false for each of the \(count) layers")
        }
        return Array(flags.prefix(count))
    }

    /// A word, nil if the key is missing.
    func word(_ name: String) throws(WeightsError) -> String? {
        let key = key(name)
        guard let value = metadata[key] else { return nil }
        guard let word = value.string else { throw invalid(key, value, "a string") }
        return word
    }

    /// Refuses a value that would change the answers and is not understood; a missing key is fine unless it must be
    /// there.
    func require(_ name: String, _ allowed: [Double], isNeeded: Bool = false) throws(WeightsError) {
        let key = key(name)
        let words = allowed.map { JSON.double($0).serialised() }.joined(separator: " or ")
        let expected = "\(words): Colony computes with no other"
        guard let value = metadata[key] else {
            guard isNeeded else { return }
            throw .metadataInvalid(file: file, key: key, found: "missing", expected: expected)
        }
        guard let number = value.double, allowed.contains(number) else { throw invalid(key, value, expected) }
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
    /// `rope.scaling.*` as Hugging Face's `rope_scaling`; null if positions are not stretched. `scalesScores`: latent
    /// attention, for which YaRN's factor is one of the scores, not of the rotated parts.
    func ropeScaling(scalesScores: Bool = false) throws(WeightsError) -> JSON {
        let factor = try number("rope.scaling.factor", default: 1)
        // As its writers do: without a type a factor means linear, and 0 means none.
        let type = try word("rope.scaling.type") ?? "linear"
        guard type != "none", factor != 0, type != "linear" || factor != 1 else { return .null }
        var scaling: JSON = ["rope_type": .string(type), "factor": .double(factor)]
        guard type == "yarn" else { return scaling }
        if !scalesScores { try require("rope.scaling.yarn_log_multiplier", [0]) }
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
        return scalesScores ? try withScoreFactor(scaling) : scaling
    }

    /// Converters write a tenth of `mscale_all_dim`, and leave out `mscale`, which is the same in all published models.
    private func withScoreFactor(_ scaling: JSON) throws(WeightsError) -> JSON {
        let tenth = try number("rope.scaling.yarn_log_multiplier", default: 0)
        guard tenth != 0 else { return scaling }
        let scale = JSON.double(Self.decimal(Double(Float(tenth * 10))))
        return scaling.setting("mscale", to: scale).setting("mscale_all_dim", to: scale)
    }
}
