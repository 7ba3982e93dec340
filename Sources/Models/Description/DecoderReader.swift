import Basics

/// What nearly every family says under the same keys of `config.json`, and stores under the same names: embedding,
/// pre-norm layers, last norm, head.
struct DecoderReader {
    /// Width of the residual stream.
    let hiddenSize: Int
    /// Layers, without those that predict further tokens.
    let layerCount: Int
    /// Which layers predict further tokens; nil: none.
    var predictions: PredictionReader?
    /// What the names of all tensors but the head's begin with.
    var modelPrefix = "model"
    /// See `ModelDescription.normOffset`.
    var normOffset: Float = 0
    /// Whether the embedding is the head too.
    var isTied: Bool
    /// See `ModelDescription.notices`.
    var notices: [String] = []
    private let configuration: ConfigurationReader

    init(_ configuration: ConfigurationReader) throws(ModelError) {
        self.configuration = configuration
        _ = try configuration.choice("hidden_act", of: ["silu"], default: "silu")
        hiddenSize = try configuration.integer("hidden_size", in: 1...Limits.Models.widthMax)
        layerCount = try configuration.integer("num_hidden_layers", in: 1...Limits.Models.layersMax)
        isTied = try configuration.bool("tie_word_embeddings", default: false)
    }

    /// What the names of a layer's tensors begin with.
    func layerPrefix(_ index: Int) -> String { "\(modelPrefix).layers.\(index)" }

    /// The same for grouped-query attention that is the same in all layers.
    func describe(
        _ family: String, normEpsilon: Double, attention: AttentionReader,
        feedForward: (_ index: Int, _ prefix: String) -> FeedForwardDescription
    ) throws(ModelError) -> ModelDescription {
        try describe(
            family, normEpsilon: normEpsilon, attention: { .groupedQuery(attention.layer(prefix: $1)) },
            feedForward: feedForward)
    }

    /// The whole model; `attention` and `feedForward` are told the index of a layer, for prediction layers beyond the
    /// last one's, and the prefix of their names, `normEpsilon` is what holds if the file does not say it.
    func describe(
        _ family: String, normEpsilon: Double,
        attention: (_ index: Int, _ prefix: String) -> AttentionDescription,
        feedForward: (_ index: Int, _ prefix: String) -> FeedForwardDescription
    ) throws(ModelError) -> ModelDescription {
        let embeddingName = modelPrefix + ".embed_tokens.weight"
        func layer(_ index: Int, _ prefix: String) -> LayerDescription {
            LayerDescription(
                attentionNormName: prefix + ".input_layernorm.weight",
                attention: attention(index, prefix + ".self_attn"),
                feedForwardNormName: prefix + ".post_attention_layernorm.weight",
                feedForward: feedForward(index, prefix))
        }
        return ModelDescription(
            family: family,
            hiddenSize: hiddenSize,
            vocabularySize: try configuration.integer("vocab_size", in: 1...Limits.Models.vocabularyMax),
            contextTokensMax: try configuration.integer(
                "max_position_embeddings", in: 1...Limits.Models.contextTokensMax),
            normEpsilon: Float(try configuration.positive("rms_norm_eps", default: normEpsilon)),
            normOffset: normOffset,
            embeddingName: embeddingName,
            finalNormName: modelPrefix + ".norm.weight",
            headName: isTied ? embeddingName : "lm_head.weight",
            layers: (0..<layerCount).map { layer($0, layerPrefix($0)) },
            predictionLayers: predictions?.describe(
                modelPrefix: modelPrefix, layerCount: layerCount, layer: layer) ?? [],
            notices: notices)
    }
}

/// What the attention blocks of all layers have in common: the usual keys, and how a family differs from the others.
struct AttentionReader {
    /// Which norms stand between projections and rotation; their names are the usual ones.
    enum Norms {
        case eachHead, none, wholeProjection
    }

    /// How a family differs.
    struct Variation {
        /// Norms of queries and keys.
        var norms = Norms.none
        /// Whether the projections to queries, keys and values have biases.
        var hasInputBias = false
        /// Whether the projection back to the hidden size has one.
        var hasOutputBias = false
        /// Whether the softmax of each head has a learned sink.
        var hasSinks = false
        /// Whether the projection to queries gives a gate of the output beside each query.
        var hasOutputGate = false
        /// Most positions that a token sees; nil: all.
        var windowTokens: Int?
        /// The share of a head that is rotated where the file does not say it.
        var rotatedShare = 1.0
        /// The base of the rotary frequencies where the file does not say it.
        var rotaryTheta = 10_000.0
    }

    let headCount: Int
    let keyValueHeadCount: Int
    let headWidth: Int
    let rotary: RotaryDescription
    private let variation: Variation

    init(_ configuration: ConfigurationReader, hiddenSize: Int, _ variation: Variation) throws(ModelError) {
        self.variation = variation
        headCount = try configuration.integer("num_attention_heads", in: 1...Limits.Models.headsMax)
        keyValueHeadCount = try configuration.integer(
            "num_key_value_heads", in: 1...Limits.Models.headsMax, default: headCount)
        guard headCount % keyValueHeadCount == 0 else {
            throw .configurationInvalid(
                key: "num_key_value_heads", found: String(keyValueHeadCount),
                expected: "a divisor of num_attention_heads, \(headCount)")
        }
        headWidth = try Self.headWidth(configuration, hiddenSize: hiddenSize, headCount: headCount)
        let dimensions = try RotaryDescription.rotatedDimensions(
            configuration, headWidth: headWidth, fallback: variation.rotatedShare)
        rotary = try RotaryDescription(configuration, dimensions: dimensions, theta: variation.rotaryTheta)
    }

    /// Width of one head: `head_dim`, or an equal share of the hidden size.
    static func headWidth(
        _ configuration: ConfigurationReader, hiddenSize: Int, headCount: Int
    ) throws(ModelError) -> Int {
        let width = try configuration.integer(
            "head_dim", in: 2...Limits.Models.widthMax, default: hiddenSize / headCount)
        guard width % 2 == 0 else {
            throw .configurationInvalid(key: "head_dim", found: String(width), expected: "an even number")
        }
        return width
    }

    /// The attention of a layer whose names begin with `prefix`; `seesAll`: without the window, `sharedLayer`: with the
    /// keys and values of another layer.
    func layer(prefix: String, seesAll: Bool = false, sharedLayer: Int? = nil) -> GroupedQueryAttentionDescription {
        func linear(_ name: String, _ hasBias: Bool) -> LinearNames {
            LinearNames(prefix: "\(prefix).\(name)", hasBias: hasBias)
        }
        return GroupedQueryAttentionDescription(
            headCount: headCount, keyValueHeadCount: keyValueHeadCount, headWidth: headWidth,
            windowTokens: seesAll ? nil : variation.windowTokens, hasOutputGate: variation.hasOutputGate,
            rotary: rotary,
            query: linear("q_proj", variation.hasInputBias), key: linear("k_proj", variation.hasInputBias),
            value: linear("v_proj", variation.hasInputBias), output: linear("o_proj", variation.hasOutputBias),
            norms: norms(queryName: prefix + ".q_norm.weight", keyName: prefix + ".k_norm.weight"),
            sinksName: variation.hasSinks ? prefix + ".sinks" : nil, sharedLayer: sharedLayer)
    }

    private func norms(queryName: String, keyName: String) -> GroupedQueryAttentionDescription.QueryKeyNorms {
        switch variation.norms {
        case .eachHead: .eachHead(queryName: queryName, keyName: keyName)
        case .none: .none
        case .wholeProjection: .wholeProjection(queryName: queryName, keyName: keyName)
        }
    }
}
