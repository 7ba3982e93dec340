import GatewayClient
import Testing

/// What is shown beside answers.
@Suite struct DisplayTests {
    private func answer(tokens: Int?, first: Double?, seconds: Double) -> Answer {
        var answer = Answer()
        answer.usage = tokens.map { TokenUsage(promptTokens: 3, completionTokens: $0) }
        answer.secondsToFirstText = first
        answer.seconds = seconds
        return answer
    }

    @Test func statistics() {
        #expect(
            answer(tokens: 42, first: 0.123, seconds: 1.29).statistics == "42 tokens, first after 0.12 s, 35.1 tokens/s"
        )
        #expect(
            answer(tokens: 401, first: 0.5, seconds: 2.5).statistics == "401 tokens, first after 0.50 s, 200 tokens/s")
        #expect(answer(tokens: 1, first: 0.05, seconds: 0.051).statistics == "1 token, first after 0.05 s")
        // Between the first and the last piece there is nothing to measure.
        #expect(
            answer(tokens: 9, first: 0.05, seconds: 0.06).statistics
                == "9 tokens, first after 0.05 s, 150 tokens/s in all")
        #expect(answer(tokens: 0, first: nil, seconds: 0.007).statistics == "0 tokens")
        #expect(answer(tokens: nil, first: 1, seconds: 10).statistics == "10.00 s")
    }

    @Test func totals() {
        var totals = ChatTotals()
        #expect(totals.lines(contextTokens: nil, contextTokensMax: nil) == ["0 answers: 0 prompt tokens, 0 generated"])
        totals.add(answer(tokens: 4, first: 0.5, seconds: 1.5))
        totals.add(answer(tokens: 5, first: 0.5, seconds: 2.5))
        #expect(
            totals.lines(contextTokens: 12, contextTokensMax: 2048) == [
                "2 answers: 6 prompt tokens, 9 generated", "last answer: 5 tokens, first after 0.50 s, 2.0 tokens/s",
                "context: 12 of 2048 tokens",
            ])
    }

    @Test func aTerminalsLineIsWrittenOver() {
        var line = StatusLine(terminalColumns: 20)
        #expect(line.end() == "")
        #expect(line.show("loading: 10 %", atMilliseconds: 0) == "\r\u{1B}[Kloading: 10 %")
        #expect(line.show("loading: 10 %", atMilliseconds: 250) == "")
        #expect(line.show("loading: 20 %, and 7 minutes left", atMilliseconds: 500) == "\r\u{1B}[Kloading: 20 %, and ")
        #expect(line.end() == "\r\u{1B}[K")
        #expect(line.end() == "")
    }

    @Test func elsewhereALineComesNowAndThen() {
        var line = StatusLine(terminalColumns: nil)
        #expect(line.show("loading: 10 %", atMilliseconds: 0) == "loading: 10 %\n")
        #expect(line.show("loading: 20 %", atMilliseconds: 4999) == "")
        #expect(line.show("loading: 30 %", atMilliseconds: 5000) == "loading: 30 %\n")
        #expect(line.show("loading: 30 %", atMilliseconds: 20_000) == "")
        #expect(line.end() == "")
    }

    @Test func answersCannotCommandATerminal() {
        #expect(TerminalText.harmless("a\tb\nc ä✓🙂") == "a\tb\nc ä✓🙂")
        #expect(TerminalText.harmless("a\u{1B}[2Jb\u{9B}1mc\rd\u{7}\u{0}\u{7F}") == "a[2Jb1mcd")
        // Line end and carriage return are one character to Swift.
        #expect(TerminalText.harmless("a\r\nb") == "a\nb")
    }
}
