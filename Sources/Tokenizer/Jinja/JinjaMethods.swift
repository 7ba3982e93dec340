import Basics
import OrderedCollections

/// Which methods there are; what they do is `JinjaInterpreter.callMethod`.
enum JinjaMethods {
    static let ofStrings: Set<String> = [
        "capitalize", "count", "endswith", "find", "format", "index", "isalnum", "isalpha", "isdigit", "islower",
        "isspace", "isupper", "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
        "replace",
        "rfind", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title",
        "upper", "zfill",
    ]
    static let ofDictionaries: Set<String> = ["copy", "get", "items", "keys", "values"]
    static let ofLists: Set<String> = ["copy", "count", "index"]
    /// Methods that would change their receiver: the sandbox forbids them.
    static let changingDictionaries: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]
    static let changingLists: Set<String> = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"]

    /// Whether values of this kind have a method of that name.
    static func exists(_ name: String, on value: JinjaValue) -> Bool {
        switch value {
        case .string: ofStrings.contains(name)
        case .dictionary: ofDictionaries.contains(name) || changingDictionaries.contains(name)
        case .list: ofLists.contains(name) || changingLists.contains(name)
        case .tuple: name == "count" || name == "index"
        case .boolean, .double, .function, .integer, .loop, .namespace, .none, .undefined: false
        }
    }
}

extension JinjaInterpreter {
    /// `receiver.name(arguments)`
    func callMethod(
        _ name: String, of receiver: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        switch receiver {
        case .string(let text): return try callMethod(name, of: text, arguments, line)
        case .dictionary(let members): return try callMethod(name, of: members, arguments, line)
        case .list(let elements), .tuple(let elements):
            if case .list = receiver, JinjaMethods.changingLists.contains(name) { throw unsafe(name, "list", line) }
            return try callMethod(name, of: elements, arguments, line)
        case .loop(let loop): return try callMethod(name, of: loop, arguments, line)
        case .boolean, .double, .function, .integer, .namespace, .none, .undefined:
            throw failure(line, "'\(receiver.typeName) object' has no method '\(name)'")
        }
    }

    private func unsafe(_ name: String, _ type: String, _ line: Int) -> TokenizerError {
        failure(line, "'\(name)' would change a \(type), which templates may not (use a namespace, or a new \(type))")
    }

    // MARK: Dictionaries, lists, loops

    private func callMethod(
        _ name: String, of members: JinjaDictionary, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        if JinjaMethods.changingDictionaries.contains(name) { throw unsafe(name, "dict", line) }
        try charge(members.count, line: line)
        if name == "get" {
            let parameters = try JinjaParameters(arguments, ["key", "default"], owner: "get", line: line)
            return members[try key(try parameters.required("key"), line)] ?? parameters["default"] ?? .none
        }
        _ = try JinjaParameters(arguments, [], owner: name, line: line)
        switch name {
        case "items": return .list(members.map { .tuple([$0.key.value, $0.value]) })
        case "keys": return .list(members.keys.map(\.value))
        case "values": return .list(Array(members.values))
        default: return .dictionary(members)
        }
    }

    private func callMethod(
        _ name: String, of elements: [JinjaValue], _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        try charge(elements.count, line: line)
        if name == "copy" { return .list(elements) }
        let parameters = try JinjaParameters(arguments, ["value"], owner: name, line: line)
        let value = try parameters.required("value")
        if name == "count" { return .integer(elements.count { $0.isEqual(to: value) }) }
        guard let index = elements.firstIndex(where: { $0.isEqual(to: value) }) else {
            throw failure(line, "\(JinjaPrinter.representation(value)) is not in the list")
        }
        return .integer(index)
    }

    private func callMethod(
        _ name: String, of loop: JinjaLoopState, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let values = arguments.positional
        if name == "changed" {
            let isSame = loop.lastChanged.map { JinjaValue.list($0).isEqual(to: .list(values)) } ?? false
            loop.lastChanged = values
            return .boolean(!isSame)
        }
        guard !values.isEmpty else { throw failure(line, "loop.cycle needs arguments") }
        return values[loop.index % values.count]
    }

    // MARK: Strings

    private func callMethod(
        _ name: String, of text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        try charge(text.utf8.count, line: line)
        switch name {
        case "lower": return .string(text.lowercased())
        case "upper": return .string(text.uppercased())
        case "title": return .string(PythonText.title(text))
        case "capitalize": return .string(PythonText.capitalise(text))
        case "strip", "lstrip", "rstrip": return try strip(name, text, arguments, line)
        case "split", "rsplit": return try split(name, text, arguments, line)
        case "splitlines":
            let parameters = try JinjaParameters(arguments, ["keepends"], owner: name, line: line)
            return try strings(PythonText.lines(text, keepsEnds: parameters.flag("keepends")), line)
        case "partition", "rpartition": return try partition(name, text, arguments, line)
        case "startswith", "endswith": return try hasAffix(name, text, arguments, line)
        case "removeprefix", "removesuffix": return try removeAffix(name, text, arguments, line)
        case "replace": return try replace(text, arguments, line)
        case "find", "rfind", "index", "count": return try search(name, text, arguments, line)
        case "join":
            let parameters = try JinjaParameters(arguments, ["iterable"], owner: name, line: line)
            return .string(try join(try elements(of: try parameters.required("iterable"), line: line), text, line))
        case "format": return .string(try BraceFormat.format(text, arguments) { self.failure(line, $0) })
        case "ljust", "rjust", "zfill": return try pad(name, text, arguments, line)
        default: return .boolean(Self.allScalars(of: text, are: name))
        }
    }

    /// Texts with a separator between them.
    func join(_ values: [JinjaValue], _ separator: String, _ line: Int) throws(TokenizerError) -> String {
        var parts: [String] = []
        for value in values { parts.append(try text(of: value, line: line)) }
        let total = parts.reduce(0) { $0 + $1.utf8.count }
        try charge(total + separator.utf8.count * parts.count, line: line)
        return parts.joined(separator: separator)
    }

    private func strings(_ texts: [String], _ line: Int) throws(TokenizerError) -> JinjaValue {
        try checkCount(texts.count, line)
        return .list(texts.map { .string($0) })
    }

    private func strip(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["chars"], owner: name, line: line)
        return .string(
            PythonText.strip(
                text, characters: try parameters.string("chars"), left: name != "rstrip", right: name != "lstrip"))
    }

    private func split(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["sep", "maxsplit"], owner: name, line: line)
        let limit = try parameters.integer("maxsplit") ?? -1
        guard let separator = try parameters.string("sep") else {
            return try strings(
                PythonText.splitAtWhitespace(text, limit: limit, fromRight: name == "rsplit"), line)
        }
        guard !separator.isEmpty else { throw failure(line, "\(name) needs a separator that is not empty") }
        return try strings(
            PythonText.split(text, separator: separator, limit: limit, fromRight: name == "rsplit"), line)
    }

    private func partition(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["sep"], owner: name, line: line)
        let separator = try parameters.requiredString("sep")
        guard !separator.isEmpty else { throw failure(line, "\(name) needs a separator that is not empty") }
        let parts = PythonText.split(text, separator: separator, limit: 1, fromRight: name == "rpartition")
        if parts.count == 2 { return .tuple([.string(parts[0]), .string(separator), .string(parts[1])]) }
        let empty = JinjaValue.string("")
        return .tuple(name == "partition" ? [.string(text), empty, empty] : [empty, empty, .string(text)])
    }

    private func hasAffix(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["affix"], owner: name, line: line)
        let affix = try parameters.required("affix")
        var candidates = [affix]
        if case .tuple(let elements) = affix { candidates = elements }
        for candidate in candidates {
            guard case .string(let affix) = candidate else {
                throw failure(line, "\(name) needs a string or a tuple of strings, not \(candidate.typeName)")
            }
            if Self.has(name, affix, text) { return .boolean(true) }
        }
        return .boolean(false)
    }

    private static func has(_ name: String, _ affix: String, _ text: String) -> Bool {
        name == "startswith" || name == "removeprefix"
            ? text.utf8.starts(with: affix.utf8)
            : text.utf8.reversed().starts(with: affix.utf8.reversed())
    }

    private func removeAffix(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["affix"], owner: name, line: line)
        let affix = try parameters.requiredString("affix")
        guard Self.has(name, affix, text) else { return .string(text) }
        let count = affix.utf8.count
        let rest = name == "removeprefix" ? text.utf8.dropFirst(count) : text.utf8.dropLast(count)
        return .string(String(decoding: rest, as: UTF8.self))
    }

    private func replace(
        _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["old", "new", "count"], owner: "replace", line: line)
        return .string(
            try replaced(
                text, try parameters.requiredString("old"), try parameters.requiredString("new"),
                limit: try parameters.integer("count") ?? -1, line))
    }

    /// `str.replace`, paid for before it is done.
    func replaced(
        _ text: String, _ old: String, _ new: String, limit: Int, _ line: Int
    ) throws(TokenizerError) -> String {
        let found = PythonText.count(of: old, in: text)
        let (grown, overflow) = found.multipliedReportingOverflow(by: new.utf8.count)
        try charge(overflow ? Int.max : max(text.utf8.count, grown), line: line)
        return PythonText.replace(text, old, with: new, limit: limit)
    }

    private func search(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["sub"], owner: name, line: line)
        let needle = try parameters.requiredString("sub")
        if name == "count" { return .integer(PythonText.count(of: needle, in: text)) }
        let parts = PythonText.split(text, separator: needle, limit: 1, fromRight: name == "rfind")
        if needle.isEmpty { return .integer(name == "rfind" ? text.unicodeScalars.count : 0) }
        if parts.count == 2 { return .integer(parts[0].unicodeScalars.count) }
        guard name != "index" else { throw failure(line, "index: the string was not found") }
        return .integer(-1)
    }

    private func pad(
        _ name: String, _ text: String, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["width", "fillchar"], owner: name, line: line)
        let width = try parameters.integer("width") ?? 0
        let fill = name == "zfill" ? "0" : try parameters.string("fillchar") ?? " "
        guard fill.unicodeScalars.count == 1 else { throw failure(line, "\(name) fills with one character") }
        let missing = width - text.unicodeScalars.count
        guard missing > 0 else { return .string(text) }
        try charge(missing, line: line)
        let filling = String(repeating: fill, count: missing)
        if name == "ljust" { return .string(text + filling) }
        if name == "zfill", let sign = text.first, sign == "-" || sign == "+" {
            return .string(String(sign) + filling + text.dropFirst())
        }
        return .string(filling + text)
    }

    private static func allScalars(of text: String, are name: String) -> Bool {
        let scalars = text.unicodeScalars
        if name == "islower" || name == "isupper" {
            let cased = scalars.filter(\.properties.isCased)
            return !cased.isEmpty
                && cased.allSatisfy { name == "islower" ? $0.properties.isLowercase : $0.properties.isUppercase }
        }
        return !scalars.isEmpty
            && scalars.allSatisfy { scalar in
                let isAlphabetic = scalar.properties.isAlphabetic
                switch name {
                case "isspace": return PythonText.isWhitespace(scalar)
                case "isalpha": return isAlphabetic
                case "isdigit":
                    return scalar.properties.numericType == .decimal || scalar.properties.numericType == .digit
                default: return isAlphabetic || scalar.properties.numericType != nil
                }
            }
    }
}

/// Python's `str.format` with plain places: `{}`, `{0}`, `{name}`, `{{` and `}}`.
enum BraceFormat {
    static func format(
        _ format: String, _ arguments: JinjaArgumentValues, failure: (String) -> TokenizerError
    ) throws(TokenizerError) -> String {
        var result = ""
        var position = 0
        var rest = Substring(format).unicodeScalars
        while let scalar = rest.popFirst() {
            if scalar == "{" || scalar == "}", rest.first == scalar {
                rest.removeFirst()
                result.unicodeScalars.append(scalar)
            } else if scalar == "{" {
                guard let end = rest.firstIndex(of: "}") else { throw failure("a format lacks '}'") }
                let name = String(rest[..<end])
                rest = rest[rest.index(after: end)...]
                result += JinjaPrinter.text(try value(name, &position, arguments, failure: failure))
            } else if scalar == "}" {
                throw failure("a format has a lone '}'")
            } else {
                result.unicodeScalars.append(scalar)
            }
            guard result.utf8.count <= Limits.Template.outputBytesMax else {
                throw failure("a format makes too much text")
            }
        }
        return result
    }

    private static func value(
        _ name: String, _ position: inout Int, _ arguments: JinjaArgumentValues, failure: (String) -> TokenizerError
    ) throws(TokenizerError) -> JinjaValue {
        if name.isEmpty || Int(name) != nil {
            let index = Int(name) ?? position
            position += 1
            guard arguments.positional.indices.contains(index) else { throw failure("a format has no value \(index)") }
            return arguments.positional[index]
        }
        guard let found = arguments.named.first(where: { $0.name == name }) else {
            throw failure("a format's place '{\(name)}' has no value, or asks for a layout, which is not supported")
        }
        return found.value
    }
}
