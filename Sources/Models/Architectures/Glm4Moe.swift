import Basics
import Kernels

/// GLM-4.5 and its successors with the same blocks (GLM team, arXiv 2508.06471): grouped-query attention of which half
/// of each head is rotated, a sigmoid router with a bias for the choice, a shared expert, and dense layers first.
let describeGlm4Moe: Architecture = { configuration, tensorNames throws(ModelError) in
    _ = try configuration.choice("scoring_func", of: ["sigmoid"], default: "sigmoid")
    _ = try configuration.choice("topk_method", of: ["noaux_tc"], default: "noaux_tc")
    var decoder = try DecoderReader(configuration)
    decoder.predictions = try PredictionReader(.behindLast, configuration, tensorNames)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            norms: try configuration.bool("use_qk_norm", default: false) ? .eachHead : .none,
            hasInputBias: try configuration.bool("attention_bias", default: false), rotatedShare: 0.5))
    let mixture = try MixtureReader(
        configuration, countKeys: ["n_routed_experts", "num_local_experts"], widthKey: "moe_intermediate_size",
        rule: RouterRule(
            scoring: .sigmoid, expertsPerToken: 8,
            normalises: try configuration.bool("norm_topk_prob", default: true), normaliserEpsilon: 1e-20,
            scale: Float(try configuration.number("routed_scaling_factor", default: 1))),
        tensorNames: tensorNames
    ).grouped(configuration)
    let denseWidth = try configuration.integer("intermediate_size", in: 1...Limits.Models.widthMax)
    let denseCount = try configuration.integer("first_k_dense_replace", in: 0...Limits.Models.layersMax, default: 1)
    let sharedCount = try configuration.integer("n_shared_experts", in: 0...Limits.Models.sharedExpertsMax, default: 1)
    return try decoder.describe("glm4_moe", normEpsilon: 1e-5, attention: attention) { index, prefix in
        let prefix = prefix + ".mlp"
        guard index >= denseCount else {
            return .dense(GatedFeedForwardDescription(prefix: prefix, width: denseWidth))
        }
        // All shared experts of a layer are stored as one.
        let shared = GatedFeedForwardDescription(
            prefix: prefix + ".shared_experts", width: mixture.expertWidth * sharedCount)
        return mixture.layer(
            prefix: prefix, choiceBias: "gate.e_score_correction_bias", sharedExpert: sharedCount > 0 ? shared : nil)
    }
}
