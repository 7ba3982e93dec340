import Basics
public import Tokenizer
public import Wire

/// What the gateway knows about the model that the cluster serves: enough to turn requests into token ids and back.
public struct ModelContext: Sendable {
    /// The name under which the model is served, besides `default`.
    public let name: String
    /// Longest sequence (prompt and answer together), in tokens.
    public let contextTokensMax: Int
    /// Token ids are below this.
    public let vocabularySize: Int
    /// Turns text into tokens and back.
    public let tokenizer: BPETokenizer
    /// Turns messages into a prompt; nil if the model has none.
    public let chatTemplate: ChatTemplate?
    /// Why the model's chat template cannot be used; nil if it can, or if there is none.
    public let chatTemplateProblem: String?
    /// How the model sets its reasoning apart; nil if it does not.
    public let reasoning: ReasoningMarks?
    /// How the model calls tools; nil if nothing is known of it.
    public let toolCalls: ToolCallMarks?
    /// What holds when a request leaves a field out.
    public let defaults: GenerationDefaults
    /// When the gateway learned of the model, in seconds since 1970.
    public let createdSeconds: Int

    /// Reads the files that the coordinator sent; throws if there is no usable tokenizer.
    public init(files: ModelFiles, createdSeconds: Int) throws(TokenizerError) {
        var tokenizerFiles = TokenizerFiles()
        for file in files.files { tokenizerFiles[file.name] = file.bytes }
        name = files.modelName
        contextTokensMax = Int(files.contextTokensMax)
        vocabularySize = Int(files.vocabularySize)
        tokenizer = try BPETokenizer(files: tokenizerFiles)
        defaults = try GenerationDefaults(files: tokenizerFiles)
        self.createdSeconds = createdSeconds
        (chatTemplate, chatTemplateProblem) = ModelContext.readChatTemplate(tokenizerFiles)
        reasoning = ReasoningMarks(tokenizer: tokenizer, template: chatTemplate)
        toolCalls = ToolCallMarks(tokenizer: tokenizer, template: chatTemplate, reasoning: reasoning?.format)
    }

    /// A template that cannot be used must not keep `/v1/completions` from working.
    private static func readChatTemplate(_ files: TokenizerFiles) -> (ChatTemplate?, String?) {
        do {
            return (try ChatTemplate(files: files), nil)
        } catch {
            return (nil, "\(error)")
        }
    }
}
