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
    /// Added to the stored weights of the norms of layers, of queries and keys, and of the last one: 1 where a family
    /// stores them zero-centred.
    public let normOffset: Float
    /// Name of the embedding, `[vocabularySize, hiddenSize]`.
    public let embeddingName: String
    /// Name of the last norm, `[hiddenSize]`.
    public let finalNormName: String
    /// Name of the output projection, `[vocabularySize, hiddenSize]`; the embedding's name where they are tied.
    public let headName: String
    /// The layers in order.
    public let layers: [LayerDescription]
    /// The layers that predict further tokens, in order: only as many as were asked for (`Registry.describe`). The
    /// answers of the model do not depend on them.
    public private(set) var predictionLayers: [PredictionLayerDescription]
    /// The different rotary positions of all layers, each once.
    public private(set) var rotaries: [RotaryDescription]
    /// The streams of the residual, if it is several.
    public let streams: StreamsDescription?
    /// What whoever serves the model should know, a sentence each.
    public let notices: [String]

    /// Describes a model.
    public init(
        family: String, hiddenSize: Int, vocabularySize: Int, contextTokensMax: Int, normEpsilon: Float,
        normOffset: Float = 0, embeddingName: String, finalNormName: String, headName: String,
        layers: [LayerDescription], predictionLayers: [PredictionLayerDescription] = [],
        streams: StreamsDescription? = nil, notices: [String] = []
    ) {
        self.family = family
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextTokensMax = contextTokensMax
        self.normEpsilon = normEpsilon
        self.normOffset = normOffset
        self.notices = notices
        self.embeddingName = embeddingName
        self.finalNormName = finalNormName
        self.headName = headName
        self.layers = layers
        self.predictionLayers = predictionLayers
        self.streams = streams
        rotaries = Self.distinctRotaries(layers, predictionLayers)
    }

    /// The same model with no more than the first `count` layers that predict further tokens.
    public func withPredictionLayers(atMost count: Int) -> ModelDescription {
        var result = self
        result.predictionLayers = Array(predictionLayers.prefix(count))
        result.rotaries = Self.distinctRotaries(layers, result.predictionLayers)
        return result
    }

    private static func distinctRotaries(
        _ layers: [LayerDescription], _ predictionLayers: [PredictionLayerDescription]
    ) -> [RotaryDescription] {
        (layers + predictionLayers.map(\.layer)).compactMap(\.attention.rotary).reduce(into: []) { distinct, rotary in
            if !distinct.contains(rotary) { distinct.append(rotary) }
        }
    }

    /// Whether another layer reads what `layer` keeps of a sequence.
    func isCacheShared(layer: Int) -> Bool { layers.contains { $0.attention.sharedLayer == layer } }

    /// Which of `rotaries` a layer has.
    func index(of rotary: RotaryDescription) -> Int {
        guard let index = rotaries.firstIndex(of: rotary) else { preconditionFailure("a rotary of some layer") }
        return index
    }
}

/// One pre-norm layer: `x += attention(norm(x)); x += feedForward(norm(x))`; where the residual is several streams, x
/// is a mean of them.
public struct LayerDescription: Sendable {
    /// Norm before attention, `[hiddenSize]`.
    public let attentionNormName: String
    /// The attention block.
    public let attention: AttentionDescription
    /// Norm before the feed-forward block, `[hiddenSize]`.
    public let feedForwardNormName: String
    /// The feed-forward block.
    public let feedForward: FeedForwardDescription
    /// How streams meet the attention block; nil where there is one.
    public let attentionStreams: StreamNames?
    /// How streams meet the feed-forward block; nil where there is one.
    public let feedForwardStreams: StreamNames?

    /// The feed-forward block if it is a mixture.
    public var mixture: MixtureDescription? {
        guard case .mixture(let mixture) = feedForward else { return nil }
        return mixture
    }

    /// Describes a layer.
    public init(
        attentionNormName: String, attention: AttentionDescription, feedForwardNormName: String,
        feedForward: FeedForwardDescription, attentionStreams: StreamNames? = nil,
        feedForwardStreams: StreamNames? = nil
    ) {
        self.attentionNormName = attentionNormName
        self.attention = attention
        self.feedForwardNormName = feedForwardNormName
        self.feedForward = feedForward
        self.attentionStreams = attentionStreams
        self.feedForwardStreams = feedForwardStreams
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
