import Basics

/// A model as data: what its layers are made of and under which names their weights are stored. An architecture turns
/// `config.json` into one of these; it contains no arithmetic, no sharding and no knowledge of weight formats.
public struct ModelDescription: Sendable {
    /// The family, e.g. `qwen3_moe`.
    public let family: String
    /// Width of the residual stream.
    public let hiddenSize: Int
    /// Rows of the embedding; token ids are below it.
    public let vocabularySize: Int
    /// Longest sequence, in tokens.
    public let contextTokensMax: Int
    /// Added to the mean square under the root of each RMS norm.
    public let normEpsilon: Float
    /// Name of the embedding, `[vocabularySize, hiddenSize]`.
    public let embeddingName: String
    /// Name of the last norm, `[hiddenSize]`.
    public let finalNormName: String
    /// Name of the output projection, `[vocabularySize, hiddenSize]`; the embedding's name where they are tied.
    public let headName: String
    /// The layers in order.
    public let layers: [LayerDescription]

    /// Describes a model.
    public init(
        family: String, hiddenSize: Int, vocabularySize: Int, contextTokensMax: Int, normEpsilon: Float,
        embeddingName: String, finalNormName: String, headName: String, layers: [LayerDescription]
    ) {
        self.family = family
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextTokensMax = contextTokensMax
        self.normEpsilon = normEpsilon
        self.embeddingName = embeddingName
        self.finalNormName = finalNormName
        self.headName = headName
        self.layers = layers
    }
}

/// One pre-norm layer: `x += attention(norm(x)); x += feedForward(norm(x))`.
public struct LayerDescription: Sendable {
    /// Norm before attention, `[hiddenSize]`.
    public let attentionNormName: String
    /// The attention block.
    public let attention: GroupedQueryAttentionDescription
    /// Norm before the feed-forward block, `[hiddenSize]`.
    public let feedForwardNormName: String
    /// The feed-forward block.
    public let feedForward: FeedForwardDescription

    /// Describes a layer.
    public init(
        attentionNormName: String, attention: GroupedQueryAttentionDescription, feedForwardNormName: String,
        feedForward: FeedForwardDescription
    ) {
        self.attentionNormName = attentionNormName
        self.attention = attention
        self.feedForwardNormName = feedForwardNormName
        self.feedForward = feedForward
    }
}

/// A linear layer's stored names.
public struct LinearNames: Hashable, Sendable {
    /// The weight, `[outputs, inputs]`.
    public let weight: String
    /// The bias, `[outputs]`; nil if there is none.
    public let bias: String?

    /// Names `prefix.weight` and, if the layer has one, `prefix.bias`.
    public init(prefix: String, hasBias: Bool = false) {
        weight = prefix + ".weight"
        bias = hasBias ? prefix + ".bias" : nil
    }
}

/// Grouped-query attention (Ainslie et al., arXiv 2305.13245) with rotary positions and optional norms on queries and
/// keys.
public struct GroupedQueryAttentionDescription: Sendable {
    /// RMS norms between the projections and the rotation.
    public enum QueryKeyNorms: Hashable, Sendable {
        /// Each head by itself, all with one weight, `[headWidth]`.
        case eachHead(queryName: String, keyName: String)
        /// None.
        case none
        /// A whole projection at once: `[headCount · headWidth]` and `[keyValueHeadCount · headWidth]`.
        case wholeProjection(queryName: String, keyName: String)
    }

    /// Query heads.
    public let headCount: Int
    /// Key and value heads; divides `headCount`.
    public let keyValueHeadCount: Int
    /// Width of one head.
    public let headWidth: Int
    /// Most positions, its own included, that a token sees; nil: all before it.
    public let windowTokens: Int?
    /// Rotary positions; where they turn fewer dimensions than a head has, the others stay as they are.
    public let rotary: RotaryDescription
    /// `[headCount · headWidth, hiddenSize]`.
    public let query: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let key: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let value: LinearNames
    /// `[hiddenSize, headCount · headWidth]`.
    public let output: LinearNames
    /// Norms of queries and keys.
    public let norms: QueryKeyNorms

    /// Describes an attention block.
    public init(
        headCount: Int, keyValueHeadCount: Int, headWidth: Int, windowTokens: Int?, rotary: RotaryDescription,
        query: LinearNames, key: LinearNames, value: LinearNames, output: LinearNames, norms: QueryKeyNorms
    ) {
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headWidth = headWidth
        self.windowTokens = windowTokens
        self.rotary = rotary
        self.query = query
        self.key = key
        self.value = value
        self.output = output
        self.norms = norms
    }
}
