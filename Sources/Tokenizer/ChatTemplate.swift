public import Basics
import OrderedCollections

/// A model's chat template: turns a conversation into the text that the model continues. The template is a Jinja
/// program out of the model's files; it is interpreted, with the environment that published templates expect. Families
/// that publish none have an encoding that is built in.
///
/// Immutable, so any number of threads may render with one.
public struct ChatTemplate: Sendable {
    private let template: [JinjaStatement]
    /// Takes over when there are tools, if the model has one.
    private let toolTemplate: [JinjaStatement]?
    private let specialTokens: [(name: String, value: JSON)]
    private let sources: [String]
    /// Writes the prompts of a family that has no templates; nil for all others.
    private let encoding: DeepSeekEncoding?

    /// Reads `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`: one template, or a list of named
    /// ones, of which `default` and `tool_use` are used.
    public init(files: TokenizerFiles) throws(TokenizerError) {
        let configuration = try files.document("tokenizer_config.json")
        specialTokens = Self.specialTokens(configuration)
        if let bytes = files["chat_template.jinja"] {
            guard let source = String(validating: bytes, as: UTF8.self) else {
                throw .fileMalformed(file: "chat_template.jinja", reason: "it is not UTF-8")
            }
            template = try Self.parse(source)
            toolTemplate = nil
            sources = [source]
            encoding = nil
            return
        }
        switch configuration?["chat_template"] {
        case .string(let source):
            template = try Self.parse(source)
            toolTemplate = nil
            sources = [source]
            encoding = nil
        case .array(let entries):
            let named = Self.namedTemplates(entries)
            guard let source = named["default"] ?? named.values.first else { throw .chatTemplateMissing }
            template = try Self.parse(source)
            toolTemplate = try named["tool_use"].map { source throws(TokenizerError) in try Self.parse(source) }
            sources = [source] + (named["tool_use"].map { [$0] } ?? [])
            encoding = nil
        default:
            guard let encoding = try DeepSeekEncoding(files: files) else { throw .chatTemplateMissing }
            self.encoding = encoding
            template = []
            toolTemplate = nil
            sources = [DeepSeekEncoding.thinkOpen + DeepSeekEncoding.thinkClose + DeepSeekEncoding.markup]
        }
    }

    /// Reads a template that is at hand as text; it sees no special tokens but those among the variables.
    public init(source: String) throws(TokenizerError) {
        template = try Self.parse(source)
        toolTemplate = nil
        specialTokens = []
        sources = [source]
        encoding = nil
    }

    /// Whether `text` stands in the template, as far as one can see without rendering it.
    public func mentions(_ text: String) -> Bool { sources.contains { $0.contains(text) } }

    private static func parse(_ source: String) throws(TokenizerError) -> [JinjaStatement] {
        try DeepStack.run { () throws(TokenizerError) in try JinjaParser.parse(source) }
    }

    private static func namedTemplates(_ entries: [JSON]) -> [String: String] {
        var named: [String: String] = [:]
        for entry in entries {
            if let name = entry["name"]?.string, let source = entry["template"]?.string { named[name] = source }
        }
        return named
    }

    private static func specialTokens(_ configuration: JSON?) -> [(name: String, value: JSON)] {
        var tokens: [(name: String, value: JSON)] = []
        for key in SpecialTokenNames.keys {
            if let text = SpecialTokenNames.text(configuration?[key]) { tokens.append((key, .string(text))) }
        }
        for (key, value) in configuration?["extra_special_tokens"]?.object ?? [:] {
            if let text = SpecialTokenNames.text(value) { tokens.append((key, .string(text))) }
        }
        if let more = configuration?["additional_special_tokens"]?.array {
            let texts = more.compactMap { SpecialTokenNames.text($0) }
            tokens.append(("additional_special_tokens", .array(texts.map { .string($0) })))
        }
        return tokens
    }

    /// The text of a conversation.
    /// - Parameters:
    ///   - messages: an array of objects with `role` and `content`.
    ///   - tools: an array of tool schemas, or nil.
    ///   - addGenerationPrompt: whether to end with what begins the model's answer.
    ///   - variables: whatever else the template looks at; a variable overrides a special token of its name.
    public func render(
        messages: JSON, tools: JSON?, addGenerationPrompt: Bool, variables: [String: JSON] = [:]
    ) throws(TokenizerError) -> String {
        if let encoding {
            return try encoding.render(messages: messages, tools: tools, variables: variables)
        }
        let hasTools = tools.map { !$0.isNull } ?? false
        let template = hasTools ? toolTemplate ?? template : template
        var all: [(name: String, value: JSON)] = specialTokens
        all.append(("documents", .null))
        all += variables.map { ($0.key, $0.value) }
        all.append(("messages", messages))
        all.append(("tools", tools ?? .null))
        all.append(("add_generation_prompt", .bool(addGenerationPrompt)))
        let given = all
        return try DeepStack.run { () throws(TokenizerError) in
            try JinjaInterpreter.render(template, variables: given.map { ($0.name, JinjaValue($0.value)) })
        }
    }
}
