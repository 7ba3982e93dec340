import OrderedCollections

extension JSON {
    /// How a document is laid out.
    public enum Style: Sendable {
        /// No whitespace at all: what the gateway sends.
        case compact
        /// Two spaces of indentation per level: what people read.
        case indented
    }

    /// The document as text; keys in their order, doubles in the shortest form that reads back to the same value.
    /// Values that JSON cannot express (infinities, not-a-number) become `null`.
    public func serialised(_ style: Style = .compact) -> String {
        var text = ""
        write(to: &text, style: style, level: 0)
        return text
    }

    private func write(to text: inout String, style: Style, level: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .double(let value): text += value.isFinite ? "\(value)" : "null"
        case .string(let value): JSON.writeString(value, to: &text)
        case .array(let elements):
            JSON.writeList(elements, between: ("[", "]"), to: &text, style: style, level: level) { element, text in
                element.write(to: &text, style: style, level: level + 1)
            }
        case .object(let members):
            JSON.writeList(members.elements, between: ("{", "}"), to: &text, style: style, level: level) {
                member, text in
                JSON.writeString(member.key, to: &text)
                text += style == .compact ? ":" : ": "
                member.value.write(to: &text, style: style, level: level + 1)
            }
        }
    }

    private static func writeList<List: RandomAccessCollection>(
        _ list: List, between brackets: (String, String), to text: inout String, style: Style, level: Int,
        writeElement: (List.Element, inout String) -> Void
    ) {
        text += brackets.0
        for (position, element) in list.enumerated() {
            if position > 0 { text += "," }
            if style == .indented { text += "\n" + String(repeating: "  ", count: level + 1) }
            writeElement(element, &text)
        }
        if style == .indented, !list.isEmpty { text += "\n" + String(repeating: "  ", count: level) }
        text += brackets.1
    }

    private static func writeString(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
