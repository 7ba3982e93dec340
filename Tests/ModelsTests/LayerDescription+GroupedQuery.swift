import Models

extension LayerDescription {
    /// The layer's attention, which the test says is grouped-query attention.
    var groupedQuery: GroupedQueryAttentionDescription {
        guard case .groupedQuery(let shape) = attention else { preconditionFailure("another attention: \(attention)") }
        return shape
    }
}

extension AttentionDescription {
    /// Whether it is one of gated delta rules.
    var isGatedDelta: Bool {
        guard case .gatedDelta = self else { return false }
        return true
    }
}
