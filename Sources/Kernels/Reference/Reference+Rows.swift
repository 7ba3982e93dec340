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

    /// One head whose pairs are neighbours.
    public static func rotateInterleaved(_ head: [Float], cosine: [Float], sine: [Float]) -> [Float] {
        let pairs = stride(from: 0, to: head.count, by: 2)
        let halves = rotate(pairs.map { head[$0] } + pairs.map { head[$0 + 1] }, cosine: cosine, sine: sine)
        return cosine.indices.flatMap { [halves[$0], halves[cosine.count + $0]] }
    }
}
