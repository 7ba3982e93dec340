/// Multi-head latent attention (DeepSeek-AI, arXiv 2405.04434): keys and values of all heads are linear in one *latent*
/// per position, which is all that is cached, beside a rotated key that the heads share.
///
/// ```
/// x ─ query ─▶ per head: plain part q (plainWidth) │ rotated part (rotaryWidth)
/// x ─ latent ─▶ norm(c), c of latentWidth          │ one rotated key for all heads (rotaryWidth)
/// per head:  key = (K c | rotated key), value = V c,  where K and V are stored as `keyValueUp`
/// ```
public struct LatentAttentionDescription: Sendable {
    /// How queries come about.
    public enum Query: Hashable, Sendable {
        /// One projection, `[headCount · (plainWidth + rotaryWidth), hiddenSize]`.
        case direct(LinearNames)
        /// Through a narrow layer with an RMS norm: `down` is `[rank, hiddenSize]`, the norm `[rank]`, `up`
        /// `[headCount · (plainWidth + rotaryWidth), rank]`.
        case lowRank(rank: Int, down: LinearNames, normName: String, up: LinearNames)
    }

    /// What makes keys and values of latents.
    public enum KeyValueUp: Hashable, Sendable {
        /// Two tensors: keys as they meet queries, `[headCount, latentWidth, plainWidth]`, and values, `[headCount,
        /// valueWidth, latentWidth]`. So GGUF files have them.
        case apart(keyName: String, valueName: String)
        /// One, `[headCount · (plainWidth + valueWidth), latentWidth]`: per head, the rows of its keys and then those
        /// of its values.
        case together(name: String)
    }

    /// Query heads.
    public let headCount: Int
    /// Numbers of the latent, which are cached.
    public let latentWidth: Int
    /// Numbers of a head's query and key that do not depend on the position.
    public let plainWidth: Int
    /// Numbers of a head's query and of the shared key that are rotated, and cached.
    public let rotaryWidth: Int
    /// Numbers of a head's value.
    public let valueWidth: Int
    /// Rotary positions.
    public let rotary: RotaryDescription
    /// Whether the two numbers that turn together are neighbours; else the first half pairs with the second.
    public let isInterleaved: Bool
    /// What the products of queries and keys are multiplied with.
    public let scale: Float
    /// Added to the mean square under the root of the block's own norms.
    public let normEpsilon: Float
    /// Where queries come from.
    public let query: Query
    /// `[latentWidth + rotaryWidth, hiddenSize]`: the latent and the shared key.
    public let latent: LinearNames
    /// `[latentWidth]`.
    public let latentNormName: String
    /// What makes keys and values of latents.
    public let keyValueUp: KeyValueUp
    /// `[hiddenSize, headCount · valueWidth]`.
    public let output: LinearNames
    /// Which positions a token looks at; nil: all.
    public let sparsity: SparsityDescription?

    /// Numbers of a head's query, and of its key.
    public var queryWidth: Int { plainWidth + rotaryWidth }
    /// Width of the narrow layer that queries come through; nil if there is none.
    public var queryRank: Int? {
        guard case .lowRank(let rank, _, _, _) = query else { return nil }
        return rank
    }
    /// Numbers of what is cached of a position.
    public var cachedWidth: Int { latentWidth + rotaryWidth }
}
