import Basics
import OrderedCollections

/// The names of the filters; what they do is in `JinjaInterpreter`'s extensions.
enum JinjaFilters {
    static let ofText: Set<String> = [
        "capitalize", "e", "escape", "format", "indent", "lower", "replace", "safe", "string", "title", "tojson",
        "trim",
        "upper",
    ]
    static let ofNumbers: Set<String> = ["abs", "float", "int", "round"]
    static let ofSequences: Set<String> = [
        "batch", "count", "d", "default", "dictsort", "first", "items", "join", "last", "length", "list", "map", "max",
        "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "sum", "unique",
    ]
    static let others: Set<String> = ["attr"]

    static let names = ofText.union(ofNumbers).union(ofSequences).union(others)
}

extension JinjaInterpreter {
    /// `value | name(arguments)`
    func applyFilter(
        _ name: String, to value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        if JinjaFilters.ofSequences.contains(name) { return try applySequenceFilter(name, value, arguments, line) }
        if JinjaFilters.ofText.contains(name) { return try applyTextFilter(name, value, arguments, line) }
        if JinjaFilters.ofNumbers.contains(name) { return try applyNumberFilter(name, value, arguments, line) }
        guard name == "attr" else { throw failure(line, "there is no filter '\(name)'") }
        let parameters = try JinjaParameters(arguments, ["name"], owner: name, line: line)
        return try item(.string(try parameters.requiredString("name")), of: value, line)
    }

    // MARK: Text

    private func applyTextFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        switch name {
        case "tojson": return .string(try json(value, arguments, line))
        case "replace": return try replaceFilter(value, arguments, line)
        case "indent": return try indentFilter(value, arguments, line)
        case "format":
            guard arguments.named.isEmpty else { throw failure(line, "format takes no named arguments") }
            let format = try text(of: value, line: line)
            return .string(try PercentFormat.format(format, .tuple(arguments.positional)) { self.failure(line, $0) })
        case "trim":
            let parameters = try JinjaParameters(arguments, ["chars"], owner: name, line: line)
            return .string(
                PythonText.strip(try text(of: value, line: line), characters: try parameters.string("chars")))
        default: break
        }
        _ = try JinjaParameters(arguments, [], owner: name, line: line)
        let text = try text(of: value, line: line)
        switch name {
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "capitalize": return .string(PythonText.capitalise(text))
        case "title": return .string(Self.titleFilter(text))
        case "e", "escape": return .string(Self.escaped(text))
        default: return .string(text)  // string, safe
        }
    }

    /// The first letter of each word is upper case; words end at white space, hyphens and opening brackets.
    private static func titleFilter(_ text: String) -> String {
        var result = ""
        var isWordStart = true
        for scalar in text.unicodeScalars {
            let isBoundary = PythonText.isWhitespace(scalar) || "-({[<".unicodeScalars.contains(scalar)
            result += isWordStart ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
            isWordStart = isBoundary
        }
        return result
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&#34;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private func replaceFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["old", "new", "count"], owner: "replace", line: line)
        return .string(
            try replaced(
                try text(of: value, line: line), try text(of: try parameters.required("old"), line: line),
                try text(of: try parameters.required("new"), line: line),
                limit: try parameters.integer("count") ?? -1, line))
    }

    private func indentFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["width", "first", "blank"], owner: "indent", line: line)
        var indent = "    "
        if case .string(let text)? = parameters["width"] {
            indent = text
        } else if let width = try parameters.integer("width") {
            guard width <= 1_000 else { throw failure(line, "indent is limited to 1000 spaces") }
            indent = String(repeating: " ", count: max(0, width))
        }
        // A final line end begins one more line.
        let lines = PythonText.lines(try text(of: value, line: line) + "\n")
        try charge(lines.reduce(0) { $0 + $1.utf8.count + indent.utf8.count + 1 }, line: line)
        var result = ""
        for (index, text) in lines.enumerated() {
            if index > 0 { result += "\n" }
            let isIndented = index == 0 ? parameters.flag("first") : !text.isEmpty || parameters.flag("blank")
            result += isIndented ? indent + text : text
        }
        return .string(result)
    }

    private func json(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> String {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"]
        let parameters = try JinjaParameters(arguments, names, owner: "tojson", line: line)
        var writer = JinjaJSONWriter()
        writer.escapesNonASCII = parameters.flag("ensure_ascii")
        writer.sortsKeys = parameters.flag("sort_keys")
        if case .string(let text)? = parameters["indent"] {
            writer.indent = text
        } else if let width = try parameters.integer("indent") {
            guard width <= 1_000 else { throw failure(line, "tojson's indent is limited to 1000 spaces") }
            writer.indent = String(repeating: " ", count: max(0, width))
        }
        if writer.indent != nil { writer.itemSeparator = "," }
        if let separators = parameters["separators"], !separators.isNone {
            let pair = try elements(of: separators, line: line)
            guard pair.count == 2, case .string(let item) = pair[0], case .string(let key) = pair[1] else {
                throw failure(line, "tojson's separators must be two strings")
            }
            writer.itemSeparator = item
            writer.keySeparator = key
        }
        try charge(estimatedSize(of: value, indent: writer.indent?.utf8.count ?? 0), line: line)
        writer.write(value)
        if let type = writer.unsupportedType { throw failure(line, "a value of type \(type) is not JSON") }
        try charge(writer.text.utf8.count, line: line)
        return writer.text
    }

    /// About how many bytes a value takes as JSON; an indent counts for every level, so that a hostile one is refused
    /// before it is written.
    private func estimatedSize(of value: JinjaValue, indent: Int, level: Int = 1) -> Int {
        let perElement = 8 + indent * level
        switch value {
        case .string(let text): return text.utf8.count
        case .list(let elements), .tuple(let elements):
            return elements.reduce(0) { $0 + perElement + estimatedSize(of: $1, indent: indent, level: level + 1) }
        case .dictionary(let members):
            return members.reduce(0) {
                $0 + perElement * 2 + estimatedSize(of: $1.value, indent: indent, level: level + 1)
            }
        case .boolean, .double, .function, .integer, .loop, .namespace, .none, .undefined: return 8
        }
    }

    // MARK: Numbers

    private func applyNumberFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        if case .undefined(let hint) = value { throw failure(line, hint) }
        switch name {
        case "abs":
            let number = try number(value, line)
            return try number.isLess(than: .integer(0)) == true ? negated(number, line) : number
        case "float":
            let parameters = try JinjaParameters(arguments, ["default"], owner: name, line: line)
            return NumberConversion.double(value).map { .double($0) } ?? parameters["default"] ?? .double(0)
        case "int":
            let parameters = try JinjaParameters(arguments, ["default", "base"], owner: name, line: line)
            let base = try parameters.integer("base") ?? 10
            guard (2...36).contains(base) else { throw failure(line, "int's base must be from 2 to 36") }
            return NumberConversion.integer(value, base: base).map { .integer($0) } ?? parameters["default"]
                ?? .integer(0)
        default:
            let parameters = try JinjaParameters(arguments, ["precision", "method"], owner: name, line: line)
            return try rounded(value, parameters, line)
        }
    }

    private func rounded(
        _ value: JinjaValue, _ parameters: JinjaParameters, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let precision = try parameters.integer("precision") ?? 0
        guard (-300...300).contains(precision) else { throw failure(line, "round's precision must be within ±300") }
        let number = try number(value, line)
        guard let double = number.doubleValue else { return number }
        switch try parameters.string("method") ?? "common" {
        case "common":
            if case .integer = number, precision >= 0 { return number }
            let result = NumberConversion.rounded(double, digits: precision)
            if case .integer = number { return Int(exactly: result).map { .integer($0) } ?? .double(result) }
            return .double(result)
        case "ceil": return .double(NumberConversion.scaled(double, precision, .up))
        case "floor": return .double(NumberConversion.scaled(double, precision, .down))
        default: throw failure(line, "round's method must be common, ceil or floor")
        }
    }
}

extension JinjaValue {
    /// Whether this is `none`.
    var isNone: Bool {
        if case .none = self { true } else { false }
    }
}
