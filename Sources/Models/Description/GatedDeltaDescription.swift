import Kernels

/// A layer of gated delta rules (Yang, Kautz and Hatamizadeh, arXiv 2412.06464): linear attention that keeps one matrix
/// per head instead of keys and values. Queries, keys and values pass a short causal convolution first; the output is
/// normed head by head and gated.
public struct GatedDeltaDescription: Sendable {
    /// The heads.
    public let heads: DeltaShape
    /// Inputs that the convolution joins, the token's own included.
    public let convolutionTaps: Int
    /// Queries, keys and values, in this order: `[mixedWidth, hiddenSize]`.
    public let mixed: LinearNames
    /// What gates the output: `[valueWidth, hiddenSize]`.
    public let gate: LinearNames
    /// How much of a head's state a token keeps, before bias, softplus and rate: `[valueHeadCount, hiddenSize]`.
    public let decay: LinearNames
    /// How much of a correction is learnt, before the sigmoid: `[valueHeadCount, hiddenSize]`.
    public let beta: LinearNames
    /// `[hiddenSize, valueWidth]`.
    public let output: LinearNames
    /// The convolution's weights, the newest input's last: `[mixedWidth, 1, convolutionTaps]`.
    public let convolutionName: String
    /// The rate at which each head forgets, `[valueHeadCount]`: its logarithm, or (in GGUF files) itself, negative.
    public let rateName: String
    /// Whether it is the rate itself.
    public let hasRates: Bool
    /// Added to `decay`: `[valueHeadCount]`.
    public let decayBiasName: String
    /// The norm of each head's output, whose weight is never zero-centred: `[valueDim]`.
    public let normName: String

    /// Describes a layer whose tensors are named as those of Qwen3.5 below `prefix`.
    public init(prefix: String, heads: DeltaShape, convolutionTaps: Int, hasRates: Bool = false) {
        self.heads = heads
        self.convolutionTaps = convolutionTaps
        mixed = LinearNames(prefix: prefix + ".in_proj_qkv")
        gate = LinearNames(prefix: prefix + ".in_proj_z")
        decay = LinearNames(prefix: prefix + ".in_proj_a")
        beta = LinearNames(prefix: prefix + ".in_proj_b")
        output = LinearNames(prefix: prefix + ".out_proj")
        convolutionName = prefix + ".conv1d.weight"
        self.hasRates = hasRates
        rateName = prefix + (hasRates ? ".A" : ".A_log")
        decayBiasName = prefix + ".dt_bias"
        normName = prefix + ".norm.weight"
    }
}
