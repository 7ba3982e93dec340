/// The printable stand-ins that byte-level vocabularies use for bytes: printable Latin-1 characters stand for
/// themselves, the other bytes are numbered upwards from U+0100.
enum ByteAlphabet {
    /// The scalar that stands for each byte.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0...255).map { (byte: UInt32) -> Unicode.Scalar in
            if isPrintable(byte) { return Unicode.Scalar(UInt8(byte)) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "\u{FFFD}"
        }
    }()

    /// Scalar value → byte, −1 for scalars outside the alphabet.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
        return table
    }()

    private static func isPrintable(_ byte: UInt32) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
    }

    /// The bytes that a vocabulary entry stands for; nil if a scalar of it is outside the alphabet.
    static func bytes(of entry: String) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(entry.utf8.count)
        for scalar in entry.unicodeScalars {
            guard scalar.value < UInt32(bytes.count), bytes[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar.value)]))
        }
        return result
    }
}
