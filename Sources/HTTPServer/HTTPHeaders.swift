/// Header lines in the order in which they came; names are kept in lower case, as HTTP/2 sends them.
public struct HTTPHeaders: Sendable, Equatable, CustomStringConvertible {
    /// One header line.
    public struct Line: Sendable, Equatable {
        /// The name, in lower case.
        public let name: String
        /// The value, without surrounding whitespace.
        public let value: String
    }

    /// All lines.
    public private(set) var lines: [Line] = []

    /// No headers.
    public init() {}

    /// The given lines; names may be in any case.
    public init(_ lines: [(String, String)]) {
        for (name, value) in lines { append(name.lowercased(), value) }
    }

    /// The value of the first line with this name (lower case); nil if there is none.
    public subscript(name: String) -> String? {
        for line in lines where line.name == name { return line.value }
        return nil
    }

    /// The values of all lines with this name (lower case).
    public func values(_ name: String) -> [String] {
        lines.compactMap { $0.name == name ? $0.value : nil }
    }

    /// The elements of a comma-separated header over all its lines, in lower case, without empty ones.
    public func tokens(_ name: String) -> [String] {
        values(name).flatMap { value in
            value.split(separator: ",").map { ASCII.trimmed($0).lowercased() }.filter { !$0.isEmpty }
        }
    }

    /// Adds a line; `name` must be in lower case.
    package mutating func append(_ name: String, _ value: String) {
        lines.append(Line(name: name, value: value))
    }

    /// One line per header, for logs and tests.
    public var description: String {
        lines.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
    }
}

/// The character classes of RFC 9110, on bytes.
enum ASCII {
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let colon = UInt8(ascii: ":")
    static let lineEnd: [UInt8] = [carriageReturn, lineFeed]

    /// Whether a byte may be part of a method or a header name.
    static func isTokenByte(_ byte: UInt8) -> Bool { tokenBytes[Int(byte)] }

    /// Whether a byte may be part of a header value: all but control characters.
    static func isValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == tab }

    /// Whether a byte may be part of a request target: visible ASCII; a fragment never travels.
    static func isTargetByte(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#") }

    /// The value of a hexadecimal digit.
    static func hexadecimalValue(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    /// A decimal number of at most 18 digits, nothing but digits.
    static func decimal(_ text: some Collection<UInt8>) -> Int? {
        guard (1...18).contains(text.count) else { return nil }
        var value = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// Without the spaces and tabs at both ends.
    static func trimmed(_ text: Substring) -> Substring {
        var utf8 = text.utf8
        while let first = utf8.first, first == space || first == tab { utf8.removeFirst() }
        while let last = utf8.last, last == space || last == tab { utf8.removeLast() }
        return Substring(utf8)
    }

    /// Without the spaces and tabs at both ends.
    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        while let first = rest.first, first == space || first == tab { rest.removeFirst() }
        while let last = rest.last, last == space || last == tab { rest.removeLast() }
        return rest
    }

    /// A header name in lower case.
    static func lowercased(_ bytes: ArraySlice<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count) { text in
            var count = 0
            for byte in bytes {
                text[count] = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
                count += 1
            }
            return count
        }
    }

    private static let tokenBytes: [Bool] = (0..<256).map { value in
        let byte = UInt8(value)
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            return true
        default: return Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
