public import Basics

/// A conversation with a model as a state machine: what happened goes in, what is to be done comes out. It knows no
/// terminal, no gateway and no clock.
///
/// ```
/// idle ──question──▶ asking ──answer, interruption──▶ idle
///                      │ ▲ └──failure──▶ failed(question) ──retry──▶ asking
///                      ▼ │ ready
///                    the cluster is waited for
/// ```
///
/// The model sees the latest turns only, once all of them are longer than its context.
public struct Conversation: Sendable {
    /// What is to be done next, in order.
    public enum Directive: Equatable, Sendable {
        /// Tell whoever asks.
        case say(String)
        /// Send `messages`, and report with `onText` and then `onAnswer` or `onFailure`.
        case send
        /// Wait until the cluster can generate, and report with `onReady` or `onFailure`.
        case wait(reason: String)
        /// Tell whoever asks that this went wrong.
        case warn(String)
    }

    /// A question and its answer.
    public struct Turn: Equatable, Sendable {
        /// What was asked.
        public var question: String
        /// What came, whole or until it was stopped.
        public var answer: String
        /// What the model thought before it answered; empty if it did not tell.
        public var reasoning: String

        /// Puts them together.
        public init(question: String, answer: String, reasoning: String = "") {
            self.question = question
            self.answer = answer
            self.reasoning = reasoning
        }

        var messages: [ChatMessage] {
            [ChatMessage(.user, question), ChatMessage(.assistant, answer, reasoning: reasoning)]
        }
    }

    private enum Phase: Equatable {
        case asking(String)
        case failed(String)
        case idle
    }

    /// What the model is told before everything else; nil if nothing.
    public var system: String?
    /// What was said.
    public private(set) var turns: [Turn] = []
    /// How many of the oldest turns no longer fit into the model's context.
    public private(set) var leftOutCount = 0
    /// Tokens of the last whole answer and all before it; nil before the first.
    public private(set) var contextTokens: Int?
    /// Whether a cluster that is not ready is waited for.
    public let waitsUntilReady: Bool
    private var phase = Phase.idle
    private var partialAnswer = ""
    private var partialReasoning = ""

    /// A conversation in which nothing was said. With `waitsUntilReady` a cluster that is not ready is waited for.
    public init(system: String? = nil, waitsUntilReady: Bool = true) {
        self.system = system
        self.waitsUntilReady = waitsUntilReady
    }

    /// What the model is shown of it, with the question that waits for its answer.
    public var messages: [ChatMessage] {
        var messages = system.map { [ChatMessage(.system, $0)] } ?? []
        for turn in turns.dropFirst(leftOutCount) {
            messages += turn.messages
        }
        if case .asking(let question) = phase { messages.append(ChatMessage(.user, question)) }
        return messages
    }

    /// Everything that was said, with what the model no longer sees.
    private var transcript: [ChatMessage] {
        (system.map { [ChatMessage(.system, $0)] } ?? []) + turns.flatMap(\.messages)
    }

    /// Everything that was said, as the `messages` of a request.
    public var json: JSON { ["messages": .array(transcript.map(\.json))] }

    /// Everything that was said, for people: each message below the name of its role.
    public var text: String { transcript.map { "\($0.role.rawValue):\n\($0.content)\n" }.joined(separator: "\n") }

    // MARK: - Questions and answers

    /// Somebody asked something.
    public mutating func onQuestion(_ text: String) -> [Directive] {
        phase = .asking(text)
        partialAnswer = ""
        partialReasoning = ""
        return [.send]
    }

    /// A piece of the answer came.
    public mutating func onText(_ text: String) { partialAnswer += text }

    /// A piece of what the model thinks before it answers came.
    public mutating func onReasoning(_ text: String) { partialReasoning += text }

    /// The answer is there. `maxTokens` is what it was limited to, if it was.
    public mutating func onAnswer(_ answer: Answer, maxTokens: Int?) -> [Directive] {
        guard case .asking(let question) = phase else { return [] }
        turns.append(Turn(question: question, answer: answer.text, reasoning: answer.reasoning))
        phase = .idle
        contextTokens = answer.usage?.totalTokens
        guard answer.isCut else { return answer.text.isEmpty ? [.say("the answer is empty")] : [] }
        if let maxTokens, (answer.usage?.completionTokens ?? maxTokens) >= maxTokens {
            return [.say("cut at max-tokens \(maxTokens); ask it to go on, or '/set max-tokens …'")]
        }
        let count = leaveOutOldest()
        guard count > 0 else { return [.say("cut: the model's context is full; '/new' begins anew")] }
        return [.say("cut: the model's context is full; from now on \(Self.oldest(count)) left out")]
    }

    /// There is no answer, or no whole one.
    public mutating func onFailure(_ failure: GatewayFailure) -> [Directive] {
        guard case .asking(let question) = phase else { return [] }
        if failure == .interrupted { return onInterruption(question) }
        if failure.isRefusal(code: GatewayFailure.contextExceededCode) {
            let count = leaveOutOldest()
            if count > 0 {
                return [
                    .say("the conversation is longer than the model's context: \(Self.oldest(count)) left out"), .send,
                ]
            }
        }
        if waitsUntilReady, let reason = failure.unavailability { return [.wait(reason: reason)] }
        phase = .failed(question)
        return [.warn("\(failure)"), .say("/retry sends your message again")]
    }

    /// The cluster can generate again.
    public func onReady() -> [Directive] {
        if case .asking = phase { [.send] } else { [] }
    }

    private mutating func onInterruption(_ question: String) -> [Directive] {
        guard !partialAnswer.isEmpty else {
            phase = .failed(question)
            return [.say("stopped; /retry sends your message again")]
        }
        turns.append(Turn(question: question, answer: partialAnswer, reasoning: partialReasoning))
        phase = .idle
        return [.say("stopped; /undo forgets this turn, /retry asks again")]
    }

    // MARK: - Commands

    /// Ask the last question again.
    public mutating func onRetry() -> [Directive] {
        switch phase {
        case .asking: return []
        case .failed(let question): return onQuestion(question)
        case .idle:
            guard let last = forgetLast() else { return [.say("there is nothing to send again")] }
            return onQuestion(last.question)
        }
    }

    /// Forget the last question, and its answer if there is one.
    public mutating func onUndo() -> [Directive] {
        if case .failed = phase {
            phase = .idle
            return [.say("the message without an answer is forgotten")]
        }
        guard forgetLast() != nil else { return [.say("there is nothing to forget")] }
        return [
            .say(turns.isEmpty ? "forgotten; that was the first turn" : "forgotten; \(Self.count(turns.count)) left")
        ]
    }

    /// Forget everything but what the model is told before everything else.
    public mutating func onNew() -> [Directive] {
        self = Conversation(system: system, waitsUntilReady: waitsUntilReady)
        return [.say("a new conversation")]
    }

    private mutating func forgetLast() -> Turn? {
        guard let last = turns.popLast() else { return nil }
        leftOutCount = min(leftOutCount, turns.count)
        contextTokens = nil
        return last
    }

    /// Leaves out the older half of the turns that the model sees, so that the next few fit without leaving out more.
    private mutating func leaveOutOldest() -> Int {
        let visibleCount = turns.count - leftOutCount
        let count = (visibleCount + 1) / 2
        leftOutCount += count
        return count
    }

    private static func oldest(_ count: Int) -> String {
        count == 1 ? "the oldest turn is" : "the oldest \(count) turns are"
    }

    private static func count(_ turns: Int) -> String { turns == 1 ? "1 turn is" : "\(turns) turns are" }
}
