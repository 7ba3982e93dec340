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
    /// Query heads.
    public let headCount: Int
    /// Key and value heads; divides `headCount`.
    public let keyValueHeadCount: Int
    /// Width of one head.
    public let headWidth: Int
    /// Most positions, its own included, that a token sees; nil: all before it.
    public let windowTokens: Int?
    /// Rotary positions.
    public let rotary: RotaryDescription
    /// `[headCount · headWidth, hiddenSize]`.
    public let query: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let key: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let value: LinearNames
    /// `[hiddenSize, headCount · headWidth]`.
    public let output: LinearNames
    /// Norm of each query head, `[headWidth]`; nil if there is none.
    public let queryNormName: String?
    /// Norm of each key head, `[headWidth]`; nil if there is none.
    public let keyNormName: String?

    /// Describes an attention block.
    public init(
        headCount: Int, keyValueHeadCount: Int, headWidth: Int, windowTokens: Int?, rotary: RotaryDescription,
        query: LinearNames, key: LinearNames, value: LinearNames, output: LinearNames, queryNormName: String?,
        keyNormName: String?
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
        self.queryNormName = queryNormName
        self.keyNormName = keyNormName
    }
}

/// What follows attention in a layer.
public enum FeedForwardDescription: Sendable {
    /// One gated FFN for all tokens.
    case dense(GatedFeedForwardDescription)
    /// A router and its experts.
    case mixture(MixtureDescription)
}

/// A gated FFN: `down(silu(gate(x)) · up(x))`.
public struct GatedFeedForwardDescription: Sendable {
    /// Width between the projections.
    public let width: Int
    /// `[width, hiddenSize]`.
    public let gateName: String
    /// `[width, hiddenSize]`.
    public let upName: String
    /// `[hiddenSize, width]`.
    public let downName: String

    /// Describes a gated FFN whose projections are stored under `prefix`.
    public init(prefix: String, width: Int) {
        self.width = width
        gateName = prefix + ".gate_proj.weight"
        upName = prefix + ".up_proj.weight"
        downName = prefix + ".down_proj.weight"
    }
}

/// A softmax router with its experts (Shazeer et al., arXiv 1701.06538).
public struct MixtureDescription: Sendable {
    /// How the experts of a layer are stored.
    public enum Storage: Hashable, Sendable {
        /// Two tensors for all experts: `prefix.gate_up_proj` `[experts, 2 · width, hidden]` and
        /// `prefix.down_proj` `[experts, hidden, width]`.
        case fused(prefix: String)
        /// Three tensors per expert: `prefix.<expert>.gate_proj.weight` and so on.
        case separate(prefix: String)
        /// Three tensors for all experts: `prefix.gate_proj` and `prefix.up_proj` `[experts, width, hidden]` and
        /// `prefix.down_proj` `[experts, hidden, width]`. So GGUF files have them.
        case stacked(prefix: String)
    }

    /// The router, `[expertCount, hiddenSize]`.
    public let routerName: String
    /// Experts of the layer.
    public let expertCount: Int
    /// Experts that each token picks.
    public let expertsPerToken: Int
    /// Whether the weights of the picked experts are divided by their sum.
    public let normalisesWeights: Bool
    /// Width of one expert.
    public let expertWidth: Int
    /// Where the experts are stored.
    public let storage: Storage

    /// Describes a router and its experts.
    public init(
        routerName: String, expertCount: Int, expertsPerToken: Int, normalisesWeights: Bool, expertWidth: Int,
        storage: Storage
    ) {
        self.routerName = routerName
        self.expertCount = expertCount
        self.expertsPerToken = expertsPerToken
        self.normalisesWeights = normalisesWeights
        self.expertWidth = expertWidth
        self.storage = storage
    }
}
