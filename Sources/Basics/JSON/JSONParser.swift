import OrderedCollections

/// Why a document is not JSON, and where.
public enum JSONError: Error, Equatable, CustomStringConvertible {
    /// The document nests deeper than the limit.
    case depthBeyondLimit(limit: Int, byteOffset: Int)
    /// The document is larger than the limit.
    case documentBeyondLimit(byteCount: Int, limit: Int)
    /// The bytes at this place are not JSON.
    case malformed(reason: String, byteOffset: Int)

    /// One line for people.
    public var description: String {
        switch self {
        case .depthBeyondLimit(let limit, let offset):
            "JSON nests deeper than \(limit) levels at byte \(offset)"
        case .documentBeyondLimit(let count, let limit):
            "JSON document of \(count) bytes is beyond the limit of \(limit)"
        case .malformed(let reason, let offset):
            "malformed JSON at byte \(offset): \(reason)"
        }
    }
}

extension JSON {
    /// Parses one document; whitespace may surround it, nothing else.
    /// - Parameter path: keys from the outermost object inwards to one object that is returned as an array of pairs
    ///   `[key, value]`. Keys of an object are equal if their characters are canonically equivalent; where they must
    ///   not be, as in a tokenizer's vocabulary, pairs keep them apart.
    public init(parsing bytes: some Collection<UInt8>, pairsAt path: [String]? = nil) throws(JSONError) {
        guard bytes.count <= Limits.JSON.documentBytesMax else {
            throw .documentBeyondLimit(byteCount: bytes.count, limit: Limits.JSON.documentBytesMax)
        }
        var parser = JSONParser(bytes: ContiguousArray(bytes))
        self = try parser.parseDocument(pairsAt: path)
    }

    /// Parses one document given as text.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }
}

/// A recursive-descent parser over the document's bytes; `offset` is always the next byte to look at.
private struct JSONParser {
    let bytes: ContiguousArray<UInt8>
    var offset = 0
    var depth = 0

    mutating func parseDocument(pairsAt path: [String]?) throws(JSONError) -> JSON {
        let value = try parseValue(path?[...])
        skipWhitespace()
        guard offset == bytes.count else { throw malformed("something follows the value") }
        return value
    }

    /// - Parameter path: where within the value an object is wanted as pairs, nil if nowhere.
    private mutating func parseValue(_ path: ArraySlice<String>? = nil) throws(JSONError) -> JSON {
        skipWhitespace()
        guard let byte = peek() else { throw malformed("the document ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"): return try path?.isEmpty == true ? parsePairs() : parseObject(path)
        case UInt8(ascii: "["): return try parseArray()
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
        case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
        case UInt8(ascii: "n"): return try parseLiteral("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw malformed("unexpected byte 0x\(String(byte, radix: 16))")
        }
    }

    private mutating func parseObject(_ path: ArraySlice<String>?) throws(JSONError) -> JSON {
        var members: OrderedDictionary<String, JSON> = [:]
        try parseMembers(path) { key, value in members[key] = value }
        return .object(members)
    }

    private mutating func parsePairs() throws(JSONError) -> JSON {
        var pairs: [JSON] = []
        try parseMembers(nil) { key, value in pairs.append(.array([.string(key), value])) }
        return .array(pairs)
    }

    private mutating func parseMembers(
        _ path: ArraySlice<String>?, _ body: (String, JSON) -> Void
    ) throws(JSONError) {
        try enter()
        defer { depth -= 1 }
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return }
        while true {
            skipWhitespace()
            guard peek() == UInt8(ascii: "\"") else { throw malformed("an object's key must be a string") }
            let key = try parseString()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw malformed("':' must follow an object's key") }
            body(key, try parseValue(key == path?.first ? path?.dropFirst() : nil))
            skipWhitespace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return }
            throw malformed("',' or '}' must follow an object's value")
        }
    }

    private mutating func parseArray() throws(JSONError) -> JSON {
        try enter()
        defer { depth -= 1 }
        var elements: [JSON] = []
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try parseValue())
            skipWhitespace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return .array(elements) }
            throw malformed("',' or ']' must follow an array's element")
        }
    }

    private mutating func parseLiteral(_ literal: String, _ value: JSON) throws(JSONError) -> JSON {
        for byte in literal.utf8 {
            guard take(byte) else { throw malformed("expected '\(literal)'") }
        }
        return value
    }

    private mutating func parseNumber() throws(JSONError) -> JSON {
        let start = offset
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try parseDigits() }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try parseDigits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try parseDigits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw .malformed(reason: "the number \(text) is out of range", byteOffset: start)
        }
        return .double(value)
    }

    private mutating func parseDigits() throws(JSONError) {
        let start = offset
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        guard offset > start else { throw malformed("a digit is missing") }
    }

    private mutating func parseString() throws(JSONError) -> String {
        offset += 1
        let start = offset
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw malformed("a control character in a string must be escaped") }
            offset += 1
        }
        if peek() == UInt8(ascii: "\"") {
            let text = try validated(bytes[start..<offset], from: start)
            offset += 1
            return text
        }
        return try parseEscapedString(from: start)
    }

    /// The slow path: the string has at least one escape, or the document ends inside it.
    private mutating func parseEscapedString(from start: Int) throws(JSONError) -> String {
        var decoded = Array(bytes[start..<offset])
        while let byte = peek() {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return try validated(decoded[...], from: start)
            case UInt8(ascii: "\\"): try parseEscape(into: &decoded)
            case 0..<0x20: throw malformed("a control character in a string must be escaped")
            default: decoded.append(byte)
            }
        }
        throw malformed("the document ends inside a string")
    }

    private mutating func parseEscape(into decoded: inout [UInt8]) throws(JSONError) {
        guard let byte = peek() else { throw malformed("the document ends inside a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"): decoded.append(contentsOf: Array(String(try parseUnicodeEscape()).utf8))
        default: throw malformed("unknown escape in a string")
        }
    }

    /// The scalar of `\uXXXX`, or of a surrogate pair; a lone surrogate becomes U+FFFD as it has no UTF-8 form.
    private mutating func parseUnicodeEscape() throws(JSONError) -> Character {
        let first = try parseFourHexDigits()
        if (0xD800..<0xDC00).contains(first), offset + 1 < bytes.count,
            bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
        {
            let mark = offset
            offset += 2
            let second = try parseFourHexDigits()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            {
                return Character(scalar)
            }
            offset = mark
        }
        return Character(Unicode.Scalar(first) ?? "\u{FFFD}")
    }

    private mutating func parseFourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw malformed("four hexadecimal digits must follow \\u")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    private func validated(_ slice: some Collection<UInt8>, from start: Int) throws(JSONError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw .malformed(reason: "a string is not valid UTF-8", byteOffset: start)
        }
        return text
    }

    private mutating func enter() throws(JSONError) {
        offset += 1
        depth += 1
        guard depth <= Limits.JSON.depthMax else {
            throw .depthBeyondLimit(limit: Limits.JSON.depthMax, byteOffset: offset - 1)
        }
    }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        offset += 1
        return true
    }

    private func malformed(_ reason: String) -> JSONError { .malformed(reason: reason, byteOffset: offset) }
}
