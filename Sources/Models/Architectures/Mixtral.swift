import Basics
import Kernels

/// Mixtral (Jiang et al., arXiv 2401.04088): grouped-query attention, a softmax router, experts in every layer.
let describeMixtral: Architecture = { configuration, tensorNames throws(ModelError) in
    let decoder = try DecoderReader(configuration)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(windowTokens: try configuration.window(), rotaryTheta: 1_000_000))
    let mixture = try MixtureReader(
        configuration, countKeys: ["num_local_experts", "num_experts"], widthKey: "intermediate_size",
        rule: RouterRule(scoring: .softmax, expertsPerToken: 2, normalises: true), tensorNames: tensorNames)
    return try decoder.describe("mixtral", normEpsilon: 1e-5, attention: attention) { _, prefix in
        mixture.layer(
            prefix: mixture.prefix(among: [prefix + ".block_sparse_moe", prefix + ".mlp"]), names: .numbers)
    }
}
