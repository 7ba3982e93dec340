/// Why a tokenizer or chat template cannot be used.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// The model's files hold no chat template.
    case chatTemplateMissing
    /// A component of a kind that is not built in; `supported` lists those that are.
    case componentUnsupported(component: String, found: String, supported: [String])
    /// An encoding that is built in cannot write these messages; `message` counts from 0.
    case conversationRefused(message: Int?, reason: String)
    /// A file is there but does not say what it must.
    case fileMalformed(file: String, reason: String)
    /// A required file is missing.
    case fileMissing(file: String)
    /// Something in a tokenizer's file is larger than Colony accepts.
    case limitExceeded(what: String, count: Int, limit: Int)
    /// A regular expression does not compile; `offset` counts bytes of the pattern.
    case patternInvalid(pattern: String, reason: String, offset: Int)
    /// A chat template failed while it was rendered.
    case templateFailed(line: Int, reason: String)
    /// Rendering a chat template would cost more than is allowed.
    case templateLimitExceeded(line: Int, what: String, limit: Int)
    /// The chat template itself refused the conversation with `raise_exception`.
    case templateRaised(line: Int, message: String)
    /// A chat template cannot be parsed.
    case templateSyntax(line: Int, reason: String)

    /// One line for people.
    public var description: String {
        switch self {
        case .chatTemplateMissing:
            "the model has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json)"
        case .componentUnsupported(let component, let found, let supported):
            "\(component) '\(found)' is not supported (supported: \(supported.joined(separator: ", ")))"
        case .conversationRefused(let message, let reason):
            (message.map { "messages[\($0)]: " } ?? "") + reason
        case .fileMalformed(let file, let reason):
            "\(file): \(reason)"
        case .fileMissing(let file):
            "\(file) is missing"
        case .limitExceeded(let what, let count, let limit):
            "\(what): \(count) is beyond the limit of \(limit)"
        case .patternInvalid(let pattern, let reason, let offset):
            "regular expression '\(pattern)' is invalid at byte \(offset): \(reason)"
        case .templateFailed(let line, let reason):
            "chat template, line \(line): \(reason)"
        case .templateLimitExceeded(let line, let what, let limit):
            "chat template, line \(line): \(what) is beyond the limit of \(limit)"
        case .templateRaised(let line, let message):
            "chat template, line \(line), refuses the conversation: \(message)"
        case .templateSyntax(let line, let reason):
            "chat template, line \(line): syntax error: \(reason)"
        }
    }
}
