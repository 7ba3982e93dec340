import CKernels

/// How a weight is stored. Every kernel converts it exactly to f32 before it computes.
public enum WeightFormat: String, Sendable, CaseIterable {
    /// The upper half of an f32.
    case bf16
    /// IEEE half precision.
    case f16
    /// IEEE single precision.
    case f32

    /// Size of one weight.
    public var bytesPerWeight: Int {
        switch self {
        case .bf16, .f16: 2
        case .f32: 4
        }
    }
}

extension WeightFormat {
    func linear(_ table: colony_kernel_table) -> LinearKernel {
        switch self {
        case .bf16: table.linear.0
        case .f16: table.linear.1
        case .f32: table.linear.2
        }
    }

    func decode(_ table: colony_kernel_table) -> DecodeKernel {
        switch self {
        case .bf16: table.decode.0
        case .f16: table.decode.1
        case .f32: table.decode.2
        }
    }
}

typealias LinearKernel = @convention(c) (UnsafePointer<colony_linear_arguments>, Int, Int) -> Void
typealias DecodeKernel = @convention(c) (UnsafeRawPointer, UnsafeMutablePointer<Float>, Int) -> Void
