extension Reference {
    /// The bits of one stored weight as an f32.
    public static func decode(_ bits: UInt32, format: WeightFormat) -> Float {
        switch format {
        case .f32: return Float(bitPattern: bits)
        case .bf16: return Float(bitPattern: bits << 16)
        case .f16:
            let sign: Float = bits & 0x8000 == 0 ? 1 : -1
            let exponent = Int(bits >> 10 & 0x1f)
            let fraction = Float(bits & 0x3ff)
            if exponent == 0 { return sign * fraction * 0x1p-24 }
            if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
            return sign * Float(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
        default: preconditionFailure("\(format) has no weights of their own")
        }
    }

    /// `weights` [rows][columns] times `input` [columns], plus `bias`, times `scale`.
    public static func linear(
        weights: [Float], columns: Int, input: [Float], bias: [Float]? = nil, scale: Float? = nil
    ) -> [Float] {
        (0..<weights.count / columns).map { row in
            var sum: Float = 0
            for k in 0..<columns { sum = sum.addingProduct(weights[row * columns + k], input[k]) }
            if let bias { sum += bias[row] }
            if let scale { sum *= scale }
            return sum
        }
    }

    /// down(silu(gate x) * (up x)) * scale of one token.
    public static func gatedExpert(
        gate: [Float], up: [Float], down: [Float], input: [Float], scale: Float
    ) -> [Float] {
        let gated = linear(weights: gate, columns: input.count, input: input)
        let raised = linear(weights: up, columns: input.count, input: input)
        let hidden = zip(gated, raised).map { siluMultiply($0, $1) }
        return linear(weights: down, columns: hidden.count, input: hidden, scale: scale)
    }

    /// (gate / (1 + exp(-gate))) * up
    public static func siluMultiply(_ gate: Float, _ up: Float) -> Float {
        (gate / (1 + exp(-gate))) * up
    }
}
