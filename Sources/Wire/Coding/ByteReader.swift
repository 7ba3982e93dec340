import Basics

/// Reads a payload from front to back. Every read is checked against what is left, every length against a limit before
/// anything is allocated for it.
///
/// It borrows the bytes: they must outlive it.
public struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// The protocol version of the frame: fields that came later are not there.
    public let version: UInt16
    /// The next byte to read.
    public private(set) var offset = 0

    /// Reads `bytes` from their beginning.
    public init(_ bytes: UnsafeRawBufferPointer, version: UInt16 = ProtocolVersion.newest) {
        self.bytes = bytes
        self.version = version
    }

    /// Bytes not yet read.
    public var remainingByteCount: Int { bytes.count - offset }

    /// A little-endian number.
    public mutating func integer<Number: FixedWidthInteger>(
        _ field: String, as: Number.Type = Number.self
    ) throws(WireError) -> Number {
        let start = try advance(MemoryLayout<Number>.size, field)
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Number.self))
    }

    /// A float of 32 bits, whatever it is.
    public mutating func float(_ field: String) throws(WireError) -> Float {
        Float(bitPattern: try integer(field, as: UInt32.self))
    }

    /// A float of 32 bits that is neither infinite nor not a number.
    public mutating func finiteFloat(_ field: String) throws(WireError) -> Float {
        let value = try float(field)
        guard value.isFinite else { throw .invalidValue(field: field, reason: "is \(value)") }
        return value
    }

    /// A byte that is 0 or 1.
    public mutating func bool(_ field: String) throws(WireError) -> Bool {
        switch try integer(field, as: UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw .invalidValue(field: field, reason: "is \(other), neither 0 nor 1")
        }
    }

    /// A value that may be absent: a byte 0 or 1, then the value.
    public mutating func optional<Value>(
        _ field: String, _ read: (inout ByteReader) throws(WireError) -> Value
    ) throws(WireError) -> Value? {
        guard try bool(field) else { return nil }
        return try read(&self)
    }

    /// A count of 32 bits that is not beyond `limit`, and whose elements fit into what is left.
    public mutating func count(
        _ field: String, limit: Int, elementByteCountMin: Int
    ) throws(WireError) -> Int {
        let start = offset
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= limit else { throw .beyondLimit(field: field, value: count, limit: limit) }
        let needed = count * elementByteCountMin
        guard needed <= remainingByteCount else {
            throw .truncated(
                field: field, neededByteCount: needed, remainingByteCount: remainingByteCount, byteOffset: start)
        }
        return count
    }

    /// A list: a count of 32 bits, then the elements.
    public mutating func list<Element>(
        _ field: String, limit: Int, elementByteCountMin: Int, _ read: (inout ByteReader) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        let count = try count(field, limit: limit, elementByteCountMin: elementByteCountMin)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    /// Bytes: a count of 32 bits, then as many bytes.
    public mutating func bytes(_ field: String, limit: Int) throws(WireError) -> [UInt8] {
        let count = try count(field, limit: limit, elementByteCountMin: 1)
        let start = try advance(count, field)
        return Array(bytes[start..<start + count])
    }

    /// A text: a count of 32 bits, then as many bytes of UTF-8.
    public mutating func string(_ field: String, bytesMax: Int) throws(WireError) -> String {
        let count = try count(field, limit: bytesMax, elementByteCountMin: 1)
        let start = try advance(count, field)
        guard let text = String(validating: bytes[start..<start + count], as: UTF8.self) else {
            throw .notUTF8(field: field, byteOffset: start)
        }
        return text
    }

    /// A fixed number of bytes.
    public mutating func fixedBytes(_ field: String, count: Int) throws(WireError) -> [UInt8] {
        let start = try advance(count, field)
        return Array(bytes[start..<start + count])
    }

    /// A known number of numbers of 16 bits.
    public mutating func numbers(_ field: String, count: Int) throws(WireError) -> [UInt16] {
        let start = try advance(2 * count, field)
        return (0..<count).map { index in
            UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 2 * index, as: UInt16.self))
        }
    }

    /// Checks that nothing follows.
    public func finish() throws(WireError) {
        guard remainingByteCount == 0 else {
            throw .trailingBytes(byteCount: remainingByteCount, byteOffset: offset)
        }
    }

    private mutating func advance(_ count: Int, _ field: String) throws(WireError) -> Int {
        guard count <= remainingByteCount else {
            throw .truncated(
                field: field, neededByteCount: count, remainingByteCount: remainingByteCount, byteOffset: offset)
        }
        defer { offset += count }
        return offset
    }
}
