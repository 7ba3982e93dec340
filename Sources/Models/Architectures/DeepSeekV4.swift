import Basics
import Kernels

/// What `config.json` of DeepSeek-V4 (DeepSeek-AI, 2026) says, as published or as transformers 5 writes it. The family
/// is not served yet: the streams, the router and the activation have their kernels, blocks for compressed keys and
/// values are missing.
package struct DeepSeekV4Configuration: Sendable {
    /// What a layer sees beside the last tokens.
    package enum Compression: Hashable, Sendable {
        /// All entries that each stand for so many positions.
        case all(positions: Int)
        /// Those entries, each standing for so many positions and overlapping the one before, that an indexer picks.
        case chosen(positions: Int)
        /// Nothing.
        case none
    }

    /// What picks entries: small heads that score them, and how many are picked.
    package struct Indexer: Hashable, Sendable {
        /// Heads.
        package let headCount: Int
        /// Width of one.
        package let headWidth: Int
        /// Entries that a token sees.
        package let chosenCount: Int
    }

    /// Per layer what it sees beside the last `windowTokens` tokens.
    package let compressions: [Compression]
    /// Per layer whether a token's experts are named by the token itself, in a table.
    package let hasNamedExperts: [Bool]
    /// Query heads; all share one key, which is also the value.
    package let headCount: Int
    /// Width of one head.
    package let headWidth: Int
    /// Width of what queries are made from.
    package let queryRank: Int
    /// Groups of heads whose results are made narrow apart from each other, and how narrow.
    package let outputGroups: (count: Int, rank: Int)
    /// Most positions, its own included, that a token sees as they are.
    package let windowTokens: Int
    /// What picks entries.
    package let indexer: Indexer
    /// Rotary positions of layers that see no entries.
    package let rotary: RotaryDescription
    /// Rotary positions of the others, and of the entries.
    package let compressedRotary: RotaryDescription
    /// The streams of the residual.
    package let streams: StreamRule
    /// What joins gate and up, of experts and of the shared expert.
    package let activation: GatedActivation
    /// How scores choose and weigh experts.
    package let router: RouterRule

    /// Reads and checks the keys.
    package init(_ configuration: ConfigurationReader) throws(ModelError) {
        let layerCount = try configuration.integer("num_hidden_layers", in: 1...Limits.Models.layersMax)
        _ = try configuration.choice("scoring_func", of: ["sqrtsoftplus"], default: "sqrtsoftplus")
        _ = try configuration.choice("topk_method", of: ["noaux_tc"], default: "noaux_tc")
        compressions = try Self.compressions(configuration, layerCount: layerCount)
        hasNamedExperts = try Self.namedExperts(configuration, layerCount: layerCount)
        headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
        headWidth = try configuration.integer("head_dim", in: 2...Limits.Models.widthMax, default: 512)
        queryRank = try configuration.integer("q_lora_rank", in: 1...Limits.Models.widthMax, default: 1024)
        outputGroups = try Self.outputGroups(configuration, headCount: headCount)
        windowTokens = try configuration.integer(
            "sliding_window", in: 1...Limits.Models.contextTokensMax, default: 128)
        indexer = Indexer(
            headCount: try configuration.integer("index_n_heads", in: 1...Limits.Models.headsMax, default: 64),
            headWidth: try configuration.integer("index_head_dim", in: 2...Limits.Models.widthMax, default: 128),
            chosenCount: try configuration.integer("index_topk", in: 1...Limits.Models.contextTokensMax, default: 512))
        (rotary, compressedRotary) = try Self.rotaries(configuration, headWidth: headWidth)
        streams = StreamRule(
            streamCount: try configuration.integer("hc_mult", in: 1...StreamRule.streamCountMax, default: 4),
            roundCount: try configuration.integer("hc_sinkhorn_iters", in: 1...100, default: 20),
            epsilon: Float(try configuration.positive("hc_eps", default: 1e-6)))
        activation = GatedActivation(limit: Float(try configuration.positive("swiglu_limit", default: 10)))
        router = RouterRule(
            scoring: .sqrtSoftplus,
            expertsPerToken: try configuration.integer(
                "num_experts_per_tok", in: 1...Limits.Models.expertsMax, default: 6),
            normalises: try configuration.bool("norm_topk_prob", default: true), normaliserEpsilon: 1e-20,
            scale: Float(try configuration.number("routed_scaling_factor", default: 1.5)))
    }
}

private let slidingOnly = "sliding_attention"
private let sparse = "compressed_sparse_attention"
private let heavy = "heavily_compressed_attention"

extension DeepSeekV4Configuration {
    /// `layer_types` with `compress_rates`, or `compress_ratios`, where 0 is a window alone; layers that predict
    /// further tokens may follow there.
    private static func compressions(
        _ configuration: ConfigurationReader, layerCount: Int
    ) throws(ModelError) -> [Compression] {
        let rates = try configuration.object("compress_rates") ?? ConfigurationReader(JSON.array([]))
        let positions = 1...Limits.Models.contextTokensMax
        let ofType: [String: Compression] = [
            slidingOnly: .none, sparse: .chosen(positions: try rates.integer(sparse, in: positions, default: 4)),
            heavy: .all(positions: try rates.integer(heavy, in: positions, default: 128)),
        ]
        if let types = try configuration.layerTypes(of: [slidingOnly, sparse, heavy], layerCount: layerCount) {
            return types.compactMap { ofType[$0] }
        }
        let key = "compress_ratios"
        let typeOfRatio = [0: slidingOnly, 4: sparse, 128: heavy]
        let ratios = try configuration.integers(key)
        guard !ratios.isEmpty else {
            return (0..<layerCount).compactMap { ofType[$0 < 2 || $0 % 2 == 0 ? heavy : sparse] }
        }
        guard ratios.count >= layerCount else {
            throw .configurationInvalid(
                key: key, found: "\(ratios.count) numbers", expected: "one for each of the \(layerCount) layers")
        }
        var found: [Compression] = []
        for ratio in ratios.prefix(layerCount) {
            guard let type = typeOfRatio[ratio], let compression = ofType[type] else {
                throw .configurationUnsupported(
                    key: key, found: String(ratio), supported: typeOfRatio.keys.sorted().map(String.init))
            }
            found.append(compression)
        }
        return found
    }

    /// `mlp_layer_types`, or the first `num_hash_layers`.
    private static func namedExperts(
        _ configuration: ConfigurationReader, layerCount: Int
    ) throws(ModelError) -> [Bool] {
        let types = try configuration.layerTypes("mlp_layer_types", of: ["hash_moe", "moe"], layerCount: layerCount)
        if let types { return types.map { $0 == "hash_moe" } }
        let count = try configuration.integer("num_hash_layers", in: 0...Limits.Models.layersMax, default: 3)
        return (0..<layerCount).map { $0 < count }
    }

    private static func outputGroups(
        _ configuration: ConfigurationReader, headCount: Int
    ) throws(ModelError) -> (count: Int, rank: Int) {
        let count = try configuration.integer("o_groups", in: 1...Limits.Models.headsMax, default: 8)
        guard headCount % count == 0 else {
            throw .configurationInvalid(
                key: "o_groups", found: String(count), expected: "a divisor of num_attention_heads, \(headCount)")
        }
        return (count, try configuration.integer("o_lora_rank", in: 1...Limits.Models.widthMax, default: 1024))
    }

    /// `rope_parameters` with `main` and `compress`, or `rope_theta`, and `compress_rope_theta` with `rope_scaling`.
    /// YaRN's attention factor is 1 where the file does not say it.
    private static func rotaries(
        _ configuration: ConfigurationReader, headWidth: Int
    ) throws(ModelError) -> (RotaryDescription, RotaryDescription) {
        let parameters = try configuration.object("rope_parameters")
        let main = try parameters?.object("main")
        let scaling = try configuration.object("rope_scaling")
        let compress = try parameters?.object("compress") ?? scaling
        let dimensions: Int
        if configuration.value("qk_rope_head_dim") != nil {
            dimensions = try configuration.integer("qk_rope_head_dim", in: 2...headWidth)
        } else {
            dimensions = try RotaryDescription.rotatedDimensions(
                main ?? configuration, headWidth: headWidth, fallback: 0.125)
        }
        let empty = JSON.array([])
        return (
            try RotaryDescription(
                source: main ?? ConfigurationReader(empty), configuration, dimensions: dimensions,
                theta: configuration.positive("rope_theta", default: 10_000)),
            try RotaryDescription(
                source: ConfigurationReader(compress?.document ?? empty).filling(["attention_factor": 1]),
                configuration, dimensions: dimensions,
                theta: configuration.positive("compress_rope_theta", default: 160_000))
        )
    }
}
