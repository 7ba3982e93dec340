extension Reference {
    /// 32 activations as 8-bit integers.
    struct ActivationBlock {
        let codes: [Int]
        let scale: Float
    }

    /// A row as 8-bit integers, 32 at a time; the last block is padded with zeros.
    static func quantise(_ row: [Float]) -> [ActivationBlock] {
        stride(from: 0, to: row.count, by: StoredBlock.subColumns).map { start in
            let present = row[start..<min(start + StoredBlock.subColumns, row.count)]
            let padding = [Float](repeating: 0, count: StoredBlock.subColumns - present.count)
            return quantiseBlock(present + padding)
        }
    }

    private static func quantiseBlock(_ values: [Float]) -> ActivationBlock {
        let most = greatest(values.map { $0.isNaN ? $0 : abs($0) })
        let isNothing = !(most >= 0x1p-100)
        let inverse: Float = isNothing ? 0 : 127 / most
        let codes = values.map { value -> Int in
            let scaled = value * inverse
            if !(scaled > -127) { return -127 }
            return Int((scaled > 127 ? 127 : scaled).rounded(.toNearestOrEven))
        }
        let isSound = values.allSatisfy(\.isFinite)
        return ActivationBlock(codes: codes, scale: isSound ? (isNothing ? 0 : most / 127) : .nan)
    }

    /// Rows of blocks (`stored`, [rows][columns]) times `input` [columns] as 8-bit integers, plus bias, times scale.
    public static func linear(
        stored: [UInt8], format: WeightFormat, columns: Int, input: [Float], bias: [Float]? = nil, scale: Float? = nil
    ) -> [Float] {
        let activations = quantise(input)
        let rowBytes = format.byteCount(of: columns)
        return stored.withUnsafeBytes { bytes in
            (0..<stored.count / rowBytes).map { row in
                let blocks = UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes])
                var sum = dot(blocks, format: format, activations)
                if let bias { sum += bias[row] }
                if let scale { sum *= scale }
                return sum
            }
        }
    }

    /// One row of blocks times the activations: see `linear_blocks.h` for the order.
    private static func dot(
        _ row: UnsafeRawBufferPointer, format: WeightFormat, _ activations: [ActivationBlock]
    ) -> Float {
        let subCount = format.columnsPerBlock / StoredBlock.subColumns
        var sum: Float = 0
        for (index, x) in activations.enumerated() {
            let start = index / subCount * format.bytesPerBlock
            let bytes = UnsafeRawBufferPointer(rebasing: row[start..<start + format.bytesPerBlock])
            let block = StoredBlock(format: format, bytes: bytes)
            var codes: [Int] = []
            block.codes(index % subCount) { codes.append($1) }
            for half in 0..<format.scalesPerSubBlock {
                let columns = 32 / format.scalesPerSubBlock * half..<32 / format.scalesPerSubBlock * (half + 1)
                let product = columns.reduce(0) { $0 + codes[$1] * x.codes[$1] }
                let scale = block.scale(index % subCount, half: half)
                sum.addProduct(Float(product), scale.scale * x.scale)
                guard let minimum = scale.minimum else { continue }
                sum.addProduct(minimum, x.scale * Float(columns.reduce(0) { $0 + x.codes[$1] }))
            }
        }
        return sum
    }

    /// down(activation(gate x, up x)) * scale of one token, all three of blocks and with 8-bit activations.
    public static func gatedExpert(
        gate: [UInt8], up: [UInt8], down: [UInt8], format: WeightFormat, biases: Biases? = nil,
        activation: GatedActivation = .silu, input: [Float], scale: Float
    ) -> [Float] {
        let gated = linear(stored: gate, format: format, columns: input.count, input: input, bias: biases?.gate)
        let raised = linear(stored: up, format: format, columns: input.count, input: input, bias: biases?.up)
        let hidden = zip(gated, raised).map { activate($0, $1, activation) }
        return linear(
            stored: down, format: format, columns: hidden.count, input: hidden, bias: biases?.down, scale: scale)
    }
}

extension WeightFormat {
    /// Scales among 32 columns of a block.
    var scalesPerSubBlock: Int {
        switch self {
        case .q2K, .q3K, .q6K: 2
        default: 1
        }
    }
}
