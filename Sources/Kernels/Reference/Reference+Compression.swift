extension Reference {
    /// The entries that the positions of one sequence, from its first on, complete; `keys` and `gates` are
    /// [positions][shape.width], `bias` is [shape.windowPositions][shape.width].
    public static func compressed(
        keys: [[Float]], gates: [[Float]], bias: [[Float]], _ shape: CompressionShape
    ) -> [[Float]] {
        let size = shape.windowPositions
        return (0..<keys.count / size).map { window in
            (0..<shape.dims).map { d in
                var mean = GatedMean()
                let start = window * size
                if shape.overlaps, window > 0 {
                    for p in start - size..<start {
                        mean.add(keys[p][d], gate: gates[p][d] + bias[p - start + size][d])
                    }
                }
                let own = shape.width - shape.dims + d
                for p in start..<start + size { mean.add(keys[p][own], gate: gates[p][own] + bias[p - start][own]) }
                return mean.total / mean.sum
            }
        }
    }

    private struct GatedMean {
        private var greatest = -Float.infinity
        private(set) var sum: Float = 0
        private(set) var total: Float = 0

        mutating func add(_ key: Float, gate: Float) {
            let next = gate > greatest ? gate : greatest
            let kept = exp(greatest - next), weight = exp(gate - next)
            sum = weight.addingProduct(sum, kept)
            total = (weight * key).addingProduct(total, kept)
            greatest = next
        }
    }
}
