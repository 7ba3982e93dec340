import CKernels

typealias LinearKernel = @convention(c) (UnsafePointer<colony_linear_arguments>, Int, Int) -> Void
typealias DecodeKernel = @convention(c) (UnsafeRawPointer, UnsafeMutablePointer<Float>, Int) -> Void

/// The functions of one instruction set that there are one of for each format.
struct FormatKernels {
    private let plain: [LinearKernel]
    private let blocks: [LinearKernel]
    private let exactBlocks: [LinearKernel]
    private let plainDecode: [DecodeKernel]

    init(_ table: colony_kernel_table) {
        plain = elements(of: table.linear)
        blocks = elements(of: table.linear_blocks)
        exactBlocks = elements(of: table.linear_blocks_exact)
        plainDecode = elements(of: table.decode)
    }

    /// The linear layer of `format`; blocks have one for each kind of activations.
    func linear(_ format: WeightFormat, _ activations: ActivationFormat) -> LinearKernel {
        if format.isPlain { return plain[format.tableIndex] }
        switch activations {
        case .int8: return blocks[format.tableIndex]
        case .f32: return exactBlocks[format.tableIndex]
        }
    }

    /// The conversion of a plain format to f32.
    func decode(_ format: WeightFormat) -> DecodeKernel { plainDecode[format.tableIndex] }
}

/// The elements of a C array, which Swift shows as a tuple.
private func elements<Tuple, Element>(of tuple: Tuple) -> [Element] {
    withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Element.self)) }
}
