import Basics

/// Parts of `config.json` that several architectures have.
extension GGUFReader {
    /// A whole number as a value of the configuration.
    func count(_ name: String, default fallback: Int? = nil) throws(WeightsError) -> JSON {
        .integer(Int64(try integer(name, default: fallback)))
    }

    /// Whether any layer has a tensor of this name, Hugging Face's without `model.layers.N.`.
    func has(_ name: String) -> Bool { tensors.keys.contains { $0.hasSuffix("." + name) } }

    /// Layers that predict further tokens, which stand behind the others and are counted with them. Some files of
    /// `deepseek4` were made without these layers and say their number all the same: what stands last there is a layer
    /// like the others.
    func furtherLayers() throws(WeightsError) -> Range<Int> {
        let name = "nextn_predict_layers"
        let count = try integer("block_count")
        let further = try integer(name, default: 0)
        guard further >= 0, further <= max(count, 0) else {
            throw .metadataInvalid(
                file: file, key: key(name), found: String(further), expected: "0 to \(count), all layers")
        }
        let first = "blk.\(count - further)."
        let predicts = storedNames.contains { $0.hasPrefix(first + "nextn.") }
        let isOrdinary = storedNames.contains(first + "attn_norm.weight") && !predicts
        return (isOrdinary ? count : count - further)..<max(count, count - further)
    }

    /// What the file says of every decoder, and `members`, those of the family.
    func decoder(
        _ modelType: String, class className: String, scaling: JSON, _ members: KeyValuePairs<String, JSON>
    ) throws(WeightsError) -> JSON {
        try refuseVariants()
        let configuration: JSON = [
            "architectures": [.string(className)], "model_type": .string(modelType),
            "vocab_size": .integer(Int64(try vocabularySize())), "hidden_size": try count("embedding_length"),
            "num_hidden_layers": .integer(Int64(try furtherLayers().lowerBound)),
            "num_attention_heads": try count("attention.head_count"),
            "rms_norm_eps": .double(try number("attention.layer_norm_rms_epsilon")),
            "rope_theta": .double(try number("rope.freq_base", default: 10_000)),
            "rope_scaling": scaling, "max_position_embeddings": try count("context_length"),
            "tie_word_embeddings": .bool(tensors["lm_head.weight"] == nil), "bos_token_id": try tokens("bos"),
            "eos_token_id": try tokens("eos", "eot", "eom"),
        ]
        return members.reduce(configuration) { $0.setting($1.key, to: $1.value) }
    }

    /// Heads of grouped-query attention: `num_key_value_heads`, `head_dim`, and the share of a head that is rotated.
    func heads() throws(WeightsError) -> (keyValueCount: JSON, width: JSON, rotatedShare: JSON) {
        let width = try headWidth()
        try require("attention.value_length", [Double(width)])
        let rotated = try integer("rope.dimension_count", default: width)
        guard width > 0, (1...width).contains(rotated) else {
            throw .metadataInvalid(
                file: file, key: key("rope.dimension_count"), found: String(rotated),
                expected: "1 to \(width), the width of a head")
        }
        // What the model multiplies the width with, and cuts to a whole number.
        let share = Double(rotated) / Double(width)
        return (
            try count("attention.head_count_kv", default: integer("attention.head_count")), .integer(Int64(width)),
            .double(Double(width) * share < Double(rotated) ? share.nextUp : share)
        )
    }

    /// Width of a head.
    func headWidth() throws(WeightsError) -> Int {
        let heads = try integer("attention.head_count")
        let hidden = try integer("embedding_length")
        return try integer("attention.key_length", default: heads > 0 ? hidden / heads : 0)
    }

    /// Groups of experts of which some are chosen: how many there are, and how many are chosen. None is one.
    func expertGroups() throws(WeightsError) -> (count: JSON, chosenCount: JSON) {
        func atLeastOne(_ name: String) throws(WeightsError) -> JSON {
            .integer(Int64(max(1, try integer(name, default: 1))))
        }
        return (try atLeastOne("expert_group_count"), try atLeastOne("expert_group_used_count"))
    }

    /// Refuses what the file's own program would do with the values of a layer beside the rest.
    private func refuseVariants() throws(WeightsError) {
        let absent = [
            "attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale", "attention.temperature_scale",
            "attn_logit_softcapping", "final_logit_softcapping", "router_logit_softcapping",
        ]
        for name in absent { try require(name, [0]) }
        for name in ["embedding_scale", "expert_group_scale", "logit_scale", "residual_scale"] {
            try require(name, [1])
        }
        guard try flag("attention.causal", default: true) else {
            throw invalid(key("attention.causal"), false, "true: Colony computes with no other")
        }
    }
}
