import Kernels

/// What lets the tokens of a sequence see each other in a layer.
public enum AttentionDescription: Sendable {
    /// A recurrent state that each token corrects.
    case gatedDelta(GatedDeltaDescription)
    /// Softmax attention over keys and values of the sequence.
    case groupedQuery(GroupedQueryAttentionDescription)

    /// Its rotary positions; nil if it has none.
    var rotary: RotaryDescription? {
        switch self {
        case .gatedDelta: nil
        case .groupedQuery(let shape): shape.rotary
        }
    }

    /// How wide the buffers must be that it works in.
    var workspace: AttentionWorkspace {
        switch self {
        case .gatedDelta(let shape):
            AttentionWorkspace(
                attended: shape.heads.valueWidth, mixed: shape.heads.mixedWidth, convolved: shape.heads.mixedWidth,
                gate: shape.heads.valueWidth, decay: shape.heads.valueHeadCount)
        case .groupedQuery(let shape):
            AttentionWorkspace(
                query: shape.headCount * shape.headWidth, key: shape.keyValueHeadCount * shape.headWidth,
                value: shape.keyValueHeadCount * shape.headWidth, attended: shape.headCount * shape.headWidth,
                gate: shape.hasOutputGate ? shape.headCount * 2 * shape.headWidth : 0)
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
    /// Queries, keys and values of a token together, before a convolution.
    var mixed = 0
    /// The same after it.
    var convolved = 0
    /// What gates the output of a token; with its queries where one projection gives both.
    var gate = 0
    /// One number per recurrent head: what it keeps; and as many: what it learns.
    var decay = 0

    /// Wide enough for either.
    func union(_ other: AttentionWorkspace) -> AttentionWorkspace {
        AttentionWorkspace(
            query: max(query, other.query), key: max(key, other.key), value: max(value, other.value),
            attended: max(attended, other.attended), mixed: max(mixed, other.mixed),
            convolved: max(convolved, other.convolved), gate: max(gate, other.gate), decay: max(decay, other.decay))
    }
}
