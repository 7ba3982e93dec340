/// The lightning indexer (DeepSeek-AI, arXiv 2512.02556): a small attention of its own, of one key per position, whose
/// scores say which positions a token looks at where there are more than it may look at.
public struct IndexerDescription: Sendable {
    /// Query heads.
    public let headCount: Int
    /// Numbers of a head's query and of the key, which is cached.
    public let width: Int
    /// Whether the two numbers that turn together are neighbours; else the first half of the rotated part, which comes
    /// first, pairs with the second.
    public let isInterleaved: Bool
    /// `[headCount · width, queryRank]`: from the narrow layer that the attention's own queries come through.
    public let query: LinearNames
    /// `[width, hiddenSize]`.
    public let key: LinearNames
    /// Layer norm of keys: weight and bias, `[width]`.
    public let keyNorm: LinearNames
    /// `[headCount, hiddenSize]`: how much each head counts.
    public let headWeights: LinearNames
}

/// Which positions a token looks at.
public struct SparsityDescription: Sendable {
    /// Where the choice comes from.
    public enum Source: Sendable {
        /// An indexer of the layer's own.
        case own(IndexerDescription)
        /// The choice of the last layer before that has an indexer (arXiv 2603.12201).
        case previous
    }

    /// How many positions; all where there are no more.
    public let count: Int
    /// Where the choice comes from.
    public let source: Source

    /// The indexer, if the layer has its own.
    public var indexer: IndexerDescription? {
        guard case .own(let indexer) = source else { return nil }
        return indexer
    }
}
