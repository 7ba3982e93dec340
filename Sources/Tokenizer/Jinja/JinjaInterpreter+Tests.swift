import Basics
import OrderedCollections

extension JinjaInterpreter {
    private static let comparisonTests: [String: JinjaComparison] = [
        "==": .equal, "eq": .equal, "equalto": .equal, "!=": .notEqual, "ne": .notEqual, "<": .less, "lt": .less,
        "lessthan": .less, "<=": .lessOrEqual, "le": .lessOrEqual, ">": .greater, "gt": .greater,
        "greaterthan": .greater, ">=": .greaterOrEqual, "ge": .greaterOrEqual, "in": .contained,
    ]

    /// `value is name(arguments)`
    func test(
        _ name: String, _ value: JinjaValue, _ arguments: [JinjaValue], _ line: Int
    ) throws(TokenizerError) -> Bool {
        if let comparison = Self.comparisonTests[name] {
            return try compare(value, comparison, try only(arguments, name, line), line)
        }
        if let answer = Self.kindTest(name, value) { return answer }
        switch name {
        case "divisibleby":
            let remainder = try calculate(.remainder, value, try only(arguments, name, line), line)
            return !remainder.isTrue
        case "even": return try !calculate(.remainder, value, .integer(2), line).isTrue
        case "odd": return try calculate(.remainder, value, .integer(2), line).isTrue
        case "sameas": return Self.isSame(value, try only(arguments, name, line))
        case "lower": return Self.hasCase(value, \.lowercaseMapping)
        case "upper": return Self.hasCase(value, \.uppercaseMapping)
        case "filter": return JinjaFilters.names.contains(JinjaPrinter.text(value))
        default: throw failure(line, "there is no test '\(name)'")
        }
    }

    private func only(_ arguments: [JinjaValue], _ name: String, _ line: Int) throws(TokenizerError) -> JinjaValue {
        guard arguments.count == 1 else { throw failure(line, "the test '\(name)' needs one argument") }
        return arguments[0]
    }

    /// The tests that ask what kind of value it is; nil for other names.
    private static func kindTest(_ name: String, _ value: JinjaValue) -> Bool? {
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": if case .none = value { return true }
        case "boolean": if case .boolean = value { return true }
        case "true": if case .boolean(true) = value { return true }
        case "false": if case .boolean(false) = value { return true }
        case "integer": if case .integer = value { return true }
        case "float": if case .double = value { return true }
        case "number": return value.doubleValue != nil
        case "string": if case .string = value { return true }
        case "mapping": if case .dictionary = value { return true }
        case "callable": if case .function = value { return true }
        case "sequence", "iterable":
            switch value {
            case .dictionary, .list, .string, .tuple, .undefined: return true
            case .boolean, .double, .function, .integer, .loop, .namespace, .none: return false
            }
        case "escaped": return false
        default: return nil
        }
        return false
    }

    private static func isSame(_ left: JinjaValue, _ right: JinjaValue) -> Bool {
        switch (left, right) {
        case (.boolean(let left), .boolean(let right)): left == right
        case (.boolean, _), (_, .boolean): false
        default: left.typeName == right.typeName && left.isEqual(to: right)
        }
    }

    private static func hasCase(_ value: JinjaValue, _ mapping: (Unicode.Scalar.Properties) -> String) -> Bool {
        let scalars = JinjaPrinter.text(value).unicodeScalars.filter(\.properties.isCased)
        return !scalars.isEmpty && scalars.allSatisfy { PythonText.areEqual(mapping($0.properties), String($0)) }
    }
}
