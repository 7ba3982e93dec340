import Basics
import Kernels

/// MiniMax-M2 (MiniMax, 2025): grouped-query attention with norms over whole projections, part of each head rotated; a
/// sigmoid router with a bias for the choice, without shared expert.
let describeMiniMaxM2: Architecture = { configuration, tensorNames throws(ModelError) in
    try minimaxM2RefuseVariants(configuration)
    let decoder = try DecoderReader(configuration)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            norms: .wholeProjection,
            rotatedShare: try minimaxM2RotatedShare(configuration, hiddenSize: decoder.hiddenSize),
            rotaryTheta: 5_000_000))
    let mixture = try MixtureReader(
        configuration, countKeys: ["num_local_experts", "num_experts"], widthKey: "intermediate_size",
        rule: RouterRule(scoring: .sigmoid, expertsPerToken: 8, normalises: true), tensorNames: tensorNames)
    return try decoder.describe("minimax_m2", normEpsilon: 1e-6, attention: attention) { _, prefix in
        mixture.layer(
            prefix: mixture.prefix(among: [prefix + ".block_sparse_moe", prefix + ".mlp"]), names: .numbers,
            choiceBias: "e_score_correction_bias")
    }
}

/// Published files give the rotated dimensions themselves.
private func minimaxM2RotatedShare(
    _ configuration: ConfigurationReader, hiddenSize: Int
) throws(ModelError) -> Double {
    guard configuration.value("rotary_dim") != nil else { return 1 }
    let headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
    let width = try AttentionReader.headWidth(configuration, hiddenSize: hiddenSize, headCount: headCount)
    return Double(try configuration.integer("rotary_dim", in: 2...width)) / Double(width)
}

/// Keys of the published files that stand for another computation than the one of the published models.
private func minimaxM2RefuseVariants(_ configuration: ConfigurationReader) throws(ModelError) {
    _ = try configuration.choice("scoring_func", of: ["sigmoid"], default: "sigmoid")
    _ = try configuration.choice("qk_norm_type", of: ["per_layer"], default: "per_layer")
    for key in ["use_qk_norm", "use_routing_bias"] where try !configuration.bool(key, default: true) {
        throw .configurationUnsupported(key: key, found: "false", supported: ["true"])
    }
    // 1 is softmax attention; 0 was linear attention in an earlier family of the same makers.
    for kind in try configuration.integers("attn_type_list") where kind != 1 {
        throw .configurationUnsupported(key: "attn_type_list", found: String(kind), supported: ["1"])
    }
    let sharedWidth = try configuration.integer("shared_intermediate_size", in: 0...Limits.Models.widthMax, default: 0)
    guard sharedWidth == 0 else {
        throw .configurationUnsupported(
            key: "shared_intermediate_size", found: String(sharedWidth), supported: ["0"])
    }
}
