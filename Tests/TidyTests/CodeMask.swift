/// Blanks comments and the contents of strings, so that a check sees code only: every byte of them becomes a space,
/// line feeds stay, so lines and columns stay what they were. It is a lexer for our own sources, not for all of Swift:
/// bare regular expressions are taken for code, and a string that is not closed ends with its line.
struct CodeMask {
    private let bytes: [UInt8]
    private var masked: [UInt8]
    private var offset = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        masked = bytes
    }

    /// Masks Swift: nested comments, raw and multi-line strings, interpolations (which stay visible: they are code).
    static func swift(_ bytes: [UInt8]) -> [UInt8] {
        var mask = CodeMask(bytes)
        mask.maskSwift(untilParenthesisCloses: false)
        return mask.masked
    }

    /// Masks C: comments, strings and character constants.
    static func c(_ bytes: [UInt8]) -> [UInt8] {
        var mask = CodeMask(bytes)
        mask.maskC()
        return mask.masked
    }

    private mutating func maskSwift(untilParenthesisCloses isInterpolation: Bool) {
        var depth = 0
        while offset < bytes.count {
            if starts("//") {
                maskLine()
            } else if starts("/*") {
                maskBlockComment(isNested: true)
            } else if let opening = stringOpening() {
                maskSwiftString(opening)
            } else {
                if bytes[offset] == UInt8(ascii: "(") { depth += 1 }
                if bytes[offset] == UInt8(ascii: ")") { depth -= 1 }
                if isInterpolation, depth < 0 { return }
                offset += 1
            }
        }
    }

    private mutating func maskC() {
        while offset < bytes.count {
            if starts("//") {
                maskLine()
            } else if starts("/*") {
                maskBlockComment(isNested: false)
            } else if bytes[offset] == UInt8(ascii: "\"") || bytes[offset] == UInt8(ascii: "'") {
                maskCString(quote: bytes[offset])
            } else {
                offset += 1
            }
        }
    }

    /// How a string literal begins here: how many `#`, and whether it has three quotes.
    private func stringOpening() -> (hashes: Int, isMultiLine: Bool)? {
        var hashes = 0
        while offset + hashes < bytes.count, bytes[offset + hashes] == UInt8(ascii: "#") { hashes += 1 }
        let quotes = offset + hashes
        guard quotes < bytes.count, bytes[quotes] == UInt8(ascii: "\"") else { return nil }
        return (hashes, starts("\"\"\"", at: quotes))
    }

    private mutating func maskSwiftString(_ opening: (hashes: Int, isMultiLine: Bool)) {
        let hashes = String(repeating: "#", count: opening.hashes)
        let quotes = opening.isMultiLine ? "\"\"\"" : "\""
        offset += opening.hashes + quotes.utf8.count
        while offset < bytes.count {
            if starts(quotes + hashes) {
                offset += quotes.utf8.count + opening.hashes
                return
            }
            if !opening.isMultiLine, bytes[offset] == 10 { return }
            if starts("\\" + hashes + "(") {
                offset += opening.hashes + 2
                maskSwift(untilParenthesisCloses: true)
                offset = min(offset + 1, bytes.count)
            } else if starts("\\" + hashes), offset + opening.hashes + 1 < bytes.count {
                blank(count: opening.hashes + 2)
            } else {
                blank(count: 1)
            }
        }
    }

    private mutating func maskCString(quote: UInt8) {
        offset += 1
        while offset < bytes.count, bytes[offset] != 10 {
            if bytes[offset] == quote {
                offset += 1
                return
            }
            blank(count: bytes[offset] == UInt8(ascii: "\\") && offset + 1 < bytes.count ? 2 : 1)
        }
    }

    private mutating func maskLine() {
        while offset < bytes.count, bytes[offset] != 10 { blank(count: 1) }
    }

    private mutating func maskBlockComment(isNested: Bool) {
        var depth = 0
        while offset < bytes.count {
            if starts("/*"), depth == 0 || isNested {
                depth += 1
                blank(count: 2)
            } else if starts("*/") {
                depth -= 1
                blank(count: 2)
                if depth == 0 { return }
            } else {
                blank(count: 1)
            }
        }
    }

    private func starts(_ text: String, at start: Int? = nil) -> Bool {
        bytes[(start ?? offset)...].starts(with: text.utf8)
    }

    private mutating func blank(count: Int) {
        for _ in 0..<count {
            if bytes[offset] != 10 { masked[offset] = UInt8(ascii: " ") }
            offset += 1
        }
    }
}
