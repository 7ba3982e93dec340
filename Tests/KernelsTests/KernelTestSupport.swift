import Kernels
import Testing

/// A small counter-based generator: the same numbers in every run.
struct TestNumbers {
    private var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var x = state
        x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
        x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
        return x ^ (x >> 31)
    }

    /// Between -1 and 1.
    mutating func float() -> Float { Float(Int64(next() >> 40) - (1 << 23)) * 0x1p-23 }

    mutating func floats(_ count: Int, scale: Float = 1) -> [Float] { (0..<count).map { _ in float() * scale } }
}

/// Stored weights and what they mean.
struct TestWeights {
    let bytes: [UInt8]
    let decoded: [Float]
    let format: WeightFormat
    let rows: Int
    let columns: Int

    /// Random bit patterns of magnitude around 1; with `special` also subnormals, zeros of both signs and huge values.
    init(rows: Int, columns: Int, format: WeightFormat, seed: Int, special: Bool = false) {
        var numbers = TestNumbers(seed: seed)
        var bytes: [UInt8] = []
        var decoded: [Float] = []
        for _ in 0..<rows * columns {
            var bits = Self.ordinary(numbers.float(), format: format)
            if special && numbers.next() % 8 == 0 { bits = Self.unusual(numbers.next(), format: format) }
            for byte in 0..<format.bytesPerBlock { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte))) }
            decoded.append(Reference.decode(bits, format: format))
        }
        self.init(bytes: bytes, decoded: decoded, format: format, rows: rows, columns: columns)
    }

    /// Random codes and scales in blocks: any bits at all, but factors of magnitude around 1 so that sums stay numbers.
    init(blockRows rows: Int, columns: Int, format: WeightFormat, seed: Int) {
        var numbers = TestNumbers(seed: seed)
        var bytes = (0..<rows * format.byteCount(of: columns)).map { _ in
            UInt8(truncatingIfNeeded: numbers.next() >> 32)
        }
        for block in stride(from: 0, to: bytes.count, by: format.bytesPerBlock) {
            if format == .mxfp4 { bytes[block] = UInt8(120 + numbers.next() % 12) }
            for offset in format.factorOffsets {
                let factor = Self.halfBits(numbers.float())
                bytes[block + offset] = UInt8(factor & 255)
                bytes[block + offset + 1] = UInt8(factor >> 8)
            }
        }
        let decoded = bytes.withUnsafeBytes { format.decoded($0) }
        self.init(bytes: bytes, decoded: decoded, format: format, rows: rows, columns: columns)
    }

    /// Stored blocks as they are.
    init(bytes: [UInt8], format: WeightFormat, columns: Int) {
        let rows = bytes.count / format.byteCount(of: columns)
        let decoded = bytes.withUnsafeBytes { format.decoded($0) }
        self.init(bytes: bytes, decoded: decoded, format: format, rows: rows, columns: columns)
    }

    private init(bytes: [UInt8], decoded: [Float], format: WeightFormat, rows: Int, columns: Int) {
        self.bytes = bytes
        self.decoded = decoded
        self.format = format
        self.rows = rows
        self.columns = columns
    }

    func packed(_ placement: WeightPlacement = .anywhere) throws -> PackedMatrix {
        try bytes.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(packing: source, rows: rows, columns: columns, format: format, placement: placement)
        }
    }

    private static func ordinary(_ value: Float, format: WeightFormat) -> UInt32 {
        switch format {
        case .f32: return value.bitPattern
        case .bf16: return value.bitPattern >> 16
        case .f16: return halfBits(value)
        default: preconditionFailure("a block format")
        }
    }

    /// Truncation is good enough for a test's input.
    private static func halfBits(_ value: Float) -> UInt32 {
        let sign = value.bitPattern >> 16 & 0x8000
        let exponent = Int(value.bitPattern >> 23 & 0xff) - 112
        guard exponent > 0 else { return sign | (value.bitPattern >> 13 & 0x3ff) }
        return sign | UInt32(exponent) << 10 | (value.bitPattern >> 13 & 0x3ff)
    }

    private static func unusual(_ random: UInt64, format: WeightFormat) -> UInt32 {
        let sign = UInt32(random & 1)
        let low = UInt32(truncatingIfNeeded: random >> 8)
        let choice = random >> 1 & 3
        switch format {
        case .f32: return sign << 31 | [low & 0x7fffff, 0, 0x7f80_0000, 0x7f00_0000 | low & 0x7fffff][Int(choice)]
        case .bf16: return sign << 15 | [low & 0x7f, 0, 0x7f80, 0x7f00 | low & 0x7f][Int(choice)]
        case .f16: return sign << 15 | [low & 0x3ff, 0, 0x7c00, 0x7800 | low & 0x3ff][Int(choice)]
        default: preconditionFailure("a block format")
        }
    }
}

/// Bit patterns with every NaN alike: payloads and signs of NaNs are nobody's contract.
func bits(_ values: some Sequence<Float>) -> [UInt32] {
    values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern }
}

extension Rows {
    /// Rows that hold `values`.
    static func of(_ values: [Float], width: Int) -> Rows {
        let rows = Rows(capacity: values.count / width, width: width)
        for (index, value) in values.enumerated() { rows.view.base[index] = value }
        return rows
    }

    var values: [Float] { Array(view.floats) }

    func values(row: Int) -> [Float] { Array(view[row]) }
}

func row(_ index: Int, of values: [Float], width: Int) -> [Float] {
    Array(values[index * width..<(index + 1) * width])
}

/// One `Compute` per instruction set of this machine and thread count.
func everyCompute(threadCounts: [Int] = [1, 3], activations: ActivationFormat = .int8) throws -> [Compute] {
    var all: [Compute] = []
    for instructionSet in InstructionSet.available {
        for threadCount in threadCounts {
            all.append(
                try Compute(
                    instructionSet: instructionSet, threadCount: threadCount, spinMicroseconds: 50,
                    activations: activations))
        }
    }
    return all
}

/// The tokens of one expert.
struct ExpertBatch {
    let weights: ExpertWeights
    let inputRows: [Int]
    let outputRows: [Int]
    let scales: [Float]
}

extension ExpertAssignments {
    /// Expert after expert, each with its tokens.
    init(_ batches: [ExpertBatch]) {
        self.init()
        for batch in batches {
            let expert = add(batch.weights)
            for (index, row) in batch.inputRows.enumerated() {
                assign(row, to: expert, outputRow: batch.outputRows[index], scale: batch.scales[index])
            }
        }
    }
}

extension Compute {
    var label: Comment {
        "\(instructionSet.rawValue), \(pool.threadCount) threads, activations \(activations.rawValue)"
    }
}

extension WeightFormat {
    /// Where a block has its f16 factors.
    var factorOffsets: [Int] {
        switch self {
        case .bf16, .f16, .f32, .mxfp4: []
        case .q80, .q40, .q50, .iq4NL, .iq4XS: [0]
        case .q41, .q51, .q4K, .q5K: [0, 2]
        case .q2K: [80, 82]
        case .q3K: [108]
        case .q6K: [208]
        }
    }
}
