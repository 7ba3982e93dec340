import CKernels

/// Which instructions the kernels use. The bits of every result are the same for all of them; only the speed differs.
public enum InstructionSet: String, CaseIterable, Sendable {
    /// Plain C, on any processor.
    case generic
    /// x86-64 with AVX2, FMA and F16C.
    case avx2
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI.
    case avx512
    /// 64-bit ARM.
    case neon

    /// The fastest that this processor has.
    public static var best: InstructionSet { available.last ?? .generic }

    /// All that this processor has, slowest first.
    public static var available: [InstructionSet] { allCases.filter(\.isSupported) }

    /// Whether this processor, and this build, has it.
    public var isSupported: Bool { table != nil }

    /// The functions; null where unsupported. Tables are constants of the program.
    var table: UnsafePointer<colony_kernel_table>? {
        switch self {
        case .generic: colony_kernels_generic()
        case .avx2: colony_kernels_avx2()
        case .avx512: colony_kernels_avx512()
        case .neon: colony_kernels_neon()
        }
    }
}

extension InstructionSet {
    /// The instruction set that a setting names; `auto`, like any other word, is the fastest.
    public init(choice: String) { self = InstructionSet(rawValue: choice) ?? .best }
}
