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
    /// The different rotary positions of the layers, each once.
    public let rotaries: [RotaryDescription]

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
        rotaries = layers.compactMap(\.attention.rotary).reduce(into: []) { distinct, rotary in
            if !distinct.contains(rotary) { distinct.append(rotary) }
        }
    }

    /// For each layer the number of the part of a sequence's cache that it reads, counted among the layers that have
    /// one of their own.
    var cacheTables: [Int] {
        var tables: [Int] = []
        var count = 0
        for layer in layers {
            if let shared = layer.attention.sharedLayer {
                precondition(shared < tables.count, "an earlier layer is shared")
                tables.append(tables[shared])
            } else {
                tables.append(count)
                count += 1
            }
        }
        return tables
    }

    /// Which of `rotaries` a layer has.
    func index(of rotary: RotaryDescription) -> Int {
        guard let index = rotaries.firstIndex(of: rotary) else { preconditionFailure("a rotary of some layer") }
        return index
    }
}

/// One pre-norm layer: `x += attention(norm(x)); x += feedForward(norm(x))`.
public struct LayerDescription: Sendable {
    /// Norm before attention, `[hiddenSize]`.
    public let attentionNormName: String
    /// The attention block.
    public let attention: AttentionDescription
    /// Norm before the feed-forward block, `[hiddenSize]`.
    public let feedForwardNormName: String
    /// The feed-forward block.
    public let feedForward: FeedForwardDescription

    /// Describes a layer.
    public init(
        attentionNormName: String, attention: AttentionDescription, feedForwardNormName: String,
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
