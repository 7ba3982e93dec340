/// A layer that predicts a further token (DeepSeek-AI, arXiv 2412.19437, 2.2): from the hidden state of position i and
/// the token of position i + k, that of position i + k + 1. The first one, k = 1, takes the hidden state of the model,
/// each other one that of the layer before it.
///
/// ```
/// token t(i+k) ─ embedding ─ embeddingNorm ┐
/// hidden state h(i) ────────── hiddenNorm ─┴ entry ─ layer ─ norm ─ head ─▶ logits of t(i+k+1)
///                                                             └▶ hidden state for the next one
/// ```
/// Embedding and head are those of the model. Files may have copies of both for each such layer; by the report they are
/// shared, so that the copies are not read. The layer has keys and values of its own, at position i.
///
/// Where the residual is one stream, a hidden state is what has passed the last norm, of the model or of the layer
/// before; where it is several, it is the streams as they are before the head.
public struct PredictionLayerDescription: Sendable {
    /// How the normed embedding and the normed hidden state become the residual of the layer.
    public enum Entry: Hashable, Sendable {
        /// One projection of both beside each other, the embedding first: `[hiddenSize, 2 · hiddenSize]`.
        case joined(LinearNames)
        /// The projection of the embedding, added to that of each stream of the residual: both
        /// `[hiddenSize, hiddenSize]`.
        case perStream(embedding: LinearNames, hidden: LinearNames)
    }

    /// Norm of the embedding, `[hiddenSize]`.
    public let embeddingNormName: String
    /// Norm of the hidden state, or of each of its streams, `[hiddenSize]`.
    public let hiddenNormName: String
    /// What joins the two.
    public let entry: Entry
    /// The layer itself.
    public let layer: LayerDescription
    /// Norm before the head, `[hiddenSize]`.
    public let normName: String
    /// What makes one row of the streams for the head; nil where there is one.
    public let headStreams: StreamNames?

    /// Describes a prediction layer.
    public init(
        embeddingNormName: String, hiddenNormName: String, entry: Entry, layer: LayerDescription, normName: String,
        headStreams: StreamNames? = nil
    ) {
        self.embeddingNormName = embeddingNormName
        self.hiddenNormName = hiddenNormName
        self.entry = entry
        self.layer = layer
        self.normName = normName
        self.headStreams = headStreams
    }
}
