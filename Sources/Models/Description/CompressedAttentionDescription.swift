import Kernels

/// Attention of DeepSeek-V4 (DeepSeek-AI, 2026): all query heads share one key, which is also the value. A token sees
/// the keys of the last positions and, in one softmax with them, entries that each stand for a window of positions.
///
/// ```
/// x ─ queryDown ─ norm ─ queryUp ─▶ per head: norm, the end rotated      (headWidth each)
/// x ─ key ─ norm ─▶ one key, the end rotated; kept for the last `windowTokens` positions
/// x ─ compressor ─▶ one entry for each window of positions; kept for all of them
/// per head: the weighted sum, its end rotated back ─ outputDown of the head's group ─ outputUp ─▶
/// ```
public struct CompressedAttentionDescription: Sendable {
    /// Query heads.
    public let headCount: Int
    /// Numbers of a head's query, and of a key.
    public let headWidth: Int
    /// Numbers at the end of both that are rotated; neighbours turn together.
    public let rotaryWidth: Int
    /// Most positions, its own included, that a token sees as they are.
    public let windowTokens: Int
    /// Rotary positions, also of entries, which stand at their window's first one.
    public let rotary: RotaryDescription
    /// Width of what queries are made from.
    public let queryRank: Int
    /// `[queryRank, hiddenSize]`.
    public let queryDown: LinearNames
    /// `[queryRank]`.
    public let queryNormName: String
    /// `[headCount · headWidth, queryRank]`.
    public let queryUp: LinearNames
    /// `[headWidth, hiddenSize]`.
    public let key: LinearNames
    /// `[headWidth]`.
    public let keyNormName: String
    /// A learned score of each head that no value belongs to: `[headCount]`.
    public let sinksName: String
    /// Groups of neighbouring heads whose results are made narrow apart from each other, and how narrow.
    public let outputGroups: OutputGroups
    /// For each group `[rank, headCount / groups · headWidth]`, one behind the other.
    public let outputDown: LinearNames
    /// `[hiddenSize, groups · rank]`.
    public let outputUp: LinearNames
    /// What a token sees beside the last positions; nil: nothing.
    public let entries: EntriesDescription?

    /// How many groups, and the width of each one's result.
    public struct OutputGroups: Hashable, Sendable {
        /// Groups.
        public let count: Int
        /// Numbers that each makes.
        public let rank: Int
    }
}

/// What makes entries of the keys of positions.
public struct CompressorDescription: Sendable {
    /// How many positions, and how wide.
    public let shape: CompressionShape
    /// `[shape.width, hiddenSize]`.
    public let key: LinearNames
    /// `[shape.width, hiddenSize]`: how much each dimension of a key counts.
    public let gate: LinearNames
    /// Added to gates by the place in the window: `[shape.windowPositions, shape.width]`.
    public let biasName: String
    /// Norm of entries: `[shape.dims]`.
    public let normName: String
}

/// The entries of a layer.
public struct EntriesDescription: Sendable {
    /// What makes them.
    public let compressor: CompressorDescription
    /// What says which of them a token sees; nil: all whose windows are complete.
    public let indexer: EntryIndexerDescription?
    /// Positions whose entries lie together in the cache: whole panels of entries, and the same in all layers.
    public let blockPositions: Int
}

/// A lightning indexer over entries of its own, one for each of the attention's; see `IndexerDescription`.
public struct EntryIndexerDescription: Sendable {
    /// Query heads.
    public let headCount: Int
    /// Numbers of a head's query and of an entry, the end of which is rotated as that of keys.
    public let width: Int
    /// Entries that a token sees.
    public let chosenCount: Int
    /// `[headCount · width, queryRank]`: from the narrow layer that the attention's own queries come through.
    public let query: LinearNames
    /// `[headCount, hiddenSize]`: how much each head counts.
    public let headWeights: LinearNames
    /// What makes its entries.
    public let compressor: CompressorDescription
}
