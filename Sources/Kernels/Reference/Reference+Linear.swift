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

    /// The biases of an expert.
    public struct Biases {
        let gate, up, down: [Float]

        /// Biases of gate, up and down.
        public init(gate: [Float], up: [Float], down: [Float]) {
            (self.gate, self.up, self.down) = (gate, up, down)
        }
    }

    /// down(activation(gate x, up x)) * scale of one token; biases are added to each projection.
    public static func gatedExpert(
        gate: [Float], up: [Float], down: [Float], biases: Biases? = nil, activation: GatedActivation = .silu,
        input: [Float], scale: Float
    ) -> [Float] {
        let gated = linear(weights: gate, columns: input.count, input: input, bias: biases?.gate)
        let raised = linear(weights: up, columns: input.count, input: input, bias: biases?.up)
        let hidden = zip(gated, raised).map { activate($0, $1, activation) }
        return linear(weights: down, columns: hidden.count, input: hidden, bias: biases?.down, scale: scale)
    }

    /// (g / (1 + exp(-(g * slope)))) * (u + offset), both within the limit.
    public static func activate(_ gate: Float, _ up: Float, _ activation: GatedActivation) -> Float {
        let limit = activation.limit
        let g = gate > limit ? limit : gate
        var u = up > limit ? limit : up
        u = u < -limit ? -limit : u
        return (g / (1 + exp(-(g * activation.slope)))) * (u + activation.offset)
    }
}
