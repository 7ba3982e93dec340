import Basics
import Foundation
import OrderedCollections

extension JinjaInterpreter {
    // MARK: Comparisons

    /// One link of a chain of comparisons.
    func compare(
        _ left: JinjaValue, _ operation: JinjaComparison, _ right: JinjaValue, _ line: Int
    ) throws(TokenizerError) -> Bool {
        switch operation {
        case .equal: left.isEqual(to: right)
        case .notEqual: !left.isEqual(to: right)
        case .less: try isLess(left, right, line)
        case .greater: try isLess(right, left, line)
        case .lessOrEqual: try isLess(left, right, line) || left.isEqual(to: right)
        case .greaterOrEqual: try isLess(right, left, line) || left.isEqual(to: right)
        case .contained: try contains(right, left, line)
        case .notContained: try !contains(right, left, line)
        }
    }

    /// Python's `<`, or a failure where Python has none.
    func isLess(_ left: JinjaValue, _ right: JinjaValue, _ line: Int) throws(TokenizerError) -> Bool {
        try defined(left, line)
        try defined(right, line)
        guard let isLess = left.isLess(than: right) else {
            throw failure(line, "'\(left.typeName)' and '\(right.typeName)' cannot be ordered")
        }
        return isLess
    }

    /// Python's `element in container`.
    func contains(
        _ container: JinjaValue, _ element: JinjaValue, _ line: Int
    ) throws(TokenizerError) -> Bool {
        switch container {
        case .dictionary(let members): return members[try key(element, line)] != nil
        case .list(let elements), .tuple(let elements):
            try charge(elements.count, line: line)
            return elements.contains { $0.isEqual(to: element) }
        case .string(let text):
            guard case .string(let needle) = element else {
                throw failure(line, "'in <string>' needs a string on its left, not \(element.typeName)")
            }
            try charge(text.utf8.count, line: line)
            return PythonText.contains(text, needle)
        case .undefined: return false
        case .boolean, .double, .function, .integer, .loop, .namespace, .none:
            throw failure(line, "argument of type '\(container.typeName)' is not iterable")
        }
    }

    private func defined(_ value: JinjaValue, _ line: Int) throws(TokenizerError) {
        if case .undefined(let hint) = value { throw failure(line, hint) }
    }

    // MARK: Arithmetic

    /// The value itself if it is a number.
    func number(_ value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        try defined(value, line)
        if let integer = value.integerValue { return .integer(integer) }
        guard case .double = value else { throw failure(line, "'\(value.typeName)' is not a number") }
        return value
    }

    /// `-value`
    func negated(_ value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        switch try number(value, line) {
        case .double(let value): .double(-value)
        case .integer(let value): try calculate(.subtract, .integer(0), .integer(value), line)
        default: value
        }
    }

    /// `left operation right`
    func calculate(
        _ operation: JinjaOperation, _ left: JinjaValue, _ right: JinjaValue, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        try defined(left, line)
        try defined(right, line)
        if let left = left.integerValue, let right = right.integerValue {
            return try calculate(operation, left, right, line)
        }
        if let left = left.doubleValue, let right = right.doubleValue {
            return .double(try calculate(operation, left, right, line))
        }
        switch (operation, left, right) {
        case (.add, .string(let first), .string(let second)):
            try charge(first.utf8.count + second.utf8.count, line: line)
            return .string(first + second)
        case (.add, .list(let first), .list(let second)):
            return .list(try joined(first, second, line))
        case (.add, .tuple(let first), .tuple(let second)):
            return .tuple(try joined(first, second, line))
        case (.multiply, _, _):
            if let count = right.integerValue { return try repeated(left, count, line) }
            if let count = left.integerValue { return try repeated(right, count, line) }
        case (.remainder, .string(let format), _):
            return .string(try PercentFormat.format(format, right) { self.failure(line, $0) })
        default: break
        }
        throw failure(
            line, "'\(operation.rawValue)' is not possible between '\(left.typeName)' and '\(right.typeName)'")
    }

    private func joined(
        _ left: [JinjaValue], _ right: [JinjaValue], _ line: Int
    ) throws(TokenizerError) -> [JinjaValue] {
        try checkCount(left.count + right.count, line)
        return left + right
    }

    /// Pays for a list that is about to be made.
    func checkCount(_ count: Int, _ line: Int) throws(TokenizerError) {
        guard count <= Limits.Template.listElementsMax else {
            throw .templateLimitExceeded(line: line, what: "elements of a list", limit: Limits.Template.listElementsMax)
        }
        try charge(count * 16, line: line)
    }

    private func repeated(_ value: JinjaValue, _ count: Int, _ line: Int) throws(TokenizerError) -> JinjaValue {
        let times = max(0, count)
        switch value {
        case .string(let text):
            let (total, overflow) = text.utf8.count.multipliedReportingOverflow(by: times)
            try charge(overflow ? Int.max : total, line: line)
            return .string(text.isEmpty ? "" : String(repeating: text, count: times))
        case .list(let elements):
            let (total, overflow) = elements.count.multipliedReportingOverflow(by: times)
            try checkCount(overflow ? Int.max : total, line)
            return .list(elements.isEmpty ? [] : Array(repeatElement(elements, count: times).joined()))
        default:
            throw failure(line, "'*' is not possible between '\(value.typeName)' and 'int'")
        }
    }

    private func calculate(
        _ operation: JinjaOperation, _ left: Int, _ right: Int, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case .add: result = left.addingReportingOverflow(right)
        case .subtract: result = left.subtractingReportingOverflow(right)
        case .multiply: result = left.multipliedReportingOverflow(by: right)
        case .divide:
            guard right != 0 else { throw failure(line, "division by zero") }
            return .double(Double(left) / Double(right))
        case .floorDivide, .remainder:
            guard right != 0 else { throw failure(line, "division by zero") }
            guard right != -1 else { return operation == .remainder ? .integer(0) : try negated(.integer(left), line) }
            let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
            let isOff = remainder != 0 && (remainder < 0) != (right < 0)
            return .integer(operation == .floorDivide ? quotient - (isOff ? 1 : 0) : remainder + (isOff ? right : 0))
        case .power:
            guard right >= 0 else { return .double(pow(Double(left), Double(right))) }
            result = Self.power(left, right)
        }
        guard !result.overflow else { throw failure(line, "an integer is beyond 64 bits") }
        return .integer(result.partialValue)
    }

    private static func power(_ base: Int, _ exponent: Int) -> (partialValue: Int, overflow: Bool) {
        if base == 0 || base == 1 || exponent == 0 { return (exponent == 0 ? 1 : base, false) }
        if base == -1 { return (exponent.isMultiple(of: 2) ? 1 : -1, false) }
        guard exponent < 64 else { return (0, true) }
        var result = 1
        for _ in 0..<exponent {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return (0, true) }
            result = product
        }
        return (result, false)
    }

    private func calculate(
        _ operation: JinjaOperation, _ left: Double, _ right: Double, _ line: Int
    ) throws(TokenizerError) -> Double {
        switch operation {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .power: return pow(left, right)
        case .divide, .floorDivide, .remainder:
            guard right != 0 else { throw failure(line, "division by zero") }
            if operation == .divide { return left / right }
            if operation == .floorDivide { return (left / right).rounded(.down) }
            let remainder = fmod(left, right)
            return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder
        }
    }
}

/// Python's `format % values`, for the conversions that templates use: `%s %r %d %i %x %f %%`, with width, precision,
/// and the flags `0` and `-`.
enum PercentFormat {
    static func format(
        _ format: String, _ values: JinjaValue, failure: (String) -> TokenizerError
    ) throws(TokenizerError) -> String {
        var arguments: [JinjaValue] = [values]
        if case .tuple(let elements) = values { arguments = elements }
        var rest = arguments[...]
        var result = ""
        var scalars = Substring(format).unicodeScalars
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            let flags = scalars.prefix { "0-".unicodeScalars.contains($0) }
            scalars = scalars.dropFirst(flags.count)
            let width = digits(&scalars)
            var precision: Int?
            if scalars.first == "." {
                scalars.removeFirst()
                precision = digits(&scalars) ?? 0
            }
            guard let conversion = scalars.popFirst() else { throw failure("a format ends within '%'") }
            guard (width ?? 0) <= 1_000, (precision ?? 0) <= 100 else { throw failure("a format is too wide") }
            if conversion == "%" {
                result += "%"
                continue
            }
            guard let value = rest.popFirst() else { throw failure("a format has more places than values") }
            let text = try converted(value, conversion, precision, failure: failure)
            result += padded(text, width ?? 0, flags: String(flags))
        }
        guard rest.isEmpty || !isPositional(values) else { throw failure("a format has fewer places than values") }
        return result
    }

    private static func isPositional(_ values: JinjaValue) -> Bool {
        if case .dictionary = values { false } else { true }
    }

    private static func digits(_ scalars: inout Substring.UnicodeScalarView) -> Int? {
        let digits = scalars.prefix { ("0"..."9").contains($0) }
        scalars = scalars.dropFirst(digits.count)
        return digits.isEmpty ? nil : Int(String(digits)) ?? Int.max
    }

    private static func converted(
        _ value: JinjaValue, _ conversion: Unicode.Scalar, _ precision: Int?, failure: (String) -> TokenizerError
    ) throws(TokenizerError) -> String {
        switch conversion {
        case "s":
            let text = JinjaPrinter.text(value)
            return precision.map { String(String.UnicodeScalarView(text.unicodeScalars.prefix($0))) } ?? text
        case "r": return JinjaPrinter.representation(value)
        case "d", "i", "x":
            guard let number = value.doubleValue,
                let integer = value.integerValue ?? Int(exactly: number.rounded(.towardZero))
            else { throw failure("%\(conversion) needs a number, not \(value.typeName)") }
            return String(integer, radix: conversion == "x" ? 16 : 10)
        case "f":
            guard let number = value.doubleValue else { throw failure("%f needs a number, not \(value.typeName)") }
            return String(format: "%.\(precision ?? 6)f", number)
        default: throw failure("the format '%\(conversion)' is not supported (supported: %s %r %d %i %x %f %%)")
        }
    }

    private static func padded(_ text: String, _ width: Int, flags: String) -> String {
        let missing = width - text.unicodeScalars.count
        guard missing > 0 else { return text }
        if flags.contains("-") { return text + String(repeating: " ", count: missing) }
        guard flags.contains("0") else { return String(repeating: " ", count: missing) + text }
        let sign = text.hasPrefix("-") ? "-" : ""
        return sign + String(repeating: "0", count: missing) + text.dropFirst(sign.count)
    }
}
