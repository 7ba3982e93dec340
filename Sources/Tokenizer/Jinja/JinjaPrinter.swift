import Basics
import OrderedCollections

/// Values as text, as Python prints them.
enum JinjaPrinter {
    /// `str(value)`.
    static func text(_ value: JinjaValue) -> String {
        switch value {
        case .string(let text): text
        case .undefined: ""
        default: representation(value)
        }
    }

    /// `repr(value)`.
    static func representation(_ value: JinjaValue) -> String {
        var text = ""
        write(value, to: &text)
        return text
    }

    private static func write(_ value: JinjaValue, to text: inout String) {
        switch value {
        case .boolean(let value): text += value ? "True" : "False"
        case .dictionary(let members): write(members, to: &text)
        case .double(let value): text += number(value)
        case .function(let function): text += name(of: function)
        case .integer(let value): text += String(value)
        case .list(let elements):
            text += "["
            writeList(elements, to: &text)
            text += "]"
        case .loop(let loop): text += "<LoopContext \(loop.index + 1)/\(loop.items.count)>"
        case .namespace: text += "<Namespace>"  // Its members may hold the namespace itself.
        case .none: text += "None"
        case .string(let string): write(string, to: &text)
        case .tuple(let elements):
            text += "("
            writeList(elements, to: &text)
            text += elements.count == 1 ? ",)" : ")"
        case .undefined: text += "Undefined"
        }
    }

    private static func name(of function: JinjaFunction) -> String {
        switch function {
        case .builtin(let builtin): "<function \(builtin.rawValue)>"
        case .macro(let macro): "<Macro '\(macro.definition.name)'>"
        case .method(let receiver, let name): "<built-in method \(name) of \(receiver.typeName) object>"
        }
    }

    private static func writeList(_ elements: [JinjaValue], to text: inout String) {
        for (index, element) in elements.enumerated() {
            if index > 0 { text += ", " }
            write(element, to: &text)
        }
    }

    private static func write(_ members: JinjaDictionary, to text: inout String) {
        text += "{"
        for (index, member) in members.elements.enumerated() {
            if index > 0 { text += ", " }
            write(member.key.value, to: &text)
            text += ": "
            write(member.value, to: &text)
        }
        text += "}"
    }

    /// Python prefers single quotes, and takes double ones where that saves escaping.
    private static func write(_ string: String, to text: inout String) {
        let scalars = string.unicodeScalars
        let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
        text.unicodeScalars.append(quote)
        for scalar in scalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case quote: text += "\\" + String(quote)
            default:
                if isPrintable(scalar) { text.unicodeScalars.append(scalar) } else { text += escape(scalar) }
            }
        }
        text.unicodeScalars.append(quote)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == " " { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0..<0x100: "\\x" + hexadecimal(scalar.value, digits: 2)
        case 0x100..<0x10000: "\\u" + hexadecimal(scalar.value, digits: 4)
        default: "\\U" + hexadecimal(scalar.value, digits: 8)
        }
    }

    /// Lower-case hexadecimal digits with zeros in front.
    static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    // MARK: Numbers

    /// `repr` of a float: the shortest digits that read back the same; exponents from 1e16 and below 1e-4.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        let sign = value < 0 ? "-" : ""
        let (digits, exponent) = shortestDigits(abs(value))
        if exponent < -4 || exponent >= 16 { return sign + scientific(digits, exponent) }
        if exponent < 0 {
            return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
        }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }

    private static func scientific(_ digits: String, _ exponent: Int) -> String {
        let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
        let magnitude = abs(exponent)
        let padded = magnitude < 10 ? "0\(magnitude)" : "\(magnitude)"
        return digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+") + padded
    }

    /// The significant digits of a positive number and the power of ten of the first one.
    private static func shortestDigits(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = value.description.split(separator: "e")
        let mantissa = parts.first.map(String.init) ?? ""
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let halves = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let whole = halves.first.map(String.init) ?? ""
        let fraction = halves.count > 1 ? String(halves[1]) : ""
        exponent += whole.count - 1
        var digits = whole + fraction
        while digits.hasPrefix("0"), digits.count > 1 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        return (digits, exponent)
    }
}
