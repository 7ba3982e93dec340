import Basics
import Kernels

/// DeepSeek-V3 and R1 (DeepSeek-AI, arXiv 2412.19437) and Kimi-K2, which has its blocks: latent attention, a sigmoid
/// router with a bias for the choice and groups, a shared expert, and dense layers first.
let describeDeepseekV3: Architecture = { configuration, tensorNames throws(ModelError) in
    try deepseekRefuseVariants(configuration)
    var decoder = try DecoderReader(configuration)
    decoder.predictions = try PredictionReader(.behindLast, configuration, tensorNames)
    let attention = try LatentAttentionReader(configuration, tensorNames)
    let feedForward = try DeepseekFeedForwardReader(
        configuration, tensorNames, groupCount: 8, chosenGroupCount: 4, layerCount: decoder.layerCount)
    return try decoder.describe(
        "deepseek_v3", normEpsilon: 1e-6, attention: { .latent(attention.layer(prefix: $1)) },
        feedForward: feedForward.layer)
}

/// Keys of the published files that stand for another computation than the one of the published models.
func deepseekRefuseVariants(_ configuration: ConfigurationReader) throws(ModelError) {
    _ = try configuration.choice("scoring_func", of: ["sigmoid"], default: "sigmoid")
    _ = try configuration.choice("topk_method", of: ["noaux_tc"], default: "noaux_tc")
    let frequency = try configuration.integer("moe_layer_freq", in: 1...Limits.Models.layersMax, default: 1)
    guard frequency == 1 else {
        throw .configurationUnsupported(key: "moe_layer_freq", found: String(frequency), supported: ["1"])
    }
}

/// What follows attention in DeepSeek-V3 and its relatives: dense layers first, then mixtures.
struct DeepseekFeedForwardReader {
    private let mixture: MixtureReader
    private let denseWidth: Int
    /// Layers beyond have experts.
    private let isDense: [Bool]
    private let sharedCount: Int

    /// The numbers of groups are what holds if the file does not say it.
    init(
        _ configuration: ConfigurationReader, _ tensorNames: Set<String>, groupCount: Int, chosenGroupCount: Int,
        layerCount: Int
    ) throws(ModelError) {
        mixture = try MixtureReader(
            configuration, countKeys: ["n_routed_experts", "num_local_experts"], widthKey: "moe_intermediate_size",
            rule: RouterRule(
                scoring: .sigmoid, expertsPerToken: 8,
                normalises: try configuration.bool("norm_topk_prob", default: true), normaliserEpsilon: 1e-20,
                scale: Float(try configuration.number("routed_scaling_factor", default: 2.5))),
            tensorNames: tensorNames
        ).grouped(configuration, groupCount: groupCount, chosenGroupCount: chosenGroupCount)
        denseWidth = try configuration.integer("intermediate_size", in: 1...Limits.Models.widthMax)
        isDense = try Self.isDense(configuration, layerCount: layerCount)
        sharedCount = try configuration.integer(
            "n_shared_experts", in: 0...Limits.Models.sharedExpertsMax, default: 1)
    }

    /// `mlp_layer_types`, or how many layers come first.
    private static func isDense(
        _ configuration: ConfigurationReader, layerCount: Int
    ) throws(ModelError) -> [Bool] {
        if let types = try configuration.layerTypes(
            "mlp_layer_types", of: ["dense", "sparse"], layerCount: layerCount)
        {
            return types.map { $0 == "dense" }
        }
        let count = try configuration.integer("first_k_dense_replace", in: 0...Limits.Models.layersMax, default: 3)
        return (0..<max(layerCount, count)).map { $0 < count }
    }

    func layer(index: Int, prefix: String) -> FeedForwardDescription {
        let prefix = prefix + ".mlp"
        guard index >= isDense.count || !isDense[index] else {
            return .dense(GatedFeedForwardDescription(prefix: prefix, width: denseWidth))
        }
        // All shared experts of a layer are stored as one.
        let shared = GatedFeedForwardDescription(
            prefix: prefix + ".shared_experts", width: mixture.expertWidth * sharedCount)
        return mixture.layer(
            prefix: prefix, choiceBias: "gate.e_score_correction_bias", sharedExpert: sharedCount > 0 ? shared : nil)
    }
}
