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
    /// Whether the output is multiplied by the sigmoid of gates, which the projection to queries gives beside them.
    public let hasOutputGate: Bool
    /// Rotary positions; where they turn fewer dimensions than a head has, the others stay as they are.
    public let rotary: RotaryDescription
    /// `[headCount · headWidth, hiddenSize]`; with gates `[headCount · 2 · headWidth, hiddenSize]`, for each head the
    /// query and then its gate.
    public let query: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let key: LinearNames
    /// `[keyValueHeadCount · headWidth, hiddenSize]`.
    public let value: LinearNames
    /// `[hiddenSize, headCount · headWidth]`.
    public let output: LinearNames
    /// Norms of queries and keys.
    public let norms: QueryKeyNorms
    /// A learned score of each query head that takes part in the softmax and has no value, `[headCount]` (Xiao et al.,
    /// arXiv 2309.17453); nil if there is none.
    public let sinksName: String?
    /// An earlier layer whose keys and values the block reads, instead of making and keeping its own: there are no
    /// `key` and `value` then (Brandon et al., arXiv 2405.12981). That layer has the same heads and rotary positions.
    public let sharedLayer: Int?

    /// Describes an attention block.
    public init(
        headCount: Int, keyValueHeadCount: Int, headWidth: Int, windowTokens: Int?, hasOutputGate: Bool = false,
        rotary: RotaryDescription, query: LinearNames, key: LinearNames, value: LinearNames, output: LinearNames,
        norms: QueryKeyNorms, sinksName: String? = nil, sharedLayer: Int? = nil
    ) {
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headWidth = headWidth
        self.windowTokens = windowTokens
        self.hasOutputGate = hasOutputGate
        self.rotary = rotary
        self.query = query
        self.key = key
        self.value = value
        self.output = output
        self.norms = norms
        self.sinksName = sinksName
        self.sharedLayer = sharedLayer
    }
}
