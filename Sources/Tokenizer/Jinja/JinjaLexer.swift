import Basics

/// Cuts a template into tokens, with the white-space rules under which chat templates are written: `trim_blocks` (the
/// newline behind a block tag goes), `lstrip_blocks` (so does the space before one that begins its line), and the
/// explicit `-` and `+`.
struct JinjaLexer {
    private enum Tag {
        case block
        case comment
        case variable
    }

    private let source: [UInt8]
    private var index = 0
    private var line = 1
    private var tokens: [JinjaToken] = []
    /// Whether what was lexed last ended a line, so that the next text begins one.
    private var isLineStart = true

    /// The tokens of a template; the last is `.end`.
    static func tokens(of template: String) throws(TokenizerError) -> [JinjaToken] {
        var lexer = JinjaLexer(template)
        while lexer.index < lexer.source.count { try lexer.lexTextAndTag() }
        lexer.emit(.end)
        return lexer.tokens
    }

    /// Line ends become `\n`; one at the very end goes.
    private init(_ template: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(template.utf8.count)
        var previousIsReturn = false
        for byte in template.utf8 {
            if byte == UInt8(ascii: "\r") {
                bytes.append(UInt8(ascii: "\n"))
            } else if !(byte == UInt8(ascii: "\n") && previousIsReturn) {
                bytes.append(byte)
            }
            previousIsReturn = byte == UInt8(ascii: "\r")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        source = bytes
    }

    // MARK: Text

    private mutating func lexTextAndTag() throws(TokenizerError) {
        let start = index
        guard let (tagStart, tag) = nextTag(from: start) else {
            emitText(start..<source.count)
            index = source.count
            return
        }
        let sign = peek(at: tagStart + 2)
        let text = stripped(start..<tagStart, sign: sign, keepsIndent: tag == .variable)
        emitText(text)
        line += lineCount(text.upperBound..<tagStart)
        index = tagStart + 2 + (sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") ? 1 : 0)
        switch tag {
        case .comment: try skipComment()
        case .variable: try lexTag(begin: .variableBegin, end: .variableEnd)
        case .block:
            if try lexRaw(tagStart: tagStart) { return }
            try lexTag(begin: .blockBegin, end: .blockEnd)
        }
    }

    private func nextTag(from start: Int) -> (start: Int, tag: Tag)? {
        var position = start
        while position + 1 < source.count {
            if source[position] == UInt8(ascii: "{") {
                switch source[position + 1] {
                case UInt8(ascii: "{"): return (position, .variable)
                case UInt8(ascii: "%"): return (position, .block)
                case UInt8(ascii: "#"): return (position, .comment)
                default: break
                }
            }
            position += 1
        }
        return nil
    }

    /// The part of the text before a tag that stays.
    private func stripped(_ text: Range<Int>, sign: UInt8?, keepsIndent: Bool) -> Range<Int> {
        if sign == UInt8(ascii: "-") {
            return text.lowerBound..<PythonText.endWithoutWhitespace(source, text)
        }
        if sign == UInt8(ascii: "+") || keepsIndent { return text }
        let lastNewline = source[text].lastIndex(of: UInt8(ascii: "\n"))
        guard let lineStart = lastNewline.map({ $0 + 1 }) ?? (isLineStart ? text.lowerBound : nil) else { return text }
        let isBlank = PythonText.endWithoutWhitespace(source, lineStart..<text.upperBound) == lineStart
        return isBlank ? text.lowerBound..<lineStart : text
    }

    private mutating func emitText(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        emit(.text(String(decoding: source[range], as: UTF8.self)))
        line += lineCount(range)
    }

    /// Moves behind a tag's end: `-` takes all white space along, a plain block or comment end takes one newline.
    private mutating func passEnd(byteCount: Int, sign: UInt8?, trimsNewline: Bool) {
        let start = index
        index += byteCount
        if sign == UInt8(ascii: "-") {
            index = PythonText.startWithoutWhitespace(source, index..<source.count)
        } else if trimsNewline, sign != UInt8(ascii: "+"), peek(at: index) == UInt8(ascii: "\n") {
            index += 1
        }
        line += lineCount(start..<index)
        isLineStart = source[index - 1] == UInt8(ascii: "\n")
    }

    private mutating func skipComment() throws(TokenizerError) {
        let start = index
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "#"), source[index + 1] == UInt8(ascii: "}") {
                let sign = index > start ? source[index - 1] : nil
                line += lineCount(start..<index)
                return passEnd(byteCount: 2, sign: sign, trimsNewline: true)
            }
            index += 1
        }
        throw syntaxError("a comment is not closed")
    }

    // MARK: Raw

    /// Handles `{% raw %}` up to its end; false if this block tag is another one.
    private mutating func lexRaw(tagStart: Int) throws(TokenizerError) -> Bool {
        guard let begin = matchTag(named: "raw", at: tagStart) else { return false }
        index = begin.end
        line += lineCount(tagStart..<index)
        if begin.sign == UInt8(ascii: "-") {
            let start = index
            index = PythonText.startWithoutWhitespace(source, index..<source.count)
            line += lineCount(start..<index)
        }
        isLineStart = source[index - 1] == UInt8(ascii: "\n")
        let start = index
        var position = start
        while position + 1 < source.count {
            if source[position] == UInt8(ascii: "{"), let end = matchTag(named: "endraw", at: position) {
                let text = stripped(start..<position, sign: peek(at: position + 2), keepsIndent: false)
                emitText(text)
                line += lineCount(text.upperBound..<position)
                index = position
                passEnd(byteCount: end.end - position, sign: end.sign, trimsNewline: true)
                return true
            }
            position += 1
        }
        throw syntaxError("'raw' is not closed")
    }

    /// The end of `{% name %}` if that is what starts at `start`, and the sign before its `%}`.
    private func matchTag(named name: String, at start: Int) -> (end: Int, sign: UInt8?)? {
        guard peek(at: start) == UInt8(ascii: "{"), peek(at: start + 1) == UInt8(ascii: "%") else { return nil }
        var position = start + 2
        if let sign = peek(at: position), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
        position = PythonText.startWithoutWhitespace(source, position..<source.count)
        let nameEnd = position + name.utf8.count
        guard nameEnd <= source.count, source[position..<nameEnd].elementsEqual(name.utf8) else { return nil }
        position = PythonText.startWithoutWhitespace(source, nameEnd..<source.count)
        var sign: UInt8?
        if let byte = peek(at: position), byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") {
            sign = byte
            position += 1
        }
        guard peek(at: position) == UInt8(ascii: "%"), peek(at: position + 1) == UInt8(ascii: "}") else { return nil }
        return (position + 2, sign)
    }

    // MARK: Tags

    private mutating func lexTag(begin: JinjaToken.Kind, end: JinjaToken.Kind) throws(TokenizerError) {
        emit(begin)
        let isBlock = end == .blockEnd
        let closing = isBlock ? UInt8(ascii: "%") : UInt8(ascii: "}")
        var brackets: [UInt8] = []
        while let byte = peek(at: index) {
            if brackets.isEmpty, let sign = endSign(closing, allowsPlus: isBlock) {
                emit(end)
                return passEnd(byteCount: sign == nil ? 2 : 3, sign: sign ?? nil, trimsNewline: isBlock)
            }
            let next = PythonText.startWithoutWhitespace(source, index..<source.count)
            if next > index {
                line += lineCount(index..<next)
                index = next
                continue
            }
            try lexOne(byte, &brackets)
        }
        throw syntaxError("a tag is not closed")
    }

    /// Whether the tag ends here: nil if not, else the sign before its end, if any.
    private func endSign(_ closing: UInt8, allowsPlus: Bool) -> UInt8?? {
        guard let byte = peek(at: index) else { return nil }
        if byte == closing, peek(at: index + 1) == UInt8(ascii: "}") { return .some(nil) }
        let isSign = byte == UInt8(ascii: "-") || (allowsPlus && byte == UInt8(ascii: "+"))
        guard isSign, peek(at: index + 1) == closing, peek(at: index + 2) == UInt8(ascii: "}") else { return nil }
        return .some(byte)
    }

    private mutating func lexOne(_ byte: UInt8, _ brackets: inout [UInt8]) throws(TokenizerError) {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...:
            lexName()
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            try lexNumber()
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            try lexString(quote: byte)
        default:
            try lexSymbol(byte, &brackets)
        }
    }

    private mutating func lexName() {
        let start = index
        while let byte = peek(at: index), byte.isNameByte { index += 1 }
        emit(.name(String(decoding: source[start..<index], as: UTF8.self)))
    }

    private static let symbols: [[UInt8]] = [
        "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";",
    ].map { Array($0.utf8) }

    private mutating func lexSymbol(_ byte: UInt8, _ brackets: inout [UInt8]) throws(TokenizerError) {
        guard let symbol = Self.symbols.first(where: { source[index...].starts(with: $0) }) else {
            throw syntaxError("unexpected character '\(String(decoding: [byte], as: UTF8.self))'")
        }
        switch byte {
        case UInt8(ascii: "("): brackets.append(UInt8(ascii: ")"))
        case UInt8(ascii: "["): brackets.append(UInt8(ascii: "]"))
        case UInt8(ascii: "{"): brackets.append(UInt8(ascii: "}"))
        case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
            guard brackets.popLast() == byte else {
                throw syntaxError("unexpected '\(String(decoding: [byte], as: UTF8.self))'")
            }
        default: break
        }
        emit(.symbol(String(decoding: symbol, as: UTF8.self)))
        index += symbol.count
    }

    // MARK: Small things

    private func peek(at position: Int) -> UInt8? { position < source.count ? source[position] : nil }

    private mutating func emit(_ kind: JinjaToken.Kind) { tokens.append(JinjaToken(kind: kind, line: line)) }

    private func lineCount(_ range: Range<Int>) -> Int {
        source[range].count { $0 == UInt8(ascii: "\n") }
    }

    private func syntaxError(_ reason: String) -> TokenizerError { .templateSyntax(line: line, reason: reason) }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var isNameByte: Bool {
        isDigit || self >= 0x80 || self == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }
}

// MARK: Literals

extension JinjaLexer {
    private mutating func lexNumber() throws(TokenizerError) {
        if source[index] == UInt8(ascii: "0"), let radix = radix(peek(at: index + 1)) {
            index += 2
            return emit(.integer(try integer(digits { $0.isNameByte && $0 < 0x80 }, radix: radix)))
        }
        let isAfterDot = tokens.last?.kind == .symbol(".") && index > 0 && source[index - 1] == UInt8(ascii: ".")
        var text = digits(\.isDigitOrUnderscore)
        var isDouble = false
        if !isAfterDot {
            if peek(at: index) == UInt8(ascii: "."), peek(at: index + 1)?.isDigit == true {
                index += 1
                text += "." + digits(\.isDigitOrUnderscore)
                isDouble = true
            }
            if let exponent = exponentLength() {
                text += String(decoding: source[index..<index + exponent], as: UTF8.self)
                index += exponent
                text += digits(\.isDigitOrUnderscore)
                isDouble = true
            }
        }
        guard isDouble else { return emit(.integer(try integer(text, radix: 10))) }
        guard let value = Double(text), value.isFinite else { throw syntaxError("the number \(text) is out of range") }
        emit(.double(value))
    }

    private func radix(_ letter: UInt8?) -> Int? {
        switch letter {
        case UInt8(ascii: "x"), UInt8(ascii: "X"): 16
        case UInt8(ascii: "o"), UInt8(ascii: "O"): 8
        case UInt8(ascii: "b"), UInt8(ascii: "B"): 2
        default: nil
        }
    }

    /// The length of `e`, `e+` or `e-` where digits follow.
    private func exponentLength() -> Int? {
        guard let letter = peek(at: index), letter | 0x20 == UInt8(ascii: "e"), let next = peek(at: index + 1) else {
            return nil
        }
        if next.isDigit { return 1 }
        let isSign = next == UInt8(ascii: "+") || next == UInt8(ascii: "-")
        return isSign && peek(at: index + 2)?.isDigit == true ? 2 : nil
    }

    private mutating func digits(_ belongs: (UInt8) -> Bool) -> String {
        let start = index
        while let byte = peek(at: index), belongs(byte) { index += 1 }
        return String(decoding: source[start..<index].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    }

    private func integer(_ text: String, radix: Int) throws(TokenizerError) -> Int {
        guard let value = Int(text, radix: radix) else {
            throw syntaxError("the number \(text) is malformed or out of range")
        }
        return value
    }

    private mutating func lexString(quote: UInt8) throws(TokenizerError) {
        let firstLine = line
        index += 1
        var text: [UInt8] = []
        while let byte = peek(at: index) {
            index += 1
            if byte == quote {
                tokens.append(JinjaToken(kind: .string(String(decoding: text, as: UTF8.self)), line: firstLine))
                return
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte == UInt8(ascii: "\\") { try lexEscape(&text) } else { text.append(byte) }
        }
        throw .templateSyntax(line: firstLine, reason: "a string is not closed")
    }

    private mutating func lexEscape(_ text: inout [UInt8]) throws(TokenizerError) {
        guard let byte = peek(at: index) else { throw syntaxError("a string is not closed") }
        index += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "a"): text.append(0x07)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "v"): text.append(0x0B)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(byte)
        case UInt8(ascii: "\n"): line += 1
        case UInt8(ascii: "x"): text += try scalar(digitCount: 2)
        case UInt8(ascii: "u"): text += try scalar(digitCount: 4)
        case UInt8(ascii: "U"): text += try scalar(digitCount: 8)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            index -= 1
            text += octalScalar()
        default:
            text.append(UInt8(ascii: "\\"))
            text.append(byte)
        }
    }

    private mutating func scalar(digitCount: Int) throws(TokenizerError) -> [UInt8] {
        let end = index + digitCount
        guard end <= source.count,
            let value = UInt32(String(decoding: source[index..<end], as: UTF8.self), radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw syntaxError("an escape in a string is not a character") }
        index = end
        return Array(String(scalar).utf8)
    }

    private mutating func octalScalar() -> [UInt8] {
        var value: UInt32 = 0
        var count = 0
        while count < 3, let byte = peek(at: index), (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) {
            value = value << 3 | UInt32(byte - UInt8(ascii: "0"))
            index += 1
            count += 1
        }
        return Array(String(Unicode.Scalar(value) ?? "\u{FFFD}").utf8)
    }
}

extension UInt8 {
    fileprivate var isDigitOrUnderscore: Bool { isDigit || self == UInt8(ascii: "_") }
}
