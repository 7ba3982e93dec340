import Basics
import OrderedCollections

/// `tojson` as chat templates know it: Python's `json.dumps` with its own defaults (a space behind commas and colons)
/// and without the HTML escapes of Jinja's own filter.
struct JinjaJSONWriter {
    var escapesNonASCII = false
    /// What one level is indented with; nil writes one line.
    var indent: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var sortsKeys = false

    private(set) var text = ""

    /// The text of a value; nil if JSON has no such value (`unsupportedType` names it).
    private(set) var unsupportedType: String?

    /// Writes one value.
    mutating func write(_ value: JinjaValue, level: Int = 0) {
        switch value {
        case .boolean(let value): text += value ? "true" : "false"
        case .dictionary(let members): write(members, level: level)
        case .double(let value): text += Self.number(value)
        case .integer(let value): text += String(value)
        case .list(let elements), .tuple(let elements): write(elements, level: level)
        case .none: text += "null"
        case .string(let string): write(string)
        case .function, .loop, .namespace, .undefined: unsupportedType = value.typeName
        }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return JinjaPrinter.number(value)
    }

    private mutating func write(_ elements: [JinjaValue], level: Int) {
        guard !elements.isEmpty else { return text += "[]" }
        text += "["
        for (index, element) in elements.enumerated() {
            separate(index, level: level + 1)
            write(element, level: level + 1)
        }
        close("]", level: level)
    }

    private mutating func write(_ members: JinjaDictionary, level: Int) {
        guard !members.isEmpty else { return text += "{}" }
        text += "{"
        var list = members.elements.map { (key: Self.keyText($0.key), value: $0.value) }
        if sortsKeys { list.sort { PythonText.isLess($0.key, $1.key) } }
        for (index, member) in list.enumerated() {
            separate(index, level: level + 1)
            write(member.key)
            text += keySeparator
            write(member.value, level: level + 1)
        }
        close("}", level: level)
    }

    private static func keyText(_ key: JinjaKey) -> String {
        switch key {
        case .boolean(let value): value ? "true" : "false"
        case .double(let value): number(value)
        case .integer(let value): String(value)
        case .none: "null"
        case .string(let text): text
        }
    }

    private mutating func separate(_ index: Int, level: Int) {
        if index > 0 { text += itemSeparator }
        breakLine(level)
    }

    private mutating func close(_ bracket: String, level: Int) {
        breakLine(level)
        text += bracket
    }

    private mutating func breakLine(_ level: Int) {
        if let indent { text += "\n" + String(repeating: indent, count: level) }
    }

    private mutating func write(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case "\u{0}"..."\u{1F}": text += "\\u" + JinjaPrinter.hexadecimal(scalar.value, digits: 4)
            default:
                if escapesNonASCII, scalar.value > 0x7E {
                    writeEscaped(scalar)
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }

    private mutating func writeEscaped(_ scalar: Unicode.Scalar) {
        for unit in UTF16.encode(scalar) ?? UTF16.EncodedScalar() {
            text += "\\u" + JinjaPrinter.hexadecimal(UInt32(unit), digits: 4)
        }
    }
}
