import Basics

/// Writes a payload from front to back; the counterpart of `ByteReader`. It checks the same limits, so that nothing is
/// sent that the other side would refuse.
public struct ByteWriter {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []
    /// The protocol version that the other side understands: fields that came later are left out.
    public let version: UInt16

    /// An empty payload.
    public init(version: UInt16 = ProtocolVersion.newest) { self.version = version }

    /// A little-endian number.
    public mutating func integer<Number: FixedWidthInteger>(_ value: Number) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A float of 32 bits.
    public mutating func float(_ value: Float) { integer(value.bitPattern) }

    /// A byte 0 or 1.
    public mutating func bool(_ value: Bool) { integer(UInt8(value ? 1 : 0)) }

    /// A number of 32 bits, from 0 to its largest.
    public mutating func uint32(_ field: String, _ value: Int) throws(WireError) {
        guard let narrow = UInt32(exactly: value) else {
            throw .invalidValue(field: field, reason: "is \(value), which does not fit 32 bits")
        }
        integer(narrow)
    }

    /// A value that may be absent: a byte 0 or 1, then the value.
    public mutating func optional<Value>(
        _ value: Value?, _ write: (inout ByteWriter, Value) throws(WireError) -> Void
    ) throws(WireError) {
        bool(value != nil)
        if let value { try write(&self, value) }
    }

    /// A list: a count of 32 bits, then the elements.
    public mutating func list<Element>(
        _ field: String, _ elements: [Element], limit: Int,
        _ write: (inout ByteWriter, Element) throws(WireError) -> Void
    ) throws(WireError) {
        try count(field, elements.count, limit: limit)
        for element in elements { try write(&self, element) }
    }

    /// Bytes: a count of 32 bits, then as many bytes.
    public mutating func bytes(_ field: String, _ value: [UInt8], limit: Int) throws(WireError) {
        try count(field, value.count, limit: limit)
        bytes.append(contentsOf: value)
    }

    /// A text: a count of 32 bits, then as many bytes of UTF-8.
    public mutating func string(_ field: String, _ value: String, bytesMax: Int) throws(WireError) {
        try count(field, value.utf8.count, limit: bytesMax)
        bytes.append(contentsOf: value.utf8)
    }

    /// Bytes whose number the reader knows.
    public mutating func fixedBytes(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    private mutating func count(_ field: String, _ count: Int, limit: Int) throws(WireError) {
        guard count <= limit else { throw .beyondLimit(field: field, value: count, limit: limit) }
        integer(UInt32(count))
    }
}
