import Basics
import Kernels

/// GPT-OSS (OpenAI, arXiv 2508.10925): grouped-query attention with biases and a sink in each head's softmax, a window
/// in every other layer; a softmax router and experts with biases and a clamped activation.
let describeGptOss: Architecture = { configuration, tensorNames throws(ModelError) in
    let configuration = gptOssWithFallbacks(configuration)
    let decoder = try DecoderReader(configuration)
    let hasBias = try configuration.bool("attention_bias", default: true)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            hasInputBias: hasBias, hasOutputBias: hasBias, hasSinks: true, windowTokens: try configuration.window(),
            rotaryTheta: 150_000))
    // A softmax of the chosen experts' logits: that of all of them, divided by the sum of the chosen.
    var mixture = try MixtureReader(
        configuration, countKeys: ["num_local_experts", "num_experts"], widthKey: "intermediate_size",
        rule: RouterRule(scoring: .softmax, expertsPerToken: 4, normalises: true), tensorNames: [])
    mixture.activation = GatedActivation(
        limit: Float(try configuration.positive("swiglu_limit", default: 7)),
        slope: Float(try configuration.positive("swiglu_alpha", default: 1.702)), offset: 1)
    let full = "full_attention"
    let sliding = "sliding_attention"
    let layerTypes =
        try configuration.layerTypes(of: [full, sliding], layerCount: decoder.layerCount)
        ?? (0..<decoder.layerCount).map { $0 % 2 == 0 ? sliding : full }
    return try decoder.describe("gpt_oss", normEpsilon: 1e-5) { index, prefix in
        .groupedQuery(attention.layer(prefix: prefix, seesAll: layerTypes[index] == full))
    } feedForward: { _, prefix in
        let router = prefix + ".mlp.router"
        let experts = prefix + ".mlp.experts"
        // As 4-bit floats, as they are published, weights lie in rows; as transformers writes others, in columns.
        let isTransposed = !tensorNames.contains(experts + ".gate_up_proj_blocks")
        return mixture.layer(
            router: RouterDescription(weightName: router + ".weight", biasName: router + ".bias", rule: mixture.rule),
            storage: tensorNames.contains(experts + ".gate_proj")
                ? .stacked(prefix: experts, hasBiases: true)
                : .interleaved(prefix: experts, isTransposed: isTransposed))
    }
}

/// What the family has where the file says nothing; its context is always stretched.
private func gptOssWithFallbacks(_ configuration: ConfigurationReader) -> ConfigurationReader {
    var fallbacks: [String: JSON] = ["head_dim": 64, "num_key_value_heads": 8, "sliding_window": 128]
    if configuration.value("rope_scaling") == nil {
        fallbacks["rope_parameters"] = [
            "rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1, "truncate": false,
            "original_max_position_embeddings": 4096,
        ]
    }
    return configuration.filling(fallbacks)
}
