import Basics

/// Qwen3-MoE (Yang et al., arXiv 2505.09388): grouped-query attention with norms on queries and keys, a softmax router
/// without shared expert, and dense layers where `mlp_only_layers` and `decoder_sparse_step` say so.
let describeQwen3Moe: Architecture = { configuration, tensorNames throws(ModelError) in
    _ = try configuration.choice("hidden_act", of: ["silu"], default: "silu")
    let hiddenSize = try configuration.integer("hidden_size", in: 1...Limits.Models.widthMax)
    let layerCount = try configuration.integer("num_hidden_layers", in: 1...Limits.Models.layersMax)
    let attention = try Qwen3MoeAttention(configuration, hiddenSize: hiddenSize)
    let mixture = try Qwen3MoeMixture(configuration, tensorNames: tensorNames)
    let isTied = try configuration.bool("tie_word_embeddings", default: false)
    return ModelDescription(
        family: "qwen3_moe",
        hiddenSize: hiddenSize,
        vocabularySize: try configuration.integer("vocab_size", in: 1...Limits.Models.vocabularyMax),
        contextTokensMax: try configuration.integer("max_position_embeddings", in: 1...Limits.Models.contextTokensMax),
        normEpsilon: Float(try configuration.positive("rms_norm_eps", default: 1e-6)),
        embeddingName: "model.embed_tokens.weight",
        finalNormName: "model.norm.weight",
        headName: isTied ? "model.embed_tokens.weight" : "lm_head.weight",
        layers: (0..<layerCount).map { index in
            let prefix = "model.layers.\(index)"
            return LayerDescription(
                attentionNormName: prefix + ".input_layernorm.weight",
                attention: attention.layer(prefix: prefix + ".self_attn"),
                feedForwardNormName: prefix + ".post_attention_layernorm.weight",
                feedForward: mixture.layer(index, prefix: prefix + ".mlp"))
        })
}

/// What the attention blocks of all layers have in common.
private struct Qwen3MoeAttention {
    let headCount: Int
    let keyValueHeadCount: Int
    let headWidth: Int
    let hasBias: Bool
    let windowTokens: Int?
    let rotary: RotaryDescription

    init(_ configuration: ConfigurationReader, hiddenSize: Int) throws(ModelError) {
        headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
        keyValueHeadCount = try configuration.integer(
            "num_key_value_heads", in: 1...Limits.Models.headsMax, default: headCount)
        guard headCount % keyValueHeadCount == 0 else {
            throw .configurationInvalid(
                key: "num_key_value_heads", found: String(keyValueHeadCount),
                expected: "a divisor of num_attention_heads, \(headCount)")
        }
        headWidth = try configuration.integer(
            "head_dim", in: 2...Limits.Models.widthMax, default: hiddenSize / headCount)
        guard headWidth % 2 == 0 else {
            throw .configurationInvalid(key: "head_dim", found: String(headWidth), expected: "an even number")
        }
        hasBias = try configuration.bool("attention_bias", default: false)
        let usesWindow = try configuration.bool("use_sliding_window", default: false)
        windowTokens =
            usesWindow && configuration.value("sliding_window") != nil
            ? try configuration.integer("sliding_window", in: 1...Limits.Models.contextTokensMax) : nil
        rotary = try RotaryDescription(configuration, dimensions: headWidth)
    }

    func layer(prefix: String) -> GroupedQueryAttentionDescription {
        GroupedQueryAttentionDescription(
            headCount: headCount, keyValueHeadCount: keyValueHeadCount, headWidth: headWidth,
            windowTokens: windowTokens, rotary: rotary,
            query: LinearNames(prefix: prefix + ".q_proj", hasBias: hasBias),
            key: LinearNames(prefix: prefix + ".k_proj", hasBias: hasBias),
            value: LinearNames(prefix: prefix + ".v_proj", hasBias: hasBias),
            output: LinearNames(prefix: prefix + ".o_proj", hasBias: hasBias),
            queryNormName: prefix + ".q_norm.weight", keyNormName: prefix + ".k_norm.weight")
    }
}

/// What the feed-forward blocks of all layers have in common.
private struct Qwen3MoeMixture {
    let expertCount: Int
    let expertsPerToken: Int
    let expertWidth: Int
    let denseWidth: Int
    let normalisesWeights: Bool
    let sparseStep: Int
    let denseLayers: Set<Int>
    let tensorNames: Set<String>

    init(_ configuration: ConfigurationReader, tensorNames: Set<String>) throws(ModelError) {
        // Published files say `num_experts`, those that transformers 5 writes `num_local_experts`.
        let countKey = configuration.value("num_experts") == nil ? "num_local_experts" : "num_experts"
        guard configuration.value(countKey) != nil else { throw .configurationKeyMissing(key: "num_experts") }
        expertCount = try configuration.integer(countKey, in: 0...Limits.Models.expertsMax)
        expertsPerToken = try configuration.integer("num_experts_per_tok", in: 1...Limits.Models.expertsMax, default: 8)
        guard expertCount == 0 || expertsPerToken <= expertCount else {
            throw .configurationInvalid(
                key: "num_experts_per_tok", found: String(expertsPerToken),
                expected: "no more than num_experts, \(expertCount)")
        }
        expertWidth = try configuration.integer("moe_intermediate_size", in: 1...Limits.Models.widthMax)
        denseWidth = try configuration.integer(
            "intermediate_size", in: 1...Limits.Models.widthMax, default: expertWidth)
        normalisesWeights = try configuration.bool("norm_topk_prob", default: false)
        sparseStep = try configuration.integer("decoder_sparse_step", in: 1...Limits.Models.layersMax, default: 1)
        denseLayers = Set(try configuration.integers("mlp_only_layers"))
        self.tensorNames = tensorNames
    }

    func layer(_ index: Int, prefix: String) -> FeedForwardDescription {
        guard expertCount > 0, !denseLayers.contains(index), (index + 1) % sparseStep == 0 else {
            return .dense(GatedFeedForwardDescription(prefix: prefix, width: denseWidth))
        }
        let experts = prefix + ".experts"
        return .mixture(
            MixtureDescription(
                routerName: prefix + ".gate.weight", expertCount: expertCount, expertsPerToken: expertsPerToken,
                normalisesWeights: normalisesWeights, expertWidth: expertWidth,
                storage: storage(prefix: experts)))
    }

    private func storage(prefix: String) -> MixtureDescription.Storage {
        if tensorNames.contains(prefix + ".gate_up_proj") { return .fused(prefix: prefix) }
        return tensorNames.contains(prefix + ".gate_proj") ? .stacked(prefix: prefix) : .separate(prefix: prefix)
    }
}
