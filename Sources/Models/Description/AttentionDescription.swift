import Kernels

/// What lets the tokens of a sequence see each other in a layer.
public enum AttentionDescription: Sendable {
    /// Softmax attention over the last keys and over entries that stand for windows of positions.
    case compressed(CompressedAttentionDescription)
    /// A recurrent state that each token corrects.
    case gatedDelta(GatedDeltaDescription)
    /// Softmax attention over keys and values of the sequence.
    case groupedQuery(GroupedQueryAttentionDescription)
    /// Softmax attention over one latent per position.
    case latent(LatentAttentionDescription)

    /// Its rotary positions; nil if it has none.
    var rotary: RotaryDescription? {
        switch self {
        case .compressed(let shape): shape.rotary
        case .gatedDelta: nil
        case .groupedQuery(let shape): shape.rotary
        case .latent(let shape): shape.rotary
        }
    }

    /// The earlier layer whose part of the cache the layer reads instead of having its own; nil if it has its own.
    var sharedLayer: Int? {
        switch self {
        case .groupedQuery(let shape): shape.sharedLayer
        case .compressed, .gatedDelta, .latent: nil
        }
    }

    /// How wide the buffers must be that it works in.
    var workspace: AttentionWorkspace {
        switch self {
        case .compressed(let shape): AttentionWorkspace(shape)
        case .gatedDelta(let shape):
            AttentionWorkspace(
                attended: shape.heads.valueWidth, mixed: shape.heads.mixedWidth, convolved: shape.heads.mixedWidth,
                gate: shape.heads.valueWidth, decay: shape.heads.valueHeadCount)
        case .groupedQuery(let shape):
            AttentionWorkspace(
                query: shape.headCount * shape.headWidth, key: shape.keyValueHeadCount * shape.headWidth,
                value: shape.keyValueHeadCount * shape.headWidth, attended: shape.headCount * shape.headWidth,
                gate: shape.hasOutputGate ? shape.headCount * 2 * shape.headWidth : 0)
        case .latent(let shape):
            AttentionWorkspace(
                query: shape.headCount * shape.queryWidth, key: shape.cachedWidth,
                attended: shape.headCount * shape.valueWidth, narrowQuery: shape.queryRank ?? 0,
                latentQuery: shape.headCount * shape.cachedWidth, attendedLatent: shape.headCount * shape.latentWidth,
                indexQuery: shape.sparsity?.indexer.map { $0.headCount * $0.width } ?? 0,
                indexKey: shape.sparsity?.indexer?.width ?? 0,
                indexWeights: shape.sparsity?.indexer?.headCount ?? 0, chosenCount: shape.sparsity?.count ?? 0)
        }
    }
}

/// Widths of the buffers, one row per token, that the attention blocks of all layers share.
struct AttentionWorkspace {
    /// All query heads of a token.
    var query = 0
    /// All keys of a token.
    var key = 0
    /// All values of a token.
    var value = 0
    /// What all heads of a token found.
    var attended = 0
    /// What queries are made from, where they come through a narrow layer.
    var narrowQuery = 0
    /// All query heads of a token as they meet latents.
    var latentQuery = 0
    /// The latents that all heads of a token found.
    var attendedLatent = 0
    /// Queries, keys and values of a token together, before a convolution.
    var mixed = 0
    /// The same after it.
    var convolved = 0
    /// What gates the output of a token; with its queries where one projection gives both.
    var gate = 0
    /// One number per recurrent head: what it keeps; and as many: what it learns.
    var decay = 0
    /// All query heads of an indexer.
    var indexQuery = 0
    /// An indexer's key.
    var indexKey = 0
    /// How much each head of an indexer counts.
    var indexWeights = 0
    /// Positions that a token looks at where it does not look at all.
    var chosenCount = 0
    /// The keys, and as many gates, that entries are made of.
    var entryKey = 0
    /// An entry.
    var entry = 0
    /// The same of an indexer.
    var indexEntryKey = 0
    /// An entry of an indexer.
    var indexEntry = 0
    /// What all groups of heads make of a token.
    var narrowOutput = 0

    /// Wide enough for either.
    func union(_ other: AttentionWorkspace) -> AttentionWorkspace {
        AttentionWorkspace(
            query: max(query, other.query), key: max(key, other.key), value: max(value, other.value),
            attended: max(attended, other.attended), narrowQuery: max(narrowQuery, other.narrowQuery),
            latentQuery: max(latentQuery, other.latentQuery), attendedLatent: max(attendedLatent, other.attendedLatent),
            mixed: max(mixed, other.mixed), convolved: max(convolved, other.convolved), gate: max(gate, other.gate),
            decay: max(decay, other.decay), indexQuery: max(indexQuery, other.indexQuery),
            indexKey: max(indexKey, other.indexKey), indexWeights: max(indexWeights, other.indexWeights),
            chosenCount: max(chosenCount, other.chosenCount), entryKey: max(entryKey, other.entryKey),
            entry: max(entry, other.entry), indexEntryKey: max(indexEntryKey, other.indexEntryKey),
            indexEntry: max(indexEntry, other.indexEntry), narrowOutput: max(narrowOutput, other.narrowOutput))
    }
}

extension AttentionWorkspace {
    fileprivate init(_ shape: CompressedAttentionDescription) {
        let indexer = shape.entries?.indexer
        self.init(
            query: shape.headCount * shape.headWidth, key: shape.headWidth,
            attended: shape.headCount * shape.headWidth, narrowQuery: shape.queryRank,
            indexQuery: indexer.map { $0.headCount * $0.width } ?? 0, indexWeights: indexer?.headCount ?? 0,
            chosenCount: indexer?.chosenCount ?? 0, entryKey: shape.entries?.compressor.shape.width ?? 0,
            entry: shape.entries?.compressor.shape.dims ?? 0, indexEntryKey: indexer?.compressor.shape.width ?? 0,
            indexEntry: indexer?.compressor.shape.dims ?? 0,
            narrowOutput: shape.outputGroups.count * shape.outputGroups.rank)
    }
}
