import CKernels

/// How keys and values are stored. What is computed with them is f32, and the same for each instruction set.
public enum KeyValueFormat: String, Sendable, CaseIterable {
    /// IEEE single precision: as they were computed.
    case f32
    /// IEEE half precision; what is too large becomes the largest finite number.
    case f16
    /// 8-bit integers with an f32 scale for each key and each value of a head.
    case int8

    /// Size of one stored number, in bytes.
    public var numberBytes: Int {
        switch self {
        case .f32: 4
        case .f16: 2
        case .int8: 1
        }
    }

    /// Size of the scale that a key or a value of one head has beside its numbers, in bytes.
    public var scaleBytes: Int { self == .int8 ? MemoryLayout<Float>.stride : 0 }

    /// Where the kernels' tables have the format.
    var tableIndex: Int {
        switch self {
        case .f32: COLONY_KEY_VALUE_F32
        case .f16: COLONY_KEY_VALUE_F16
        case .int8: COLONY_KEY_VALUE_INT8
        }
    }
}
