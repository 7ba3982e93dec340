import CKernels

/// How weights are stored: plain numbers, or blocks of small integers that share scales.
///
/// A block holds `columnsPerBlock` neighbouring weights of one row. The raw values are the names under which formats
/// are published (GGUF's for the blocks); each decodes to exactly one f32 per weight.
public enum WeightFormat: String, Sendable, CaseIterable {
    /// The upper half of an f32.
    case bf16 = "BF16"
    /// IEEE half precision.
    case f16 = "F16"
    /// IEEE single precision.
    case f32 = "F32"
    /// 8-bit integers, an f16 scale per 32.
    case q80 = "Q8_0"
    /// 4-bit integers about 8, an f16 scale per 32.
    case q40 = "Q4_0"
    /// 4-bit integers, an f16 scale and an f16 minimum per 32.
    case q41 = "Q4_1"
    /// 5-bit integers about 16, an f16 scale per 32.
    case q50 = "Q5_0"
    /// 5-bit integers, an f16 scale and an f16 minimum per 32.
    case q51 = "Q5_1"
    /// 2-bit integers; per 16 a 4-bit scale and a 4-bit minimum, per 256 an f16 factor of each.
    case q2K = "Q2_K"
    /// 3-bit integers about 4; per 16 a 6-bit scale about 32, per 256 an f16 factor.
    case q3K = "Q3_K"
    /// 4-bit integers; per 32 a 6-bit scale and a 6-bit minimum, per 256 an f16 factor of each.
    case q4K = "Q4_K"
    /// 5-bit integers; per 32 a 6-bit scale and a 6-bit minimum, per 256 an f16 factor of each.
    case q5K = "Q5_K"
    /// 6-bit integers about 32; per 16 an 8-bit scale, per 256 an f16 factor.
    case q6K = "Q6_K"
    /// 4-bit indices into a fixed table of 8-bit values, an f16 scale per 32.
    case iq4NL = "IQ4_NL"
    /// The same with a 6-bit scale about 32 per 32, and an f16 factor per 256.
    case iq4XS = "IQ4_XS"
    /// 4-bit floats (e2m1), a power of two per 32 (OCP Microscaling Formats 1.0).
    case mxfp4 = "MXFP4"

    /// Neighbouring weights of a row that are stored together; a row is whole blocks.
    public var columnsPerBlock: Int {
        switch self {
        case .bf16, .f16, .f32: 1
        case .q80, .q40, .q41, .q50, .q51, .iq4NL, .mxfp4: 32
        case .q2K, .q3K, .q4K, .q5K, .q6K, .iq4XS: 256
        }
    }

    /// Size of one block.
    public var bytesPerBlock: Int {
        switch self {
        case .bf16, .f16: 2
        case .f32: 4
        case .q80: 34
        case .q40, .iq4NL: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .mxfp4: 17
        case .q2K: 84
        case .q3K: 110
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        case .iq4XS: 136
        }
    }

    /// Size of `count` weights, which must be whole blocks, in bytes.
    public func byteCount(of count: Int) -> Int {
        precondition(count % columnsPerBlock == 0, "whole blocks of \(columnsPerBlock)")
        return count / columnsPerBlock * bytesPerBlock
    }

    /// Whether a weight is a number of its own.
    public var isPlain: Bool { columnsPerBlock == 1 }
}

extension WeightFormat {
    /// Formats whose weights are numbers of their own.
    public static let plain = allCases.filter(\.isPlain)
    /// Formats of blocks.
    public static let blocks = allCases.filter { !$0.isPlain }

    /// Where the kernels' tables have the format: among the plain ones or among the blocks.
    var tableIndex: Int {
        switch self {
        case .bf16: COLONY_FORMAT_BF16
        case .f16: COLONY_FORMAT_F16
        case .f32: COLONY_FORMAT_F32
        case .q80: COLONY_BLOCK_Q8_0
        case .q40: COLONY_BLOCK_Q4_0
        case .q41: COLONY_BLOCK_Q4_1
        case .q50: COLONY_BLOCK_Q5_0
        case .q51: COLONY_BLOCK_Q5_1
        case .q2K: COLONY_BLOCK_Q2_K
        case .q3K: COLONY_BLOCK_Q3_K
        case .q4K: COLONY_BLOCK_Q4_K
        case .q5K: COLONY_BLOCK_Q5_K
        case .q6K: COLONY_BLOCK_Q6_K
        case .iq4NL: COLONY_BLOCK_IQ4_NL
        case .iq4XS: COLONY_BLOCK_IQ4_XS
        case .mxfp4: COLONY_BLOCK_MXFP4
        }
    }
}

/// In which form activations are multiplied with weights that are stored as integers in blocks or groups. Plain weights,
/// and 8-bit floats, are always multiplied with f32.
public enum ActivationFormat: String, Sendable, CaseIterable {
    /// 8-bit integers with an f32 scale per 32, rounded once per token: the default, and several times faster.
    case int8
    /// f32 with the decoded weights: what remains is the rounding of the weights alone.
    case f32
}
