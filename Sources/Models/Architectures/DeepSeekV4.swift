import Basics
import Kernels

/// DeepSeek-V4 (DeepSeek-AI, 2026): a residual of several streams, attention over the last keys and over entries that
/// stand for earlier ones, and first layers whose experts the token itself names.
let describeDeepSeekV4: Architecture = { configuration, tensorNames throws(ModelError) in
    try DeepSeekV4Configuration(configuration).describe(configuration, tensorNames)
}

/// What `config.json` of DeepSeek-V4 says, as published or as transformers 5 writes it.
package struct DeepSeekV4Configuration: Sendable {
    /// What a layer sees beside the last tokens.
    package enum Compression: Hashable, Sendable {
        /// All entries that each stand for so many positions.
        case all(positions: Int)
        /// Those entries, each standing for so many positions and overlapping the one before, that an indexer picks.
        case chosen(positions: Int)
        /// Nothing.
        case none

        /// Positions that an entry stands for; nil where there are none.
        package var positions: Int? {
            switch self {
            case .all(let positions), .chosen(let positions): positions
            case .none: nil
            }
        }
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
    /// The same of layers that predict further tokens.
    package let predictionCompressions: [Compression]
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
    /// Positions of a block of entries: whole panels of those of every layer.
    package let blockPositions: Int

    /// Reads and checks the keys.
    package init(_ configuration: ConfigurationReader) throws(ModelError) {
        let layerCount = try configuration.integer("num_hidden_layers", in: 1...Limits.Models.layersMax)
        try Self.refuseVariants(configuration)
        _ = try configuration.choice("scoring_func", of: ["sqrtsoftplus"], default: "sqrtsoftplus")
        _ = try configuration.choice("topk_method", of: ["noaux_tc"], default: "noaux_tc")
        let predictionCount = try PredictionReader.count(configuration)
        (compressions, predictionCompressions) = try Self.compressions(
            configuration, layerCount: layerCount, predictionCount: predictionCount)
        blockPositions = try Self.blockPositions(compressions + predictionCompressions)
        hasNamedExperts = try Self.namedExperts(configuration, layerCount: layerCount)
        headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
        headWidth = try AttentionReader.headWidth(
            configuration.filling(["head_dim": 512]), hiddenSize: 0, headCount: headCount)
        queryRank = try configuration.integer("q_lora_rank", in: 1...Limits.Models.widthMax, default: 1024)
        outputGroups = try Self.outputGroups(configuration, headCount: headCount)
        windowTokens = try configuration.integer(
            "sliding_window", in: 1...Limits.Models.contextTokensMax, default: 128)
        (rotary, compressedRotary) = try Self.rotaries(configuration, headWidth: headWidth)
        indexer = try Self.indexer(configuration, rotaryWidth: 2 * rotary.inverseFrequencies.count)
        streams = StreamRule(
            streamCount: try configuration.integer("hc_mult", in: 1...StreamRule.streamCountMax, default: 4),
            roundCount: try configuration.integer("hc_sinkhorn_iters", in: 1...100, default: 20),
            epsilon: Float(try configuration.positive("hc_eps", default: 1e-6)))
        activation = GatedActivation(limit: Float(try configuration.positive("swiglu_limit", default: 10)))
        router = RouterRule(
            scoring: .sqrtSoftplus,
            expertsPerToken: try configuration.integer(
                "num_experts_per_tok", in: 1...Limits.Models.expertsMax, default: 6),
            normalises: true, normaliserEpsilon: 1e-20,
            scale: Float(try configuration.number("routed_scaling_factor", default: 1.5)))
    }
}

private let slidingOnly = "sliding_attention"
private let sparse = "compressed_sparse_attention"
private let heavy = "heavily_compressed_attention"

extension DeepSeekV4Configuration {
    /// `layer_types` with `compress_rates`, or `compress_ratios`, where 0 is a window alone; those of layers that
    /// predict further tokens may follow there, and are a window alone where they do not.
    private static func compressions(
        _ configuration: ConfigurationReader, layerCount: Int, predictionCount: Int
    ) throws(ModelError) -> ([Compression], [Compression]) {
        let ofType = try compressionsOfTypes(configuration)
        let windowsAlone = [Compression](repeating: .none, count: predictionCount)
        if let types = try configuration.layerTypes(of: [slidingOnly, sparse, heavy], layerCount: layerCount) {
            return (types.compactMap { ofType[$0] }, windowsAlone)
        }
        let key = "compress_ratios"
        let typeOfRatio = [0: slidingOnly, 4: sparse, 128: heavy]
        let ratios = try configuration.integers(key)
        guard !ratios.isEmpty else {
            return ((0..<layerCount).compactMap { ofType[$0 < 2 || $0 % 2 == 0 ? heavy : sparse] }, windowsAlone)
        }
        guard ratios.count >= layerCount else {
            throw .configurationInvalid(
                key: key, found: "\(ratios.count) numbers", expected: "one for each of the \(layerCount) layers")
        }
        var found: [Compression] = []
        for ratio in ratios.prefix(layerCount + predictionCount) {
            guard let type = typeOfRatio[ratio], let compression = ofType[type] else {
                throw .configurationUnsupported(
                    key: key, found: String(ratio), supported: typeOfRatio.keys.sorted().map(String.init))
            }
            found.append(compression)
        }
        let further = found.dropFirst(layerCount) + windowsAlone
        return (Array(found.prefix(layerCount)), Array(further.prefix(predictionCount)))
    }

    /// What a layer of each type sees: `compress_rates`, or keys of their own.
    private static func compressionsOfTypes(
        _ configuration: ConfigurationReader
    ) throws(ModelError) -> [String: Compression] {
        let rates = try configuration.object("compress_rates") ?? ConfigurationReader(JSON.array([]))
        let positions = 1...Limits.Models.contextTokensMax
        func rate(_ type: String, _ key: String, _ fallback: Int) throws(ModelError) -> Int {
            try configuration.integer(
                key, in: positions, default: rates.integer(type, in: positions, default: fallback))
        }
        return [
            slidingOnly: .none, sparse: .chosen(positions: try rate(sparse, "compress_rate_csa", 4)),
            heavy: .all(positions: try rate(heavy, "compress_rate_hca", 128)),
        ]
    }

    /// Keys that stand for another computation than that of the published models.
    private static func refuseVariants(_ configuration: ConfigurationReader) throws(ModelError) {
        for key in ["num_key_value_heads", "n_shared_experts"] {
            let count = try configuration.integer(key, in: 0...Limits.Models.headsMax, default: 1)
            guard count == 1 else {
                throw .configurationUnsupported(key: key, found: String(count), supported: ["1"])
            }
        }
        for (key, expected) in [("attention_bias", false), ("mlp_bias", false), ("norm_topk_prob", true)] {
            let found = try configuration.bool(key, default: expected)
            guard found == expected else {
                throw .configurationUnsupported(key: key, found: "\(found)", supported: ["\(expected)"])
            }
        }
    }

    /// The least number of positions that are whole panels of every layer's entries.
    private static func blockPositions(_ compressions: [Compression]) throws(ModelError) -> Int {
        var common = 1
        for compression in compressions {
            guard let positions = compression.positions else { continue }
            common = common / greatestCommonDivisor(common, positions) * positions
            guard common <= Limits.Models.entryBlockPositionsMax / KeyValueLayout.panelPositions else {
                throw .configurationUnsupported(
                    key: "compress_rates", found: "a common multiple of \(common)",
                    supported: ["up to \(Limits.Models.entryBlockPositionsMax / KeyValueLayout.panelPositions)"])
            }
        }
        return common * KeyValueLayout.panelPositions
    }

    private static func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : greatestCommonDivisor(right, left % right)
    }

    private static func indexer(
        _ configuration: ConfigurationReader, rotaryWidth: Int
    ) throws(ModelError) -> Indexer {
        let indexer = Indexer(
            headCount: try configuration.integer("index_n_heads", in: 1...Limits.Models.headsMax, default: 64),
            headWidth: try configuration.integer("index_head_dim", in: 2...Limits.Models.widthMax, default: 128),
            chosenCount: try configuration.integer(
                "index_topk", in: 1...Limits.Models.chosenPositionsMax, default: 512))
        guard indexer.headWidth >= rotaryWidth else {
            throw .configurationInvalid(
                key: "index_head_dim", found: String(indexer.headWidth),
                expected: "no less than qk_rope_head_dim, \(rotaryWidth)")
        }
        return indexer
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
        let key = "qk_rope_head_dim"
        if configuration.value(key) != nil {
            dimensions = try configuration.integer(key, in: 2...headWidth)
            guard dimensions % 2 == 0 else {
                throw .configurationInvalid(key: key, found: String(dimensions), expected: "an even number")
            }
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
