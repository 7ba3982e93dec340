extension Reference {
    /// One head of one row: `keys` and `values` are those of the visible positions, in order.
    public static func attention(query: [Float], keys: [[Float]], values: [[Float]], scale: Float) -> [Float] {
        let scores = keys.map { key in
            var sum: Float = 0
            for d in query.indices { sum = sum.addingProduct(query[d], key[d]) }
            return sum * scale
        }
        let maximum = greatest(scores)
        let exponentials = scores.map { score in
            let e = exp(score - maximum)
            return e < 1e-20 ? 0 : e
        }
        let sum = laneSum(exponentials)
        return (values.first ?? []).indices.map { d in
            var weighted: Float = 0
            for p in values.indices { weighted = weighted.addingProduct(exponentials[p], values[p][d]) }
            return weighted / sum
        }
    }
}
