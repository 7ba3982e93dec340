/// Writes GGUF files for tests, good ones and lying ones; its bytes are held against bytes written by hand.
package struct GGUFBuilder {
    /// A value with its kind.
    package indirect enum Value {
        case array(kind: UInt32, [Value])
        case bool(UInt8)
        case float32(Float)
        case float64(Double)
        case int8(Int8)
        case int16(Int16)
        case int32(Int32)
        case int64(Int64)
        /// Any kind, with whatever bytes.
        case raw(kind: UInt32, [UInt8])
        case string(String)
        case uint8(UInt8)
        case uint16(UInt16)
        case uint32(UInt32)
        case uint64(UInt64)

        /// An array of strings.
        package static func strings(_ texts: [String]) -> Value { .array(kind: 8, texts.map(Value.string)) }

        var kind: UInt32 {
            switch self {
            case .uint8: 0
            case .int8: 1
            case .uint16: 2
            case .int16: 3
            case .uint32: 4
            case .int32: 5
            case .float32: 6
            case .bool: 7
            case .string: 8
            case .array: 9
            case .uint64: 10
            case .int64: 11
            case .float64: 12
            case .raw(let kind, _): kind
            }
        }

        var bytes: [UInt8] {
            switch self {
            case .uint8(let number), .bool(let number): [number]
            case .int8(let number): [UInt8(bitPattern: number)]
            case .uint16(let number): littleEndian(number)
            case .int16(let number): littleEndian(number)
            case .uint32(let number): littleEndian(number)
            case .int32(let number): littleEndian(number)
            case .float32(let number): littleEndian(number.bitPattern)
            case .float64(let number): littleEndian(number.bitPattern)
            case .uint64(let number): littleEndian(number)
            case .int64(let number): littleEndian(number)
            case .string(let text): GGUFBuilder.string(text)
            case .array(let kind, let elements):
                littleEndian(kind) + littleEndian(UInt64(elements.count)) + elements.flatMap(\.bytes)
            case .raw(_, let bytes): bytes
            }
        }
    }

    /// A tensor; its dimensions are as the file has them, fastest first.
    package struct Tensor {
        package var name: String
        package var dimensions: [UInt64]
        package var type: UInt32
        package var bytes: [UInt8]
        /// Where it claims to be; nil for behind the one before.
        package var offset: UInt64?
    }

    package var magic: [UInt8]
    package var version: UInt32
    package var keys: [(String, Value)]
    package var tensors: [Tensor]
    /// What the header claims, if not the truth.
    package var claimedKeyCount: UInt64?
    package var claimedTensorCount: UInt64?
    package var alignment: Int

    /// A file with these keys and tensors; the rest says what else its header claims.
    package init(
        magic: [UInt8] = Array("GGUF".utf8), version: UInt32 = 3, keys: [(String, Value)] = [], tensors: [Tensor] = [],
        claimedKeyCount: UInt64? = nil, claimedTensorCount: UInt64? = nil, alignment: Int = 32
    ) {
        self.magic = magic
        self.version = version
        self.keys = keys
        self.tensors = tensors
        self.claimedKeyCount = claimedKeyCount
        self.claimedTensorCount = claimedTensorCount
        self.alignment = alignment
    }

    /// Adds a tensor behind the others.
    package mutating func add(
        _ name: String, _ dimensions: [UInt64], type: UInt32, _ bytes: [UInt8], offset: UInt64? = nil
    ) {
        tensors.append(Tensor(name: name, dimensions: dimensions, type: type, bytes: bytes, offset: offset))
    }

    /// The header, without padding.
    package var header: [UInt8] {
        var bytes = magic + littleEndian(version)
        bytes += littleEndian(claimedTensorCount ?? UInt64(tensors.count))
        bytes += littleEndian(claimedKeyCount ?? UInt64(keys.count))
        for (key, value) in keys { bytes += Self.string(key) + littleEndian(value.kind) + value.bytes }
        var place = 0
        for tensor in tensors {
            bytes += Self.string(tensor.name) + littleEndian(UInt32(tensor.dimensions.count))
            bytes += tensor.dimensions.flatMap(littleEndian) + littleEndian(tensor.type)
            bytes += littleEndian(tensor.offset ?? UInt64(place))
            place += padded(tensor.bytes).count
        }
        return bytes
    }

    /// The whole file.
    package var file: [UInt8] { padded(header) + tensors.flatMap { padded($0.bytes) } }

    private func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }

    /// A string with its length before it.
    package static func string(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }
}

/// The bytes of a number, lowest first.
package func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * Number($0))) }
}
