import CKernels

/// What joins the two inner projections of a gated feed-forward network (Shazeer, arXiv 2002.05202), as data:
/// `g / (1 + exp(-slope · g)) · (u + offset)`, where `g` is the gate, at most `limit`, and `u` the up projection, at
/// most `limit` in magnitude. `operations/elementwise.h` has the order of operations.
public struct GatedActivation: Hashable, Sendable {
    /// The gate is cut off above it, the up projection on both sides.
    public let limit: Float
    /// What multiplies the gate within the sigmoid.
    public let slope: Float
    /// What is added to the up projection.
    public let offset: Float

    /// `g / (1 + exp(-g)) · u`.
    public static let silu = GatedActivation(limit: .infinity)

    /// An activation; with slope and offset of SiLU if nothing else is said. The offset -0 changes no number.
    public init(limit: Float, slope: Float = 1, offset: Float = -0.0) {
        self.limit = limit
        self.slope = slope
        self.offset = offset
    }

    var arguments: colony_gated_activation { colony_gated_activation(limit: limit, slope: slope, offset: offset) }
}
