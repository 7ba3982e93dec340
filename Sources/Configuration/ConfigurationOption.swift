/// What kind of value an option takes, and which values are allowed.
public enum OptionKind: Hashable, Sendable {
    /// A size, see `ByteCountText`.
    case byteCount(ClosedRange<UInt64>)
    /// One of these words.
    case choice([String])
    /// `host:port`; port 0 lets the system choose.
    case endpoint
    /// A whole number.
    case integer(ClosedRange<Int>)
    /// The name of a node.
    case nodeName
    /// A file or directory. Relative paths in the file count from the file's directory, others from the current one.
    case path
    /// Any text.
    case text

    /// Words for help and errors, for instance `a whole number, 1 to 64`.
    public var expectation: String {
        switch self {
        case .byteCount(let range):
            "a size such as 512MiB or 8GB, "
                + "\(ByteCountText.format(range.lowerBound)) to \(ByteCountText.format(range.upperBound))"
        case .choice(let words): "one of " + words.joined(separator: ", ")
        case .endpoint: "host:port"
        case .integer(let range): "a whole number, \(range.lowerBound) to \(range.upperBound)"
        case .nodeName: "a name of at most 64 letters, digits, dots, dashes and underscores"
        case .path: "a path"
        case .text: "text"
        }
    }
}

/// The programs that read the configuration.
public enum ConfigurationRole: String, Hashable, Sendable, CaseIterable {
    /// The coordinator.
    case coordinator
    /// The gateway.
    case gateway
    /// A worker.
    case worker
}

/// One thing that can be configured: everything that a file, the environment, a command line and `--help` need to
/// know about it. The table of all options is `ConfigurationOption.all`.
public struct ConfigurationOption: Hashable, Sendable {
    /// Name in the file, sections separated by dots; `workers[].` stands for each entry of the list.
    public let key: String
    /// What it takes.
    public let kind: OptionKind
    /// What counts if nothing is set; nil for options that must be set, empty for those that may be absent.
    public let defaultText: String?
    /// What it does, its unit, and what too small or too big a value does.
    public let meaning: String
    /// The programs that use it.
    public let roles: Set<ConfigurationRole>
    /// Whether environment and command line can set it. The names and addresses of workers come from the file alone,
    /// because there they are a list.
    public let isOverridable: Bool

    init(
        key: String, kind: OptionKind, defaultText: String?, meaning: String, roles: Set<ConfigurationRole>,
        isOverridable: Bool = true
    ) {
        self.key = key
        self.kind = kind
        self.defaultText = defaultText
        self.meaning = meaning
        self.roles = roles
        self.isOverridable = isOverridable
    }

    /// The key without `[]`: `workers[].threads` is overridden as `worker.threads`, in the process that reads it.
    private var overrideKey: String { key.replacing("workers[].", with: "worker.") }

    /// The environment variable, for instance `COLONY_LOG_LEVEL`.
    public var environmentName: String { "COLONY_" + overrideKey.replacing(".", with: "_").uppercased() }

    /// The command line option, for instance `--log-level`.
    public var flag: String {
        "--" + overrideKey.replacing(".", with: "-").replacing("_", with: "-")
    }
}

extension ConfigurationOption {
    /// The option with this key, list positions not named: `workers[].memory`.
    public static func find(_ key: String) -> ConfigurationOption? { byKey[key] }

    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    /// Takes the options of the table out of a command line: `--flag value` or `--flag=value`. Gives what they set, by
    /// key, and the arguments that are left.
    public static func overrides(
        from arguments: [String]
    ) throws(ConfigurationError) -> (overrides: [String: String], rest: [String]) {
        var overrides: [String: String] = [:]
        var rest: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            let flag = String(argument.prefix { $0 != "=" })
            index += 1
            guard let option = all.first(where: { $0.isOverridable && $0.flag == flag }) else {
                rest.append(argument)
                continue
            }
            if flag.count < argument.count {
                overrides[option.key] = String(argument.dropFirst(flag.count + 1))
            } else if index < arguments.count {
                overrides[option.key] = arguments[index]
                index += 1
            } else {
                throw .optionValueMissing(option: flag, expected: option.kind.expectation)
            }
        }
        return (overrides, rest)
    }

    /// The error for an argument that looks like an option and is none; `alsoKnown` are the program's own options.
    public static func unknownOption(_ argument: String, alsoKnown: [String] = []) -> ConfigurationError {
        let flag = String(argument.prefix { $0 != "=" })
        let known = all.filter(\.isOverridable).map(\.flag) + alsoKnown
        return .optionUnknown(option: flag, suggestion: nearest(to: flag, among: known))
    }

    /// Variables that begin with `COLONY_` and set nothing, each with the nearest name that would: worth a warning.
    public static func unknownVariables(
        in environment: [String: String], alsoKnown: [String] = []
    ) -> [(name: String, suggestion: String?)] {
        let known = all.filter(\.isOverridable).map(\.environmentName) + alsoKnown
        return environment.keys.filter { $0.hasPrefix("COLONY_") && !known.contains($0) }.sorted()
            .map { ($0, nearest(to: $0, among: known)) }
    }

    /// The part of `--help` that lists the options of one program.
    public static func helpText(for role: ConfigurationRole) -> String {
        all.filter { $0.isOverridable && $0.roles.contains(role) }.map { option in
            let value =
                switch option.defaultText {
                case .none: "required"
                case .some(""): "default:\(unbreakableSpace)none"
                case .some(let text): "default:\(unbreakableSpace)\(text)"
                }
            return [
                wrapped("\(option.flag) <\(option.kind.expectation)> (\(value))", indent: 2, hanging: 6),
                wrapped(option.meaning, indent: 6, hanging: 6),
                wrapped("key \(option.key), environment \(option.environmentName)", indent: 6, hanging: 6),
            ].joined(separator: "\n")
        }.joined(separator: "\n")
    }
}

/// Breaks a text into lines of at most 80 characters, the width of help texts; what follows the first line is indented
/// by `hanging`.
private func wrapped(_ text: String, indent: Int, hanging: Int) -> String {
    var lines = [String(repeating: " ", count: indent)]
    for word in text.split(separator: " ") {
        let line = lines[lines.count - 1]
        let isEmpty = line.allSatisfy { $0 == " " }
        if isEmpty || line.count + 1 + word.count <= 80 {
            lines[lines.count - 1] += (isEmpty ? "" : " ") + word
        } else {
            lines.append(String(repeating: " ", count: hanging) + word)
        }
    }
    return lines.joined(separator: "\n").replacing(unbreakableSpace, with: " ")
}

/// Stands for a space at which a line of a help text is not broken.
private let unbreakableSpace = "\u{0}"

/// The candidate that needs the fewest changed letters to become `text`; nil if none is near.
func nearest(to text: String, among candidates: [String]) -> String? {
    let scored = candidates.map { (candidate: $0, distance: editDistance(text, $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(2, text.count / 3) ? best.candidate : nil
}

private func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8.prefix(200))
    let right = Array(right.utf8.prefix(200))
    var row = Array(0...right.count)
    for (line, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = line + 1
        for column in right.indices {
            let changed = diagonal + (letter == right[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(changed, row[column] + 1, row[column + 1] + 1)
        }
    }
    return row[right.count]
}
