import Basics
import Kernels
import OrderedCollections

/// The element types of safetensors with their sizes. A type that is not listed here is passed over, not refused: a
/// model may carry tensors that Colony does not read.
enum SafetensorsElementType {
    static func bits(_ name: String) -> Int? {
        switch name {
        case "F64", "I64", "U64", "C64": 64
        case "F32", "I32", "U32": 32
        case "F16", "BF16", "I16", "U16": 16
        case "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "F8_E8M0", "I8", "U8", "BOOL": 8
        case "F4": 4
        default: nil
        }
    }

    static func weightFormat(_ name: String) -> WeightFormat? {
        switch name {
        case "F32": .f32
        case "F16": .f16
        case "BF16": .bf16
        default: nil
        }
    }
}

/// The JSON header of a safetensors file. Pure: bytes in, descriptions or a typed error out.
public struct SafetensorsHeader: Sendable {
    /// The tensors by name.
    public let tensors: [String: TensorDescription]

    /// Parses and checks a header. `bytes` are the header without its length field, `dataByteCount` is how many bytes
    /// follow it in the file, `file` is named in errors.
    public init(parsing bytes: [UInt8], dataByteCount: Int, file: String) throws(WeightsError) {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
            throw .headerMalformed(file: file, reason: "\(error)", byteOffset: 8)
        }
        guard let members = json.object else {
            throw .headerMalformed(
                file: file, reason: "an object is needed, a JSON \(json.kindName) found", byteOffset: 8)
        }
        try SafetensorsHeader.refuseDuplicates(bytes, memberCount: members.count, file: file)
        var tensors: [String: TensorDescription] = [:]
        tensors.reserveCapacity(members.count)
        for (name, value) in members where name != "__metadata__" {
            tensors[name] = try SafetensorsHeader.describe(
                name, value, dataByteCount: dataByteCount, file: file)
        }
        try TensorDescription.refuseOverlaps(tensors.values, file: file)
        self.tensors = tensors
    }

    private static func describe(
        _ name: String, _ value: JSON, dataByteCount: Int, file: String
    ) throws(WeightsError) -> TensorDescription {
        func malformed(_ what: String) -> WeightsError {
            .headerMalformed(file: file, reason: "tensor \(name): \(what)", byteOffset: 8)
        }
        guard let type = value["dtype"]?.string else { throw malformed("dtype must be a string") }
        guard let dimensions = value["shape"]?.array, dimensions.count <= Limits.Weights.dimensionsMax else {
            throw malformed("shape must be an array of at most \(Limits.Weights.dimensionsMax) numbers")
        }
        let shape = dimensions.compactMap(\.integer)
        guard shape.count == dimensions.count, shape.allSatisfy({ $0 >= 0 }) else {
            throw malformed("every dimension must be a whole number of at least 0")
        }
        let offsets = value["data_offsets"]?.array?.compactMap(\.integer) ?? []
        guard offsets.count == 2, value["data_offsets"]?.array?.count == 2 else {
            throw malformed("data_offsets must be two whole numbers")
        }
        guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= dataByteCount else {
            throw .tensorOutOfFile(
                tensor: name, file: file, begin: offsets[0], end: offsets[1], dataByteCount: dataByteCount)
        }
        let found = offsets[1] - offsets[0]
        if let bits = SafetensorsElementType.bits(type) {
            guard let expected = byteCount(shape: shape, bits: bits) else {
                throw malformed("shape \(shape) is beyond all memory")
            }
            guard expected == found else {
                throw .tensorSizeMismatch(
                    tensor: name, file: file, shape: shape, type: type, expectedByteCount: expected,
                    foundByteCount: found)
            }
        }
        return TensorDescription(
            name: name, shape: shape, elementType: type, byteCount: found,
            format: SafetensorsElementType.weightFormat(type), dataOffset: offsets[0])
    }

    /// Size of a tensor in bytes, nil when it does not fit 64 bits.
    private static func byteCount(shape: [Int], bits: Int) -> Int? {
        // A dimension of 0 makes the product 0 in whatever order the others would overflow.
        if shape.contains(0) { return 0 }
        var total = bits
        for dimension in shape {
            let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            total = product
        }
        return total / 8 + (total % 8 == 0 ? 0 : 1)
    }

    /// The JSON parser keeps the last of equal keys, so members that are missing from its result were duplicates.
    private static func refuseDuplicates(_ bytes: [UInt8], memberCount: Int, file: String) throws(WeightsError) {
        var depth = 0
        var inString = false
        var escaped = false
        var stringStart = 0
        var lastString = 0..<0
        var keys: [Range<Int>] = []
        for (offset, byte) in bytes.enumerated() {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                    lastString = stringStart..<offset
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                inString = true
                stringStart = offset + 1
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":"): if depth == 1 { keys.append(lastString) }
            default: break
            }
        }
        guard keys.count != memberCount else { return }
        var seen: Set<String> = []
        let names = keys.map { String(decoding: bytes[$0], as: UTF8.self) }
        throw .tensorDuplicated(tensor: names.first { !seen.insert($0).inserted } ?? "(escaped name)", file: file)
    }
}
