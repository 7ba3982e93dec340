import Basics

/// Latent attention as the keys and names of DeepSeek-V3 say it, the same in all layers.
struct LatentAttentionReader {
    /// What holds if the file does not say it.
    struct Defaults {
        var queryRank = 1536
        var plainWidth = 128
        var valueWidth = 128
    }

    /// How a family differs.
    struct Variation {
        /// Added under the root of the block's norms: the classes do not take it from the file.
        var normEpsilon: Float = 1e-6
        /// Whether queries may come directly.
        var allowsDirectQueries = true
        /// Whether `rope_interleave` says how pairs lie; else they are neighbours.
        var readsInterleaving = true
        /// The sizes of the published model.
        var defaults = Defaults()
    }

    private let headCount: Int
    private let queryRank: Int?
    private let latentWidth: Int
    private let plainWidth: Int
    let rotaryWidth: Int
    private let valueWidth: Int
    private let rotary: RotaryDescription
    private let isInterleaved: Bool
    private let scale: Float
    private let hasBias: Bool
    private let variation: Variation
    private let tensorNames: Set<String>

    init(
        _ configuration: ConfigurationReader, _ tensorNames: Set<String>, _ variation: Variation = Variation()
    ) throws(ModelError) {
        self.variation = variation
        self.tensorNames = tensorNames
        let widths = 1...Limits.Models.widthMax
        headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
        let keyHeadCount = try configuration.integer(
            "num_key_value_heads", in: 1...Limits.Models.headsMax, default: headCount)
        guard keyHeadCount == headCount else {
            throw .configurationUnsupported(
                key: "num_key_value_heads", found: String(keyHeadCount),
                supported: ["num_attention_heads, \(headCount)"])
        }
        queryRank = try Self.queryRank(configuration, variation)
        latentWidth = try configuration.integer("kv_lora_rank", in: widths, default: 512)
        plainWidth = try configuration.integer(
            "qk_nope_head_dim", in: widths, default: variation.defaults.plainWidth)
        rotaryWidth = try configuration.integer("qk_rope_head_dim", in: 2...Limits.Models.widthMax, default: 64)
        valueWidth = try configuration.integer("v_head_dim", in: widths, default: variation.defaults.valueWidth)
        guard rotaryWidth % 2 == 0 else {
            throw .configurationInvalid(
                key: "qk_rope_head_dim", found: String(rotaryWidth), expected: "an even number")
        }
        let rotated = try RotaryDescription.rotatedDimensions(configuration, headWidth: rotaryWidth, fallback: 1)
        guard rotated == rotaryWidth else {
            throw .configurationUnsupported(
                key: "partial_rotary_factor", found: "\(Double(rotated) / Double(rotaryWidth))", supported: ["1"])
        }
        rotary = try RotaryDescription(configuration, dimensions: rotaryWidth)
        isInterleaved =
            variation.readsInterleaving ? try configuration.bool("rope_interleave", default: true) : true
        let stretch = try RotaryDescription.scoreFactor(configuration)
        scale = Float(1 / Double(plainWidth + rotaryWidth).squareRoot() * stretch)
        hasBias = try configuration.bool("attention_bias", default: false)
    }

    /// Null says that there is no narrow layer; a missing key does not.
    private static func queryRank(
        _ configuration: ConfigurationReader, _ variation: Variation
    ) throws(ModelError) -> Int? {
        if let value = configuration.document["q_lora_rank"], value.isNull {
            if variation.allowsDirectQueries { return nil }
            throw configuration.invalid("q_lora_rank", value, "a whole number")
        }
        return try configuration.integer(
            "q_lora_rank", in: 1...Limits.Models.widthMax, default: variation.defaults.queryRank)
    }

    private func keyValueUp(prefix: String) -> LatentAttentionDescription.KeyValueUp {
        let keyName = prefix + ".k_b_proj.weight"
        guard tensorNames.contains(keyName) else { return .together(name: prefix + ".kv_b_proj.weight") }
        return .apart(keyName: keyName, valueName: prefix + ".v_b_proj.weight")
    }

    func layer(prefix: String, sparsity: SparsityDescription? = nil) -> LatentAttentionDescription {
        func linear(_ name: String, hasBias: Bool = false) -> LinearNames {
            LinearNames(prefix: "\(prefix).\(name)", hasBias: hasBias)
        }
        let query = queryRank.map { rank in
            LatentAttentionDescription.Query.lowRank(
                rank: rank, down: linear("q_a_proj", hasBias: hasBias), normName: prefix + ".q_a_layernorm.weight",
                up: linear("q_b_proj"))
        }
        return LatentAttentionDescription(
            headCount: headCount, latentWidth: latentWidth, plainWidth: plainWidth, rotaryWidth: rotaryWidth,
            valueWidth: valueWidth, rotary: rotary, isInterleaved: isInterleaved, scale: scale,
            normEpsilon: variation.normEpsilon, query: query ?? .direct(linear("q_proj")),
            latent: linear("kv_a_proj_with_mqa", hasBias: hasBias),
            latentNormName: prefix + ".kv_a_layernorm.weight", keyValueUp: keyValueUp(prefix: prefix),
            output: linear("o_proj", hasBias: hasBias), sparsity: sparsity)
    }
}
