extension Reference {
    /// The weights of one row of mixes: [collapse][add][from stream to stream].
    public static func streamWeights(
        _ rule: StreamRule, mixes: [Float], scales: [Float], base: [Float]
    ) -> [Float] {
        let n = rule.streamCount
        let x = mixes.indices.map { mixes[$0] * scales[$0 < n ? 0 : $0 < 2 * n ? 1 : 2] + base[$0] }
        let gates = x[..<(2 * n)].map { 1 / (1 + exp(-$0)) }
        var mix = (0..<n).map { i in
            let row = Array(x[(2 + i) * n..<(3 + i) * n])
            let maximum = greatest(row)
            let exponentials = row.map { exp($0 - maximum) }
            let sum = exponentials.reduce(0, +)
            return exponentials.map { $0 / sum + rule.epsilon }
        }
        for round in 0..<rule.roundCount {
            if round > 0 { mix = mix.map { normalised($0, rule.epsilon) } }
            let columns = (0..<n).map { j in normalised(mix.map { $0[j] }, rule.epsilon) }
            mix = (0..<n).map { i in columns.map { $0[i] } }
        }
        return gates[..<n].map { $0 + rule.epsilon } + gates[n...].map { 2 * $0 } + mix.flatMap { $0 }
    }

    private static func normalised(_ values: [Float], _ epsilon: Float) -> [Float] {
        let sum = values.reduce(0, +) + epsilon
        return values.map { $0 / sum }
    }

    /// The streams of one row as one.
    public static func collapsedStreams(_ streams: [[Float]], weights: [Float]) -> [Float] {
        (streams.first ?? []).indices.map { d in
            var sum: Float = 0
            for i in streams.indices { sum = sum.addingProduct(weights[i], streams[i][d]) }
            return sum
        }
    }

    /// The streams of one row, mixed with each other and with a block's result.
    public static func mixedStreams(_ streams: [[Float]], adding addend: [Float], weights: [Float]) -> [[Float]] {
        let n = streams.count
        return (0..<n).map { j in
            addend.indices.map { d in
                var sum: Float = 0
                for i in 0..<n { sum = sum.addingProduct(weights[(2 + i) * n + j], streams[i][d]) }
                return sum.addingProduct(weights[n + j], addend[d])
            }
        }
    }
}
