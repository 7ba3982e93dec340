import Basics
import GatewayClient
import Testing

/// What a chat does next, whatever happens.
@Suite struct ConversationTests {
    private func answer(_ text: String, finish: String = "stop", tokens: Int = 10) -> Answer {
        var answer = Answer()
        answer.text = text
        answer.finishReason = finish
        answer.usage = TokenUsage(promptTokens: 5, completionTokens: tokens)
        return answer
    }

    /// A conversation of turns a1/b1, a2/b2, …
    private func conversation(turns: Int, waitsUntilReady: Bool = true) -> Conversation {
        var conversation = Conversation(system: "be brief", waitsUntilReady: waitsUntilReady)
        for index in 1..<(turns + 1) {
            #expect(conversation.onQuestion("a\(index)") == [.send])
            #expect(conversation.onAnswer(answer("b\(index)"), maxTokens: nil) == [])
        }
        return conversation
    }

    private let unavailable = GatewayFailure.refused(status: 503, code: "unavailable", message: "loading: 40 %")
    private let tooLong = GatewayFailure.refused(status: 400, code: "context_length_exceeded", message: "too long")

    @Test func theModelSeesWhatWasSaid() {
        var conversation = conversation(turns: 2)
        _ = conversation.onQuestion("a3")
        #expect(
            conversation.messages == [
                ChatMessage(.system, "be brief"), ChatMessage(.user, "a1"), ChatMessage(.assistant, "b1"),
                ChatMessage(.user, "a2"), ChatMessage(.assistant, "b2"), ChatMessage(.user, "a3"),
            ])
        #expect(conversation.contextTokens == 15)
    }

    @Test func whatItThoughtStaysWithItsAnswer() throws {
        var conversation = Conversation()
        _ = conversation.onQuestion("a1")
        var first = answer("b1")
        first.reasoning = "r1"
        _ = conversation.onAnswer(first, maxTokens: nil)
        _ = conversation.onQuestion("a2")
        conversation.onReasoning("r2")
        conversation.onText("b2")
        _ = conversation.onFailure(.interrupted)
        #expect(conversation.turns.map(\.reasoning) == ["r1", "r2"])
        #expect(conversation.messages[1] == ChatMessage(.assistant, "b1", reasoning: "r1"))
        let messages = try #require(conversation.json["messages"]?.array)
        #expect(messages[1] == ["role": "assistant", "content": "b1", "reasoning_content": "r1"])
        #expect(messages[0]["reasoning_content"] == nil)
        // What it thought without coming to an answer is no turn.
        _ = conversation.onQuestion("a3")
        conversation.onReasoning("r3")
        _ = conversation.onFailure(.interrupted)
        #expect(conversation.turns.count == 2)
    }

    @Test func aStoppedAnswerStaysAsFarAsItCame() {
        var conversation = conversation(turns: 1)
        _ = conversation.onQuestion("a2")
        conversation.onText("half ")
        conversation.onText("an answer")
        #expect(conversation.onFailure(.interrupted).count == 1)
        #expect(conversation.turns.last == Conversation.Turn(question: "a2", answer: "half an answer"))
        // Asking again is asking without it.
        #expect(conversation.onRetry() == [.send])
        #expect(conversation.messages.count == 4 && conversation.messages.last == ChatMessage(.user, "a2"))
    }

    @Test func anAnswerStoppedBeforeItBeganLeavesNothing() {
        var conversation = conversation(turns: 1)
        _ = conversation.onQuestion("a2")
        #expect(conversation.onFailure(.interrupted) == [.say("stopped; /retry sends your message again")])
        #expect(conversation.turns.count == 1 && conversation.messages.count == 3)
        #expect(conversation.onRetry() == [.send])
        #expect(conversation.messages.last == ChatMessage(.user, "a2"))
    }

    @Test func aFailedTurnCanBeSentAgain() {
        var conversation = conversation(turns: 1)
        _ = conversation.onQuestion("a2")
        conversation.onText("half")
        let failure = GatewayFailure.brokenOff(reason: "worker-2 is gone")
        #expect(
            conversation.onFailure(failure)
                == [.warn("the answer broke off: worker-2 is gone"), .say("/retry sends your message again")])
        #expect(conversation.turns.count == 1)
        #expect(conversation.onRetry() == [.send])
        #expect(conversation.onAnswer(answer("b2"), maxTokens: nil) == [])
        #expect(conversation.turns.last == Conversation.Turn(question: "a2", answer: "b2"))
    }

    @Test func aClusterThatIsNotReadyIsWaitedFor() {
        var conversation = conversation(turns: 1)
        _ = conversation.onQuestion("a2")
        #expect(conversation.onFailure(unavailable) == [.wait(reason: "loading: 40 %")])
        #expect(conversation.onReady() == [.send])
        // Whoever stops waiting has not lost the message.
        #expect(conversation.onFailure(unavailable) == [.wait(reason: "loading: 40 %")])
        _ = conversation.onFailure(.interrupted)
        #expect(conversation.onReady() == [])
        #expect(conversation.onRetry() == [.send])
    }

    @Test func orNotIfThatIsWanted() {
        var conversation = conversation(turns: 0, waitsUntilReady: false)
        _ = conversation.onQuestion("a1")
        #expect(conversation.onFailure(unavailable).first == .warn("loading: 40 %"))
    }

    @Test func anErrorWithinTheAnswerIsNotWaitedFor() {
        var conversation = conversation(turns: 0)
        _ = conversation.onQuestion("a1")
        let failure = GatewayFailure.refused(status: nil, code: "unavailable", message: "worker-1 is gone")
        #expect(conversation.onFailure(failure).first == .warn("worker-1 is gone"))
    }

    @Test func theOldestTurnsAreLeftOutWhenTheContextIsFull() {
        var conversation = conversation(turns: 3)
        _ = conversation.onQuestion("a4")
        let note = "the conversation is longer than the model's context: the oldest 2 turns are left out"
        #expect(conversation.onFailure(tooLong) == [.say(note), .send])
        #expect(
            conversation.messages == [
                ChatMessage(.system, "be brief"), ChatMessage(.user, "a3"), ChatMessage(.assistant, "b3"),
                ChatMessage(.user, "a4"),
            ])
        #expect(conversation.onFailure(tooLong).last == .send)
        #expect(conversation.messages.count == 2)
        // There is nothing left to leave out: the message itself is too long.
        #expect(conversation.onFailure(tooLong).first == .warn("too long"))
        #expect(conversation.turns.count == 3, "what was said is still there to be saved")
    }

    @Test func anAnswerCutByTheContextMakesRoomForTheNext() {
        var conversation = conversation(turns: 3)
        _ = conversation.onQuestion("a4")
        let note = "cut: the model's context is full; from now on the oldest 2 turns are left out"
        #expect(conversation.onAnswer(answer("b4", finish: "length"), maxTokens: 100) == [.say(note)])
        #expect(conversation.leftOutCount == 2)
        _ = conversation.onQuestion("a5")
        #expect(conversation.messages.dropFirst().first == ChatMessage(.user, "a3"))
    }

    @Test func anAnswerCutByItsOwnLimitLeavesNothingOut() {
        var conversation = conversation(turns: 1)
        _ = conversation.onQuestion("a2")
        let directives = conversation.onAnswer(answer("b2", finish: "length", tokens: 10), maxTokens: 10)
        #expect(directives == [.say("cut at max-tokens 10; ask it to go on, or '/set max-tokens …'")])
        #expect(conversation.leftOutCount == 0)
    }

    @Test func undoAndNew() {
        var conversation = conversation(turns: 2)
        #expect(conversation.onUndo() == [.say("forgotten; 1 turn is left")])
        #expect(conversation.onUndo() == [.say("forgotten; that was the first turn")])
        #expect(conversation.onUndo() == [.say("there is nothing to forget")])
        #expect(conversation.onRetry() == [.say("there is nothing to send again")])
        conversation = self.conversation(turns: 2)
        _ = conversation.onQuestion("a3")
        _ = conversation.onFailure(.interrupted)
        #expect(conversation.onUndo() == [.say("the message without an answer is forgotten")])
        #expect(conversation.turns.count == 2)
        _ = conversation.onNew()
        #expect(conversation.messages == [ChatMessage(.system, "be brief")])
    }

    @Test func undoReachesTurnsThatWereLeftOut() {
        var conversation = conversation(turns: 2)
        _ = conversation.onQuestion("a3")
        _ = conversation.onFailure(tooLong)
        _ = conversation.onFailure(tooLong)
        #expect(conversation.leftOutCount == 2)
        _ = conversation.onFailure(.interrupted)
        for _ in 0..<3 { _ = conversation.onUndo() }
        #expect(conversation.turns.isEmpty && conversation.leftOutCount == 0)
    }

    @Test func isWrittenForPeopleAndPrograms() throws {
        let conversation = conversation(turns: 1)
        #expect(conversation.text == "system:\nbe brief\n\nuser:\na1\n\nassistant:\nb1\n")
        let messages = try #require(conversation.json["messages"]?.array)
        #expect(messages.map { $0["role"]?.string } == ["system", "user", "assistant"])
        #expect(messages.last?["content"]?.string == "b1")
    }
}
