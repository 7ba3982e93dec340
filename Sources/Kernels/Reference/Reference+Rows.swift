extension Reference {
    /// One row: (x * 1 / sqrt(mean of squares + epsilon)) * weight.
    public static func rmsNorm(_ row: [Float], weight: [Float], epsilon: Float) -> [Float] {
        var partial = [Float](repeating: 0, count: lanes)
        for (index, x) in row.enumerated() { partial[index % lanes].addProduct(x, x) }
        let scale = 1 / (treeSum(partial) / Float(row.count) + epsilon).squareRoot()
        return zip(row, weight).map { ($0 * scale) * $1 }
    }

    /// One head: its first `2 * cosine.count` floats rotated, first half against second.
    public static func rotate(_ head: [Float], cosine: [Float], sine: [Float]) -> [Float] {
        var result = head
        let half = cosine.count
        for i in 0..<half {
            let (first, second) = (head[i], head[half + i])
            result[i] = (-(second * sine[i])).addingProduct(first, cosine[i])
            result[half + i] = (first * sine[i]).addingProduct(second, cosine[i])
        }
        return result
    }

    /// Softmax of a row, the `topK` largest in descending order, ties to the lower index, NaN last.
    public static func softmaxTopK(
        _ logits: [Float], topK: Int, normalise: Bool
    ) -> (experts: [Int32], weights: [Float]) {
        let maximum = greatest(logits)
        let exponentials = logits.map { exp($0 - maximum) }
        let sum = laneSum(exponentials)
        let probabilities = exponentials.map { $0 / sum }
        let rank = probabilities.map { $0.isNaN ? -1 : $0 }
        let order = rank.indices.sorted { rank[$0] != rank[$1] ? rank[$0] > rank[$1] : $0 < $1 }
        let chosen = order.prefix(topK)
        var weights = chosen.map { probabilities[$0] }
        if normalise {
            let total = weights.reduce(0, +)
            weights = weights.map { $0 / total }
        }
        return (chosen.map { Int32($0) }, weights)
    }
}
