extension Reference {
    /// ((x - mean) * 1 / sqrt(variance + epsilon)) * weight + bias
    public static func layerNorm(_ row: [Float], weight: [Float], bias: [Float], epsilon: Float) -> [Float] {
        let mean = laneSum(row) / Float(row.count)
        var partial = [Float](repeating: 0, count: lanes)
        for (index, x) in row.enumerated() { partial[index % lanes].addProduct(x - mean, x - mean) }
        let scale = 1 / (treeSum(partial) / Float(row.count) + epsilon).squareRoot()
        return row.indices.map { ((row[$0] - mean) * scale) * weight[$0] + bias[$0] }
    }

    /// How much each of the positions, whose index keys are `keys`, is worth looking at.
    public static func indexScores(
        queries: [[Float]], headWeights: [Float], keys: [[Float]], scale: Float, format: KeyValueFormat
    ) -> [Float] {
        keys.map { key in
            let key = stored(key, format: format)
            var score: Float = 0
            for (query, weight) in zip(queries, headWeights) {
                var sum: Float = 0
                for d in query.indices { sum = sum.addingProduct(query[d], key.numbers[d]) }
                var s = sum * scale
                if let keyScale = key.scale { s *= keyScale }
                score = score.addingProduct(weight, s < 0 ? 0 : s)
            }
            return score
        }
    }

    /// The indices of the `count` greatest scores, ascending; among equals the first ones, NaNs after all others.
    public static func greatest(_ count: Int, of scores: [Float]) -> [Int] {
        func isBefore(_ left: Int, _ right: Int) -> Bool {
            if scores[left].isNaN || scores[right].isNaN {
                return scores[left].isNaN == scores[right].isNaN ? left < right : scores[right].isNaN
            }
            return scores[left] == scores[right] ? left < right : scores[left] > scores[right]
        }
        return scores.indices.sorted(by: isBefore).prefix(count).sorted()
    }
}
