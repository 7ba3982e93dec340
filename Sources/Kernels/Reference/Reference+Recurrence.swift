extension Reference {
    /// `x / (1 + exp(-gate))`.
    public static func gated(_ x: Float, gate: Float) -> Float { x / (1 + exp(-gate)) }

    /// `log(1 + exp(x))`.
    public static func softplus(_ x: Float) -> Float {
        let e = exp(-(x > -x ? x : -x))
        let s = e / (2 + e)
        let z = s * s
        var p: Float = 1 / 15
        for divisor: Float in [13, 11, 9, 7, 5, 3, 1] { p = (1 / divisor).addingProduct(p, z) }
        return (x < 0 ? 0 : x) + (s * p) * 2
    }

    /// What the gated delta rule keeps of a head: `exp(-rate · softplus(a + bias))`.
    public static func deltaDecay(_ a: Float, rate: Float, bias: Float) -> Float {
        exp(-(rate * softplus(a + bias)))
    }

    /// A row divided by its length and multiplied by `scale`.
    public static func l2Norm(_ row: [Float], scale: Float, epsilon: Float) -> [Float] {
        var partial = [Float](repeating: 0, count: lanes)
        for (index, x) in row.enumerated() { partial[index % lanes].addProduct(x, x) }
        let inverse = 1 / (treeSum(partial) + epsilon).squareRoot()
        return row.map { ($0 * inverse) * scale }
    }

    /// One channel of a causal convolution with SiLU: `before` are the inputs before the first, as many as there are
    /// weights but one.
    public static func causalConvolution(_ input: [Float], weights: [Float], before: [Float]) -> [Float] {
        let all = before + input
        return input.indices.map { index in
            var sum: Float = 0
            for tap in weights.indices { sum = sum.addingProduct(weights[tap], all[index + tap]) }
            return gated(sum, gate: sum)
        }
    }

    /// One token of one head of the gated delta rule. `state` is [key][value]; answers the output.
    public static func deltaRule(
        query: [Float], key: [Float], value: [Float], decay: Float, beta: Float, state: inout [[Float]]
    ) -> [Float] {
        value.indices.map { dim in
            var recalled: Float = 0
            for index in key.indices { recalled = recalled.addingProduct(key[index], state[index][dim]) }
            let correction = (value[dim] - decay * recalled) * beta
            var output: Float = 0
            for index in key.indices {
                state[index][dim] = (decay * state[index][dim]).addingProduct(key[index], correction)
                output = output.addingProduct(query[index], state[index][dim])
            }
            return output
        }
    }
}
