import Basics
import Kernels

/// DeepSeek-V3.2 (DeepSeek-AI, arXiv 2512.02556): DeepSeek-V3 whose tokens look at the positions that an indexer chose.
let describeDeepseekV32: Architecture = { configuration, tensorNames throws(ModelError) in
    try describeSparse(
        configuration, tensorNames, family: "deepseek_v32",
        SparseVariation(isIndexInterleaved: false, indexHeadCount: 64, groupCount: 8, chosenGroupCount: 4)
    ) { _ in true }
}

/// GLM-5 (2026): the same blocks in other sizes, with indexers that several layers may share (arXiv 2603.12201).
let describeGlmMoeDsa: Architecture = { configuration, tensorNames throws(ModelError) in
    // Layers that predict further tokens have indexers of their own.
    let owners = try glmIndexOwners(configuration)
    return try describeSparse(
        configuration, tensorNames, family: "glm_moe_dsa",
        SparseVariation(
            isIndexInterleaved: true, indexHeadCount: 32, groupCount: 1, chosenGroupCount: 1, normEpsilon: 1e-5,
            latentDefaults: LatentAttentionReader.Defaults(queryRank: 2048, plainWidth: 192, valueWidth: 256))
    ) { $0 >= owners.count || owners[$0] }
}

/// How the two families differ.
private struct SparseVariation {
    let isIndexInterleaved: Bool
    let indexHeadCount: Int
    let groupCount: Int
    let chosenGroupCount: Int
    var normEpsilon = 1e-6
    var latentDefaults = LatentAttentionReader.Defaults()
}

private func describeSparse(
    _ configuration: ConfigurationReader, _ tensorNames: Set<String>, family: String, _ variation: SparseVariation,
    hasIndexer: (_ layer: Int) -> Bool
) throws(ModelError) -> ModelDescription {
    try deepseekRefuseVariants(configuration)
    var decoder = try DecoderReader(configuration)
    decoder.predictions = try PredictionReader(.behindLast, configuration, tensorNames)
    let attention = try LatentAttentionReader(
        configuration, tensorNames,
        LatentAttentionReader.Variation(
            allowsDirectQueries: false, readsInterleaving: false, defaults: variation.latentDefaults))
    let indexer = try IndexerReader(
        configuration, headCount: variation.indexHeadCount, isInterleaved: variation.isIndexInterleaved,
        rotaryWidth: attention.rotaryWidth)
    let feedForward = try DeepseekFeedForwardReader(
        configuration, tensorNames, groupCount: variation.groupCount, chosenGroupCount: variation.chosenGroupCount,
        layerCount: decoder.layerCount)
    return try decoder.describe(
        family, normEpsilon: variation.normEpsilon,
        attention: { index, prefix in
            .latent(
                attention.layer(
                    prefix: prefix,
                    sparsity: indexer.layer(prefix: prefix + ".indexer", isOwn: hasIndexer(index))))
        }, feedForward: feedForward.layer)
}

/// The keys of the indexer.
private struct IndexerReader {
    private let headCount: Int
    private let width: Int
    private let chosenCount: Int
    private let isInterleaved: Bool

    init(
        _ configuration: ConfigurationReader, headCount: Int, isInterleaved: Bool, rotaryWidth: Int
    ) throws(ModelError) {
        self.isInterleaved = isInterleaved
        self.headCount = try configuration.integer("index_n_heads", in: 1...Limits.Models.headsMax, default: headCount)
        width = try configuration.integer("index_head_dim", in: 1...Limits.Models.widthMax, default: 128)
        chosenCount = try configuration.integer(
            "index_topk", in: 1...Limits.Models.chosenPositionsMax, default: 2048)
        guard width >= rotaryWidth else {
            throw .configurationInvalid(
                key: "index_head_dim", found: String(width), expected: "no less than qk_rope_head_dim, \(rotaryWidth)")
        }
    }

    func layer(prefix: String, isOwn: Bool) -> SparsityDescription {
        guard isOwn else { return SparsityDescription(count: chosenCount, source: .previous) }
        let indexer = IndexerDescription(
            headCount: headCount, width: width, isInterleaved: isInterleaved,
            query: LinearNames(prefix: prefix + ".wq_b"), key: LinearNames(prefix: prefix + ".wk"),
            keyNorm: LinearNames(prefix: prefix + ".k_norm", hasBias: true),
            headWeights: LinearNames(prefix: prefix + ".weights_proj"))
        return SparsityDescription(count: chosenCount, source: .own(indexer))
    }
}

/// Which layers have an indexer of their own: `indexer_types`, or the pattern or the rhythm that it follows from.
private func glmIndexOwners(_ configuration: ConfigurationReader) throws(ModelError) -> [Bool] {
    let layerCount = try configuration.integer("num_hidden_layers", in: 1...Limits.Models.layersMax)
    let words = ["full", "shared"]
    let patternKey = "index_topk_pattern"
    let owners: [Bool]
    if let types = try configuration.layerTypes("indexer_types", of: words, layerCount: layerCount) {
        owners = types.map { $0 == "full" }
    } else if let pattern = configuration.value(patternKey), let letters = pattern.string {
        guard letters.allSatisfy({ "FS".contains($0) }), letters.count >= layerCount else {
            throw configuration.invalid(patternKey, pattern, "F or S for each of the \(layerCount) layers")
        }
        owners = letters.prefix(layerCount).map { $0 == "F" }
    } else if let types = try configuration.layerTypes(patternKey, of: words, layerCount: layerCount) {
        owners = types.map { $0 == "full" }
    } else {
        let rhythm = max(1, try configuration.integer("index_topk_freq", in: 0...Limits.Models.layersMax, default: 1))
        let offset = try configuration.integer(
            "index_skip_topk_offset", in: 0...Limits.Models.layersMax, default: 2)
        owners = (0..<layerCount).map { max($0 - offset + 1, 0) % rhythm == 0 }
    }
    guard owners[0] else {
        throw .configurationUnsupported(key: "indexer_types", found: "shared, first", supported: ["full, first"])
    }
    return owners
}
