/// Where a value of the configuration came from.
public enum ConfigurationSource: Hashable, Sendable, CustomStringConvertible {
    /// A command line option, for instance `--log-level`.
    case commandLine(option: String)
    /// The default of the table of options.
    case defaultValue
    /// An environment variable.
    case environment(name: String)
    /// A line of the file, counted from 1.
    case file(path: String, line: Int)

    /// Words for error messages.
    public var description: String {
        switch self {
        case .commandLine(let option): "option \(option)"
        case .defaultValue: "default"
        case .environment(let name): "environment variable \(name)"
        case .file(let path, let line): "\(path), line \(line)"
        }
    }
}

/// Why a configuration cannot be used. Every case names the key and where it was set.
public enum ConfigurationError: Error, Hashable, Sendable {
    /// The file is larger than the limit.
    case fileBeyondLimit(path: String, byteCount: Int, limit: Int)
    /// The file cannot be read.
    case fileUnreadable(path: String, reason: String)
    /// Nothing sets a key that has no default.
    case keyMissing(key: String, path: String, line: Int?)
    /// There is no such key; `suggestion` is the nearest one.
    case keyUnknown(key: String, path: String, line: Int, suggestion: String?)
    /// Nobody has this name; `known` are the names that exist.
    case nodeUnknown(node: String, role: String, known: [String])
    /// There is no such option on the command line; `suggestion` is the nearest one.
    case optionUnknown(option: String, suggestion: String?)
    /// A command line option lacks its value.
    case optionValueMissing(option: String, expected: String)
    /// The file is not YAML.
    case syntax(path: String, line: Int?, reason: String)
    /// Two values contradict each other.
    case valuesConflict(key: String, source: ConfigurationSource, reason: String)
    /// A value is not of its kind or outside its range.
    case valueInvalid(key: String, source: ConfigurationSource, found: String, expected: String)
    /// More workers than the limit.
    case workersBeyondLimit(count: Int, limit: Int)
}

extension ConfigurationError: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        switch self {
        case .fileBeyondLimit(let path, let byteCount, let limit):
            "\(path) has \(byteCount) bytes, the limit is \(limit)"
        case .fileUnreadable(let path, let reason):
            "\(path) cannot be read: \(reason)"
        case .keyMissing(let key, let path, let line):
            "\(path)\(line.map { ", line \($0)" } ?? ""): key \(key) is missing"
        case .keyUnknown(let key, let path, let line, let suggestion):
            "\(path), line \(line): there is no key \(key)\(suggestion.map { "; did you mean \($0)?" } ?? "")"
        case .nodeUnknown(let node, let role, let known):
            "there is no \(role) \"\(node)\" in the configuration; there is \(known.joined(separator: ", "))"
        case .optionUnknown(let option, let suggestion):
            "there is no option \(option)\(suggestion.map { "; did you mean \($0)?" } ?? "")"
        case .optionValueMissing(let option, let expected):
            "option \(option) needs a value: \(expected)"
        case .syntax(let path, let line, let reason):
            "\(path)\(line.map { ", line \($0)" } ?? ""): \(reason)"
        case .valuesConflict(let key, let source, let reason):
            "\(source): key \(key): \(reason)"
        case .valueInvalid(let key, let source, let found, let expected):
            "\(source): key \(key) must be \(expected), found \"\(found)\""
        case .workersBeyondLimit(let count, let limit):
            "key workers: \(count) workers are beyond the limit of \(limit)"
        }
    }
}
