import Kernels

/// One stored tensor of those that make up a weight: codes, scales, or zeros. Its bytes were checked against its shape.
struct WeightPart: Sendable {
    let name: String
    let file: MappedFile
    /// The file's number in the model.
    let fileNumber: Int
    /// Where it begins, in bytes from the start of the file.
    let byteOffset: Int
    let byteCount: Int
    /// Dimensions, slowest first.
    let shape: [Int]
    /// The file's own name of the element type.
    let elementType: String

    /// Where part `index` of `count` equal ones lies.
    func range(_ index: Int, of count: Int) -> Range<Int> {
        let size = byteCount / max(count, 1)
        return byteOffset + index * size..<byteOffset + (index + 1) * size
    }

    /// Calls `body` with part `index` of `count` equal ones; whoever calls has asked for the pages, see
    /// `MappedFile.populate`.
    func withBytes<Result>(_ index: Int, of count: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withExtendedLifetime(file) { body(file.bytes(range(index, of: count))) }
    }
}

extension UnsafeRawBufferPointer {
    /// Element `index` of an array of numbers at any alignment; within the buffer, which is checked.
    func element<Number: FixedWidthInteger>(_ index: Int, as type: Number.Type = Number.self) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: index * MemoryLayout<Number>.size, as: Number.self))
    }

    /// Element `index` of an array of floats of the element type `type`, exactly.
    func float(_ index: Int, type: String) -> Float {
        switch type {
        case "BF16": Float(bitPattern: UInt32(element(index, as: UInt16.self)) << 16)
        case "F16": Float(Float16(bitPattern: element(index, as: UInt16.self)))
        case "F8_E8M0": Self.powerOfTwo(self[index])
        default: Float(bitPattern: element(index, as: UInt32.self))
        }
    }

    /// 2 to the power e - 127; the smallest is subnormal, and the largest no number.
    private static func powerOfTwo(_ exponent: UInt8) -> Float {
        switch exponent {
        case 0: 0x1p-127
        case 255: .nan
        default: Float(bitPattern: UInt32(exponent) << 23)
        }
    }
}
