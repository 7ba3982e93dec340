import Foundation

/// Numbers out of values, as Python's `int()`, `float()` and `round()` make them.
enum NumberConversion {
    static func double(_ value: JinjaValue) -> Double? {
        guard case .string(let text) = value else { return value.doubleValue }
        let trimmed = PythonText.strip(text, characters: nil)
        switch trimmed.lowercased() {
        case "inf", "+inf", "infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan": return .nan
        default: break
        }
        // Swift also reads hexadecimal floats, which Python does not.
        guard trimmed.utf8.allSatisfy({ isDecimalByte($0) }) else { return nil }
        return Double(trimmed)
    }

    private static func isDecimalByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte)
    }

    static func integer(_ value: JinjaValue, base: Int) -> Int? {
        if let integer = value.integerValue { return integer }
        if case .string(let text) = value, let integer = integer(text, base: base) { return integer }
        return double(value).flatMap { Int(exactly: $0.rounded(.towardZero)) }
    }

    private static func integer(_ text: String, base: Int) -> Int? {
        var digits = PythonText.strip(text, characters: nil).replacingOccurrences(of: "_", with: "")
        let prefixes = [16: "0x", 8: "0o", 2: "0b"]
        if let prefix = prefixes[base], digits.lowercased().hasPrefix(prefix) { digits.removeFirst(2) }
        return Int(digits, radix: base)
    }

    /// `round(value, digits)`: correctly rounded, ties to even.
    static func rounded(_ value: Double, digits: Int) -> Double {
        guard value.isFinite else { return value }
        if digits == 0 { return value.rounded(.toNearestOrEven) }
        guard digits > 0 else {
            let power = pow(10.0, Double(-digits))
            return (value / power).rounded(.toNearestOrEven) * power
        }
        return Double(String(format: "%.\(digits)f", value)) ?? value
    }

    static func scaled(_ value: Double, _ precision: Int, _ rule: FloatingPointRoundingRule) -> Double {
        let power = pow(10.0, Double(precision))
        return (value * power).rounded(rule) / power
    }
}
