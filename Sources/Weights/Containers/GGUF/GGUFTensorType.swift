import Kernels

/// The element types of GGUF by their numbers, which are GGML's. A type without a weight format is refused when a
/// tensor of it is used, not before: a file may carry tensors that nobody reads.
enum GGUFTensorType {
    /// The type's name among its users; `type 99` for a number that is not known.
    static func name(_ number: UInt32) -> String {
        weightFormat(number)?.rawValue ?? otherNames[number] ?? "type \(number)"
    }

    /// How weights of the type are stored; nil if they cannot be read.
    static func weightFormat(_ number: UInt32) -> WeightFormat? { formats[number] }

    /// How many elements make a block of the type, and its size in bytes; nil where that is not known.
    static func block(_ number: UInt32) -> (columns: Int, bytes: Int)? {
        if let format = weightFormat(number) { return (format.columnsPerBlock, format.bytesPerBlock) }
        return wholeNumberBytes[number].map { (1, $0) }
    }

    /// Types of whole numbers, which tables have (`Checkpoint.numbers`).
    private static let wholeNumberBytes: [UInt32: Int] = [26: 4, 27: 8]

    private static let formats: [UInt32: WeightFormat] = [
        0: .f32, 1: .f16, 2: .q40, 3: .q41, 6: .q50, 7: .q51, 8: .q80, 10: .q2K, 11: .q3K, 12: .q4K, 13: .q5K,
        14: .q6K, 20: .iq4NL, 23: .iq4XS, 30: .bf16, 39: .mxfp4,
    ]

    private static let otherNames: [UInt32: String] = [
        9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
        24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4",
        41: "Q1_0",
    ]
}

/// The kinds of values in GGUF's key-value section, by their numbers in the file.
enum GGUFValueKind: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The fewest bytes that a value of this kind occupies.
    var byteCountMin: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }
}
