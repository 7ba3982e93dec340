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
        String(decoding: serialisedBytes(style), as: UTF8.self)
    }

    /// The same text as UTF-8. A tokenizer is 10 MB of short strings: bytes are many times faster to append than
    /// Unicode scalars.
    public func serialisedBytes(_ style: Style = .compact) -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes, style: style, level: 0)
        return bytes
    }

    private func write(to bytes: inout [UInt8], style: Style, level: Int) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .double(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): JSON.appendQuoted(value, to: &bytes)
        case .array(let elements):
            JSON.writeList(elements, between: ("[", "]"), to: &bytes, style: style, level: level) { element, bytes in
                element.write(to: &bytes, style: style, level: level + 1)
            }
        case .object(let members):
            JSON.writeList(members.elements, between: ("{", "}"), to: &bytes, style: style, level: level) {
                member, bytes in
                JSON.appendQuoted(member.key, to: &bytes)
                bytes += (style == .compact ? ":" : ": ").utf8
                member.value.write(to: &bytes, style: style, level: level + 1)
            }
        }
    }

    private static func writeList<List: RandomAccessCollection>(
        _ list: List, between brackets: (Unicode.Scalar, Unicode.Scalar), to bytes: inout [UInt8], style: Style,
        level: Int, writeElement: (List.Element, inout [UInt8]) -> Void
    ) {
        bytes.append(UInt8(ascii: brackets.0))
        for (position, element) in list.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            if style == .indented { bytes += ("\n" + String(repeating: "  ", count: level + 1)).utf8 }
            writeElement(element, &bytes)
        }
        if style == .indented, !list.isEmpty { bytes += ("\n" + String(repeating: "  ", count: level)).utf8 }
        bytes.append(UInt8(ascii: brackets.1))
    }

    /// Appends `text` as a JSON string, quotes included.
    public static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\r"): bytes += "\\r".utf8
            case UInt8(ascii: "\t"): bytes += "\\t".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
