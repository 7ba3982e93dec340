/// What somebody typed: a message, or a command that begins with `/`.
public enum ChatInput: Equatable, Sendable {
    case command(SlashCommand)
    case message(String)
    case nothing
    /// Not understood; one line says why.
    case problem(String)

    /// Reads one input, which may have several lines. Two slashes begin a message with a slash.
    public init(_ text: String) {
        let trimmed = text.trimmedBlanks
        guard !trimmed.isEmpty else {
            self = .nothing
            return
        }
        guard trimmed.hasPrefix("/") else {
            self = .message(trimmed)
            return
        }
        if trimmed.hasPrefix("//") {
            self = .message(String(trimmed.dropFirst()))
            return
        }
        let word = trimmed.dropFirst().prefix { !$0.isWhitespace }
        let rest = String(trimmed.dropFirst(1 + word.count)).trimmedBlanks
        guard let name = SlashCommand.Name(rawValue: String(word)) else {
            self = .problem("there is no command /\(word); /help lists them, and // begins a message with a slash")
            return
        }
        do throws(SlashCommand.Problem) {
            self = .command(try SlashCommand(name, rest))
        } catch {
            self = .problem(error.reason)
        }
    }
}

/// A command of a chat.
public enum SlashCommand: Equatable, Sendable {
    case help
    case new
    case quit
    case retry
    case save(path: String)
    /// Set one setting.
    case set(name: String, value: String)
    /// Show all settings.
    case settings
    case stats
    /// Show what the model is told before everything else.
    case system
    /// Change it; nil for nothing.
    case tell(String?)
    case undo

    /// The words that follow the slash.
    public enum Name: String, CaseIterable, Sendable {
        case help, new, undo, retry, system, set, stats, save, quit

        var usage: String {
            switch self {
            case .help: "/help"
            case .new: "/new"
            case .quit: "/quit"
            case .retry: "/retry"
            case .save: "/save FILE"
            case .set: "/set NAME VALUE"
            case .stats: "/stats"
            case .system: "/system TEXT"
            case .undo: "/undo"
            }
        }

        var explanation: String {
            switch self {
            case .help: "this list"
            case .new: "begin a new conversation"
            case .quit: "leave (also Ctrl-D)"
            case .retry: "send the last message again"
            case .save: "write the conversation to a file (FILE.json: as JSON)"
            case .set: GenerationSettings.Name.allCases.map(\.rawValue).joined(separator: ", ") + "; /set shows them"
            case .stats: "tokens and speed so far"
            case .system: "tell the model something in advance ('none' takes it back)"
            case .undo: "forget the last message and its answer"
            }
        }
    }

    struct Problem: Error {
        let reason: String
    }

    init(_ name: Name, _ rest: String) throws(Problem) {
        switch name {
        case .help, .new, .quit, .retry, .stats, .undo:
            guard rest.isEmpty else { throw Problem(reason: "\(name.usage) takes nothing after it") }
            self =
                switch name {
                case .new: .new
                case .quit: .quit
                case .retry: .retry
                case .stats: .stats
                case .undo: .undo
                case .help, .save, .set, .system: .help
                }
        case .save:
            guard !rest.isEmpty else { throw Problem(reason: "say where to: \(name.usage)") }
            self = .save(path: rest)
        case .set: self = try Self.setting(rest)
        case .system: self = rest.isEmpty ? .system : .tell(rest == "none" ? nil : rest)
        }
    }

    /// The text of `/help`.
    public static var explanation: String {
        let width = Name.allCases.map(\.usage.count).max() ?? 0
        let commands = Name.allCases.map { name in
            "  " + name.usage + String(repeating: " ", count: width + 2 - name.usage.count) + name.explanation
        }
        let keys = [
            "Ctrl-C stops an answer. A line that ends with \\ goes on in the next, pasted",
            "lines are one message, and the arrow keys bring back what you typed before.",
        ]
        return (commands + [""] + keys).joined(separator: "\n")
    }

    private static func setting(_ text: String) throws(Problem) -> SlashCommand {
        let parts = text.split(maxSplits: 1) { $0.isWhitespace || $0 == "=" }
        if parts.isEmpty { return .settings }
        guard parts.count == 2 else { throw Problem(reason: "say a name and a value: /set temperature 0.7") }
        return .set(name: String(parts[0]), value: String(parts[1]).trimmedBlanks)
    }
}

extension String {
    /// Without white space at both ends.
    fileprivate var trimmedBlanks: String {
        let begin = drop { $0.isWhitespace }
        guard let last = begin.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(begin[...last])
    }
}
