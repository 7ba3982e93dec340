extension Reference {
    /// One key or value of one head as it is stored: numbers, and by what they are to be multiplied.
    public struct StoredRow: Sendable {
        /// What multiplies meet.
        public let numbers: [Float]
        /// The scale of 8-bit integers, else nil.
        public let scale: Float?
    }

    /// A key or value of one head, stored in `format`.
    public static func stored(_ row: [Float], format: KeyValueFormat) -> StoredRow {
        switch format {
        case .f32: return StoredRow(numbers: row, scale: nil)
        case .f16: return StoredRow(numbers: row.map(roundedToHalf), scale: nil)
        case .int8:
            let most = row.reduce(0) { abs($1) > $0 ? abs($1) : $0 }
            let isNumber = row.allSatisfy(\.isFinite)
            guard most >= 0x1p-100 else {
                return StoredRow(numbers: row.map { _ in 0 }, scale: isNumber ? 0 : .nan)
            }
            let inverse = 127 / most
            let numbers = row.map { x in isNumber ? (x * inverse).rounded(.toNearestOrEven) : 0 }
            return StoredRow(numbers: numbers, scale: isNumber ? most / 127 : .nan)
        }
    }

    /// The nearest f16, ties to even, as an f32; what is too large is the greatest finite one.
    static func roundedToHalf(_ x: Float) -> Float {
        guard !x.isNaN else { return x }
        let greatest = Float(Float16.greatestFiniteMagnitude)
        return Float(Float16(min(max(x, -greatest), greatest)))
    }

    /// One head of one row: `keys` and `values` are those of the visible positions, in order; the first `first` of them
    /// weigh nothing. `sink` is a score without a value.
    public static func attention(
        query: [Float], keys: [[Float]], values: [[Float]], scale: Float, format: KeyValueFormat = .f32, first: Int = 0,
        sink: Float? = nil
    ) -> [Float] {
        let values = values.map { stored($0, format: format) }
        let keys = keys.map { stored($0, format: format) }
        let (weights, sum) = weights(
            query: query, keys: keys, valueScales: values.map(\.scale), scale, first: first, sink: sink)
        return (values.first?.numbers ?? []).indices.map { d in
            var weighted: Float = 0
            for p in values.indices { weighted = weighted.addingProduct(weights[p], values[p].numbers[d]) }
            return weighted / sum
        }
    }

    /// The same where a value is the first `valueDim` numbers of its key. A dimension is summed in 16 lanes, the last
    /// ones filled with zeros.
    public static func attentionInKeys(
        query: [Float], keys: [[Float]], valueDim: Int, scale: Float, format: KeyValueFormat = .f32, first: Int = 0,
        sink: Float? = nil
    ) -> [Float] {
        let keys = keys.map { stored($0, format: format) }
        let (weights, sum) = weights(
            query: query, keys: keys, valueScales: keys.map(\.scale), scale, first: first, sink: sink)
        return (0..<valueDim).map { d in
            var lanes = [Float](repeating: 0, count: 16)
            for p in 0..<(keys.count + 15) / 16 * 16 {
                let isVisible = p < keys.count
                lanes[p % 16] = lanes[p % 16].addingProduct(
                    isVisible ? weights[p] : 0, isVisible ? keys[p].numbers[d] : 0)
            }
            return treeSum(lanes) / sum
        }
    }

    /// What each position's value is multiplied with, and the sum that the result is divided by.
    private static func weights(
        query: [Float], keys: [StoredRow], valueScales: [Float?], _ scale: Float, first: Int, sink: Float?
    ) -> (weights: [Float], sum: Float) {
        let scores = keys.enumerated().map { position, key in
            if position < first { return -Float.infinity }
            var sum: Float = 0
            for d in query.indices { sum = sum.addingProduct(query[d], key.numbers[d]) }
            let score = sum * scale
            return key.scale.map { score * $0 } ?? score
        }
        let maximum = greatest(scores + (sink.map { [$0] } ?? []))
        func exponential(_ score: Float) -> Float {
            let e = exp(score - maximum)
            return e < 1e-20 ? 0 : e
        }
        let exponentials = scores.map(exponential)
        var sum = laneSum(exponentials)
        if let sink { sum += exponential(sink) }
        let weights = zip(exponentials, valueScales).map { e, scale in
            guard let scale else { return e }
            return e * scale < 0x1p-126 ? 0 : e * scale
        }
        return (weights, sum)
    }
}
