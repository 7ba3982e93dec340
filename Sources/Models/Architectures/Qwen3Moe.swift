import Basics
import Kernels

/// Qwen3-MoE (Yang et al., arXiv 2505.09388): grouped-query attention with norms on queries and keys, a softmax router
/// without shared expert, and dense layers where `mlp_only_layers` and `decoder_sparse_step` say so.
let describeQwen3Moe: Architecture = { configuration, tensorNames throws(ModelError) in
    let decoder = try DecoderReader(configuration)
    let hasBias = try configuration.bool("attention_bias", default: false)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            norms: .eachHead, hasInputBias: hasBias, hasOutputBias: hasBias,
            windowTokens: try qwen3MoeWindow(configuration)))
    // Published files say `num_experts`, those that transformers 5 writes `num_local_experts`.
    let mixture = try MixtureReader(
        configuration, countKeys: ["num_experts", "num_local_experts"], widthKey: "moe_intermediate_size",
        rule: RouterRule(
            scoring: .softmax, expertsPerToken: 8,
            normalises: try configuration.bool("norm_topk_prob", default: false)),
        expertsMin: 0, tensorNames: tensorNames)
    let denseWidth = try configuration.integer(
        "intermediate_size", in: 1...Limits.Models.widthMax, default: mixture.expertWidth)
    let sparseStep = try configuration.integer("decoder_sparse_step", in: 1...Limits.Models.layersMax, default: 1)
    let denseLayers = Set(try configuration.integers("mlp_only_layers"))
    return try decoder.describe("qwen3_moe", normEpsilon: 1e-6, attention: attention) { index, prefix in
        guard mixture.expertCount > 0, !denseLayers.contains(index), (index + 1) % sparseStep == 0 else {
            return .dense(GatedFeedForwardDescription(prefix: prefix + ".mlp", width: denseWidth))
        }
        return mixture.layer(prefix: prefix + ".mlp")
    }
}

private func qwen3MoeWindow(_ configuration: ConfigurationReader) throws(ModelError) -> Int? {
    let isUsed = try configuration.bool("use_sliding_window", default: false)
    return isUsed ? try configuration.window() : nil
}
