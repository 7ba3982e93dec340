/// The arguments of a built-in filter, method or function, taken by position or name as its signature says.
struct JinjaParameters {
    let owner: String
    let line: Int
    private var values: [String: JinjaValue] = [:]

    /// Matches arguments with the names of a signature; more or other arguments are a failure.
    init(
        _ arguments: JinjaArgumentValues, _ names: [String], owner: String, line: Int
    ) throws(TokenizerError) {
        self.owner = owner
        self.line = line
        guard arguments.positional.count <= names.count else {
            throw .templateFailed(
                line: line,
                reason: "\(owner) takes at most \(names.count) arguments, \(arguments.positional.count) given")
        }
        for (name, value) in zip(names, arguments.positional) { values[name] = value }
        for (name, value) in arguments.named {
            guard names.contains(name), values[name] == nil else {
                throw .templateFailed(line: line, reason: "\(owner) got an unexpected argument '\(name)'")
            }
            values[name] = value
        }
    }

    /// An argument; nil if it was left out.
    subscript(_ name: String) -> JinjaValue? { values[name] }

    /// An argument that must be there.
    func required(_ name: String) throws(TokenizerError) -> JinjaValue {
        guard let value = values[name] else { throw failure("needs the argument '\(name)'") }
        return value
    }

    /// A string; nil if it was left out or is none.
    func string(_ name: String) throws(TokenizerError) -> String? {
        guard let value = values[name] else { return nil }
        switch value {
        case .string(let text): return text
        case .none: return nil
        default: throw failure("needs a string for '\(name)', not \(value.typeName)")
        }
    }

    /// A string that must be there.
    func requiredString(_ name: String) throws(TokenizerError) -> String {
        guard let text = try string(name) else { throw failure("needs a string for '\(name)'") }
        return text
    }

    /// An integer; nil if it was left out or is none.
    func integer(_ name: String) throws(TokenizerError) -> Int? {
        guard let value = values[name] else { return nil }
        if case .none = value { return nil }
        guard let number = value.integerValue else {
            throw failure("needs an integer for '\(name)', not \(value.typeName)")
        }
        return number
    }

    /// The truth of an argument; `fallback` if it was left out.
    func flag(_ name: String, default fallback: Bool = false) -> Bool { values[name]?.isTrue ?? fallback }

    func failure(_ reason: String) -> TokenizerError {
        .templateFailed(line: line, reason: "\(owner) \(reason)")
    }
}
