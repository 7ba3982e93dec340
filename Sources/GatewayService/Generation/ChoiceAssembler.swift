import Basics
public import Tokenizer
public import Wire

/// A token of an answer, with where its text begins.
public struct PlacedToken: Hashable, Sendable {
    /// The token and its scores.
    public var scored: ScoredToken
    /// Characters (Unicode scalars) of the answer's text before it, the echoed prompt included.
    public var textOffset: Int
}

/// Why an answer ended, in OpenAI's words.
public enum ChoiceFinish: String, Sendable {
    /// The limit of tokens or the end of the context.
    case length
    /// An end token, a stop token or a stop string.
    case stop
    /// The same, and the answer calls tools.
    case toolCalls = "tool_calls"
}

/// A piece of one answer; pieces add up to the whole answer.
public struct ChoicePiece: Hashable, Sendable {
    /// The prompt's tokens, in the piece that starts an echoed answer; scored if scores were asked for.
    public var promptTokens: [PlacedToken] = []
    /// New text.
    public var text = ""
    /// New text of the reasoning that precedes it.
    public var reasoning = ""
    /// New calls of tools.
    public var toolCalls: [ToolCall] = []
    /// The number of the first of them among all of the answer.
    public var firstToolCall = 0
    /// New tokens; their text may come with a later piece, or never if they end the answer.
    public var tokens: [PlacedToken] = []
    /// Experts of the tokens whose text is complete with this piece, if they were asked for; the last piece has those
    /// of all tokens that are left.
    public var routedExperts: [RoutedExperts] = []
    /// Set in the last piece.
    public var finish: ChoiceFinish?

    /// Nothing yet.
    public init() {}

    /// Whether it says nothing at all.
    public var isEmpty: Bool {
        promptTokens.isEmpty && text.isEmpty && reasoning.isEmpty && toolCalls.isEmpty && tokens.isEmpty
            && routedExperts.isEmpty && finish == nil
    }

    /// Adds the piece that follows.
    public mutating func append(_ next: ChoicePiece) {
        promptTokens += next.promptTokens
        text += next.text
        reasoning += next.reasoning
        toolCalls += next.toolCalls
        tokens += next.tokens
        routedExperts += next.routedExperts
        finish = next.finish ?? finish
    }
}

/// Turns the tokens of one sequence into the text of one answer: detokenises, tells reasoning from the answer, finds
/// stop strings and calls of tools, echoes the prompt.
///
/// The token that ends an answer (an end token, a stop token) is reported among the tokens, but is not text.
public struct ChoiceAssembler: Sendable {
    private let tokenizer: BPETokenizer
    private let prompt: GenerationPlan.PlannedPrompt
    private let echoes: Bool
    private let wantsPromptLogprobs: Bool
    private let tokensMin: Int
    private var detokenizer: StreamingDetokenizer
    /// Nil if all text is the answer.
    private var splitter: ReasoningSplitter?
    /// Nil if there are no calls in the text.
    private var callSplitter: ToolCallSplitter?
    private let allowsSeveralCalls: Bool
    private var callCount = 0
    private let marks: [TokenID: ReasoningMark]
    private let reportsReasoning: Bool
    private let stopStrings: [String]
    /// Looks for stop strings in the text of `channel`.
    private var matcher: StopStringMatcher
    private var channel = AnswerChannel.answer
    private var scoredPrompt: [ScoredToken] = []
    private var isPromptOut = false
    /// Unicode scalars of detokenised text so far, including text that is held back or follows a stop string.
    private var scalarCount: Int
    private var heldExperts = HeldExperts()
    /// Tokens generated so far.
    public private(set) var tokenCount = 0
    /// Those of them that were spent on reasoning.
    public private(set) var reasoningTokenCount = 0
    /// Whether the answer is complete; nothing that comes later belongs to it.
    public private(set) var isFinished = false

    /// Assembles the choice `index` of a plan.
    public init(_ plan: GenerationPlan, choice index: Int, tokenizer: BPETokenizer) {
        self.tokenizer = tokenizer
        prompt = plan.prompt(ofChoice: index)
        echoes = plan.echoes
        wantsPromptLogprobs = plan.wantsPromptLogprobs
        tokensMin = plan.options.tokensMin
        detokenizer = StreamingDetokenizer(
            tokenizer, skipSpecialTokens: plan.options.skipsSpecialTokens, kept: plan.toolCalls?.marks.tokens ?? [],
            continuesText: prompt.continuesText)
        splitter = plan.reasoning.map {
            ReasoningSplitter($0.marks, start: $0.start, findsCalls: plan.toolCalls != nil)
        }
        callSplitter = plan.toolCalls.map {
            ToolCallSplitter(ToolCallParser(format: $0.marks.format, schemas: $0.schemas))
        }
        allowsSeveralCalls = plan.toolCalls?.allowsSeveral ?? true
        marks = plan.reasoning?.marks.tokens ?? [:]
        reportsReasoning = plan.reasoning?.isReported ?? true
        stopStrings = plan.options.stopStrings
        matcher = StopStringMatcher(stopStrings)
        scalarCount = prompt.echoText.unicodeScalars.count
    }

    /// Takes what the coordinator reports. Afterwards `isFinished` may be true although the coordinator goes on: then
    /// a stop string was found and the sequence should be cancelled.
    public mutating func append(_ generated: Generated) -> ChoicePiece {
        var piece = ChoicePiece()
        if isFinished { return piece }
        if wantsPromptLogprobs { scoredPrompt += generated.promptTokens }
        if !generated.tokens.isEmpty || generated.finish != nil { piece = promptPiece() }
        for (position, token) in generated.tokens.enumerated() {
            let endsAnswer = generated.finish == .stop && position == generated.tokens.count - 1
            append(token, endsAnswer: endsAnswer, to: &piece)
            if matcher.isMatched || (callCount > 0 && !allowsSeveralCalls) {
                finish(.stop, &piece)
                return piece
            }
        }
        switch generated.finish {
        case nil: break
        case .stop: finish(.stop, &piece)
        case .length, .cancelled: finish(.length, &piece)
        }
        return piece
    }

    /// The answer of a choice that asks nothing of the cluster: the echoed prompt, or nothing.
    public mutating func finishWithoutTokens() -> ChoicePiece {
        append(Generated(finish: .length))
    }

    private mutating func append(_ token: ScoredToken, endsAnswer: Bool, to piece: inout ChoicePiece) {
        piece.tokens.append(PlacedToken(scored: token, textOffset: scalarCount))
        tokenCount += 1
        if let experts = token.routedExperts { heldExperts.append(experts) }
        if endsAnswer { return }
        let wasReasoning = splitter?.isReasoning ?? false
        let text = detokenizer.append(token.token)
        scalarCount += text.unicodeScalars.count
        release(segments(of: text, mark: marks[token.token]), to: &piece)
        if wasReasoning || splitter?.isReasoning ?? false { reasoningTokenCount += 1 }
        // With text came the end of whatever character earlier tokens had begun.
        if !text.isEmpty || !detokenizer.isWithinCharacter {
            heldExperts.settle(textEnd: scalarCount, endsWithinCharacter: detokenizer.isWithinCharacter)
        }
        piece.routedExperts += heldExperts.release(through: settledCount)
    }

    /// Unicode scalars whose place is certain: they are out, or dropped with a mark.
    private var settledCount: Int { scalarCount - matcher.heldScalarCount - (splitter?.heldScalarCount ?? 0) }

    /// Where the text belongs that a token brought.
    private mutating func segments(of text: String, mark: ReasoningMark?) -> [AnswerSegment] {
        guard splitter != nil else { return text.isEmpty ? [] : [AnswerSegment(.answer, text)] }
        guard let mark else { return splitter?.append(text) ?? [] }
        return splitter?.append(mark, text: text) ?? []
    }

    private mutating func release(_ segments: [AnswerSegment], to piece: inout ChoicePiece) {
        for segment in segments where !matcher.isMatched {
            if case .call(let function) = segment.channel {
                take([.calls([ToolCall(name: function, arguments: segment.text)])], &piece)
                continue
            }
            if segment.channel != channel { enter(segment.channel, &piece) }
            add(tokenCount <= tokensMin ? segment.text : matcher.append(segment.text), to: &piece)
        }
    }

    /// A stop string lies in the reasoning or in the answer: what is held back of the one is no beginning in the other.
    private mutating func enter(_ next: AnswerChannel, _ piece: inout ChoicePiece) {
        add(matcher.finish(), to: &piece)
        channel = next
        matcher = StopStringMatcher(stopStrings)
    }

    private mutating func add(_ text: String, to piece: inout ChoicePiece) {
        switch channel {
        case .answer, .call: take(callSplitter?.append(text) ?? [.text(text)], &piece)
        case .reasoning: if reportsReasoning { piece.reasoning += text }
        }
    }

    private mutating func take(_ pieces: [ToolCallSplitter.Piece], _ piece: inout ChoicePiece) {
        for next in pieces {
            switch next {
            case .text(let text): piece.text += text
            case .calls(let calls):
                let taken = calls.prefix(allowsSeveralCalls ? calls.count : max(0, 1 - callCount))
                if piece.toolCalls.isEmpty { piece.firstToolCall = callCount }
                piece.toolCalls += taken
                callCount += taken.count
            }
        }
    }

    private mutating func finish(_ reason: ChoiceFinish, _ piece: inout ChoicePiece) {
        var reason = reason
        if !matcher.isMatched {
            let text = detokenizer.finish()
            scalarCount += text.unicodeScalars.count
            let rest = splitter?.finish(breaksOff: reason == .length) ?? []
            release(segments(of: text, mark: nil) + rest, to: &piece)
            if matcher.isMatched { reason = .stop }
            add(matcher.finish(), to: &piece)
        }
        take(callSplitter?.finish() ?? [], &piece)
        if reason == .stop, callCount > 0 { reason = .toolCalls }
        piece.routedExperts += heldExperts.releaseAll()
        piece.finish = reason
        isFinished = true
    }

    /// The echoed prompt, once, before anything else.
    private mutating func promptPiece() -> ChoicePiece {
        var piece = ChoicePiece()
        guard echoes, !isPromptOut else { return piece }
        isPromptOut = true
        piece.text = prompt.echoText
        let tokens = wantsPromptLogprobs ? scoredPrompt : prompt.tokens.map { ScoredToken(token: $0) }
        scoredPrompt = []
        var walker = StreamingDetokenizer(tokenizer, skipSpecialTokens: false)
        var offset = 0
        for token in tokens {
            piece.promptTokens.append(PlacedToken(scored: token, textOffset: offset))
            offset += walker.append(token.token).unicodeScalars.count
        }
        return piece
    }
}
