public import Basics
import Tokenizer
public import Wire

/// A request with everything decided: what each sequence is asked to generate and what is made of the answer.
public struct GenerationPlan: Sendable {
    /// One prompt of the request.
    public struct PlannedPrompt: Sendable {
        /// The token ids.
        public let tokens: [TokenID]
        /// The text that `echo` puts before the answer; empty without `echo`.
        public let echoText: String
        /// Whether the answer goes on with the prompt's text, so that a space at its beginning separates words.
        public let continuesText: Bool
    }

    /// How reasoning is told from the answer.
    public struct PlannedReasoning: Sendable {
        /// The model's marks.
        public let marks: ReasoningMarks
        /// Where the prompt ends.
        public let start: ReasoningStart
        /// Whether the reasoning is sent at all.
        public let isReported: Bool
    }

    /// How calls of tools are found in the answer.
    public struct PlannedToolCalls: Sendable {
        /// The model's marks.
        public let marks: ToolCallMarks
        /// What is known of the tools' parameters.
        public let schemas: ToolSchemas
        /// Whether the answer may call more than one tool.
        public let allowsSeveral: Bool
    }

    /// The prompts, in the order of the request.
    public let prompts: [PlannedPrompt]
    /// Answers per prompt; the choice `index` belongs to the prompt `index / choiceCount`.
    public let choiceCount: Int
    /// Whether the answer starts with the prompt.
    public let echoes: Bool
    /// What the client chose, with the model's defaults filled in where they matter to the answer's form.
    public let options: GenerationOptions
    /// The seed of the first choice.
    public let seed: UInt64
    /// How tokens are drawn, with the first choice's seed.
    public let sampling: SamplingParameters
    /// Tokens that end an answer.
    public let stopTokens: [TokenID]
    /// How reasoning is told from the answer; nil if it is not.
    public let reasoning: PlannedReasoning?
    /// How calls of tools are found; nil if they are not looked for.
    public let toolCalls: PlannedToolCalls?
    private let contextTokensMax: Int

    /// How many sequences the request needs.
    public var sequenceCount: Int { prompts.count * choiceCount }

    /// The prompt that a choice continues.
    public func prompt(ofChoice index: Int) -> PlannedPrompt { prompts[index / choiceCount] }

    /// How many tokens a choice may have at most; the context ends where it ends.
    public func tokensMax(ofChoice index: Int) -> Int {
        let room = contextTokensMax - prompt(ofChoice: index).tokens.count
        return min(options.tokensMax ?? room, room)
    }

    /// Whether a choice has anything to ask the cluster: without tokens to generate and scores to report it is empty.
    public func needsCluster(choice index: Int) -> Bool { tokensMax(ofChoice: index) > 0 || wantsPromptLogprobs }

    /// Whether prompts are scored.
    public var wantsPromptLogprobs: Bool { echoes && options.logprobCount != nil }

    /// What the coordinator is asked for a choice.
    public func generate(choice index: Int) -> Generate {
        var sampling = sampling
        sampling.seed = GenerationPlan.seed(seed, choice: index % choiceCount)
        return Generate(
            prompt: prompt(ofChoice: index).tokens, tokensMax: UInt32(clamping: tokensMax(ofChoice: index)),
            tokensMin: UInt32(clamping: options.tokensMin), sampling: sampling, stopTokens: stopTokens,
            logprobCount: options.logprobCount.map { UInt8(clamping: $0) }, wantsPromptLogprobs: wantsPromptLogprobs,
            wantsRoutedExperts: options.returnsRoutedExperts)
    }

    /// The seed of the choice `index` of a prompt: the first has the request's own, so that one answer alone and the
    /// first of several are the same; the others are spread by a mixing function.
    public static func seed(_ seed: UInt64, choice index: Int) -> UInt64 {
        guard index > 0 else { return seed }
        var mixed = seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension GenerationPlan {
    /// Plans a completion. `randomSeed` is used if the client gave none.
    public init(
        _ request: CompletionRequest, model: ModelContext, randomSeed: UInt64
    ) throws(APIError) {
        var prompts: [PlannedPrompt] = []
        for prompt in request.prompts {
            prompts.append(try GenerationPlan.planned(prompt, request: request, model: model))
        }
        try self.init(
            prompts: prompts, echoes: request.echoes, options: request.options, model: model, randomSeed: randomSeed)
    }

    /// Plans a chat. `randomSeed` is used if the client gave none.
    public init(_ request: ChatRequest, model: ModelContext, randomSeed: UInt64) throws(APIError) {
        let text = try GenerationPlan.renderedChat(request, model: model)
        let tokens = model.tokenizer.encode(text, addSpecialTokens: request.addsSpecialTokens)
        try self.init(
            prompts: [PlannedPrompt(tokens: tokens, echoText: "", continuesText: request.continuesFinalMessage)],
            echoes: false, options: request.options, model: model, randomSeed: randomSeed, parameter: "messages",
            reasoning: GenerationPlan.plannedReasoning(request, prompt: text, model: model),
            toolCalls: GenerationPlan.plannedToolCalls(request, model: model))
    }

    private init(
        prompts: [PlannedPrompt], echoes: Bool, options: GenerationOptions, model: ModelContext, randomSeed: UInt64,
        parameter: String = "prompt", reasoning: PlannedReasoning? = nil, toolCalls: PlannedToolCalls? = nil
    ) throws(APIError) {
        try GenerationPlan.checkModel(options.model, served: model.name)
        for prompt in prompts {
            try GenerationPlan.check(prompt.tokens, options: options, model: model, parameter: parameter)
        }
        try GenerationPlan.checkVocabulary(options.stopTokens, parameter: "stop_token_ids", model: model)
        try GenerationPlan.checkVocabulary(options.logitBias.map(\.token), parameter: "logit_bias", model: model)
        self.prompts = prompts
        self.echoes = echoes
        self.reasoning = reasoning
        self.toolCalls = toolCalls
        self.options = options
        choiceCount = options.choiceCount
        contextTokensMax = model.contextTokensMax
        seed = options.seed ?? randomSeed
        sampling = GenerationPlan.sampling(options, defaults: model.defaults, seed: seed)
        let endTokens = options.ignoresEndTokens ? [] : model.defaults.endTokens
        stopTokens = Array(Set(endTokens + options.stopTokens)).sorted()
    }

    private static func sampling(
        _ options: GenerationOptions, defaults: GenerationDefaults, seed: UInt64
    ) -> SamplingParameters {
        SamplingParameters(
            temperature: options.temperature ?? defaults.temperature.map { Float($0) } ?? 1,
            topP: options.topP ?? defaults.topP.map { Float($0) } ?? 1,
            topK: UInt32(clamping: options.topK ?? defaults.topK.map { Int($0) } ?? 0),
            minP: options.minP ?? defaults.minP.map { Float($0) } ?? 0,
            repetitionPenalty: options.repetitionPenalty ?? defaults.repetitionPenalty.map { Float($0) } ?? 1,
            presencePenalty: options.presencePenalty, frequencyPenalty: options.frequencyPenalty,
            logitBias: options.logitBias, seed: seed)
    }

    private static func planned(
        _ prompt: Prompt, request: CompletionRequest, model: ModelContext
    ) throws(APIError) -> PlannedPrompt {
        let tokens: [TokenID]
        let text: String
        switch prompt {
        case .text(let given):
            tokens = model.tokenizer.encode(given, addSpecialTokens: request.addsSpecialTokens)
            text = given
        case .tokens(let given):
            try checkVocabulary(given, parameter: "prompt", model: model)
            tokens = given
            text = request.echoes ? model.tokenizer.decode(given) : ""
        }
        let continuesText = tokens.last.map { !model.tokenizer.isSpecial($0) } ?? false
        return PlannedPrompt(
            tokens: tokens, echoText: request.echoes ? text : "", continuesText: continuesText)
    }

    private static func checkModel(_ name: String?, served: String) throws(APIError) {
        guard let name, name != served, name != "default" else { return }
        throw .modelNotFound(name, served: served)
    }

    private static func check(
        _ tokens: [TokenID], options: GenerationOptions, model: ModelContext, parameter: String
    ) throws(APIError) {
        guard !tokens.isEmpty else {
            throw .invalid(parameter, "the prompt has no tokens; at least one is needed")
        }
        let limit = options.tokensMax == 0 ? model.contextTokensMax : model.contextTokensMax - 1
        guard tokens.count <= limit else {
            let room = options.tokensMax == 0 ? "" : " with at least one token to generate"
            throw .invalid(
                parameter,
                "the prompt has \(tokens.count) tokens; the context of \(model.contextTokensMax) tokens has room for "
                    + "\(limit)\(room)", code: "context_length_exceeded")
        }
        if let tokensMax = options.tokensMax, options.tokensMin > tokensMax {
            throw .invalid("min_tokens", "'min_tokens' is \(options.tokensMin), more than the \(tokensMax) at most")
        }
    }

    private static func checkVocabulary(
        _ tokens: [TokenID], parameter: String, model: ModelContext
    ) throws(APIError) {
        guard let token = tokens.first(where: { Int($0.value) >= model.vocabularySize || $0.value < 0 }) else { return }
        throw .invalid(
            parameter,
            "token id \(token) in '\(parameter)' is out of range; the vocabulary has \(model.vocabularySize) tokens",
            code: "token_out_of_range")
    }
}
