import Basics

/// The string constants of a Python file: `NAME = "…"` at the beginning of a line, also with a type behind the name, in
/// three quotes, and as several literals in parentheses. Nothing is run; everything else in the file is passed over.
package struct PythonStrings {
    private let constants: [String: String]

    /// Reads the constants that are called one of `names`.
    package init(_ bytes: [UInt8], file: String, names: [String]) throws(TokenizerError) {
        guard bytes.count <= Limits.Template.sourceBytesMax else {
            throw .limitExceeded(what: "bytes of \(file)", count: bytes.count, limit: Limits.Template.sourceBytesMax)
        }
        guard let source = String(validating: bytes, as: UTF8.self) else {
            throw .fileMalformed(file: file, reason: "it is not UTF-8")
        }
        let scalars = Array(source.unicodeScalars)
        var constants: [String: String] = [:]
        for name in names {
            guard let start = Self.valueStart(of: name, in: scalars) else { continue }
            var reader = PythonLiteralReader(scalars: scalars, index: start)
            guard let text = reader.read() else {
                throw .fileMalformed(file: file, reason: "the value of \(name) is no string literal")
            }
            constants[name] = text
        }
        self.constants = constants
    }

    /// The value of a constant; nil if there is none of that name.
    package subscript(name: String) -> String? { constants[name] }

    /// Where the value of `name` begins: behind the `=` of a line that begins with the name.
    private static func valueStart(of name: String, in scalars: [Unicode.Scalar]) -> Int? {
        let name = Array(name.unicodeScalars)
        for index in scalars.indices where index == 0 || scalars[index - 1] == "\n" {
            guard scalars[index...].starts(with: name) else { continue }
            var position = index + name.count
            // A type may stand between the name and the sign.
            while position < scalars.count, scalars[position] != "=", scalars[position] != "\n" {
                let isBehindName = position == index + name.count
                if isBehindName, scalars[position] != " ", scalars[position] != ":" { break }
                position += 1
            }
            if position < scalars.count, scalars[position] == "=" { return position + 1 }
        }
        return nil
    }
}

/// Reads one string: literals that follow each other, possibly in parentheses.
private struct PythonLiteralReader {
    let scalars: [Unicode.Scalar]
    var index: Int
    private var depth = 0

    init(scalars: [Unicode.Scalar], index: Int) {
        self.scalars = scalars
        self.index = index
    }

    /// Nil if there is something else.
    mutating func read() -> String? {
        var text: String?
        while true {
            skipSpace()
            guard let scalar = peek() else { return text }
            switch scalar {
            case "(" where text == nil:
                depth += 1
                index += 1
            case "\"", "'":
                guard let literal = literal(isRaw: false) else { return nil }
                text = (text ?? "") + literal
            case "r", "R":
                guard let quote = peek(1), quote == "\"" || quote == "'" else { return text }
                index += 1
                guard let literal = literal(isRaw: true) else { return nil }
                text = (text ?? "") + literal
            default: return text
            }
        }
    }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        index + offset < scalars.count ? scalars[index + offset] : nil
    }

    /// Passes over spaces; within parentheses also over line ends and comments.
    private mutating func skipSpace() {
        while let scalar = peek() {
            if scalar == " " || scalar == "\t" || (depth > 0 && (scalar == "\n" || scalar == "\r")) {
                index += 1
            } else if depth > 0, scalar == "#" {
                while let next = peek(), next != "\n" { index += 1 }
            } else {
                return
            }
        }
    }

    private mutating func literal(isRaw: Bool) -> String? {
        guard let quote = peek() else { return nil }
        let isLong = peek(1) == quote && peek(2) == quote
        index += isLong ? 3 : 1
        var text = String.UnicodeScalarView()
        while let scalar = peek() {
            if scalar == quote, !isLong || (peek(1) == quote && peek(2) == quote) {
                index += isLong ? 3 : 1
                return String(text)
            }
            if scalar == "\n", !isLong { return nil }
            index += 1
            if scalar == "\\", !isRaw {
                guard appendEscape(to: &text) else { return nil }
            } else {
                text.append(scalar)
            }
        }
        return nil
    }

    private mutating func appendEscape(to text: inout String.UnicodeScalarView) -> Bool {
        guard let scalar = peek() else { return false }
        index += 1
        switch scalar {
        case "\n": break
        case "n": text.append("\n")
        case "r": text.append("\r")
        case "t": text.append("\t")
        case "\\", "\"", "'": text.append(scalar)
        case "x": return appendHexadecimal(digits: 2, to: &text)
        case "u": return appendHexadecimal(digits: 4, to: &text)
        case "U": return appendHexadecimal(digits: 8, to: &text)
        default:
            text.append("\\")
            text.append(scalar)
        }
        return true
    }

    private mutating func appendHexadecimal(digits: Int, to text: inout String.UnicodeScalarView) -> Bool {
        guard index + digits <= scalars.count else { return false }
        var name = String.UnicodeScalarView()
        name.append(contentsOf: scalars[index..<(index + digits)])
        guard let value = UInt32(String(name), radix: 16), let scalar = Unicode.Scalar(value) else { return false }
        index += digits
        text.append(scalar)
        return true
    }
}
