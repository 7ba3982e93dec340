/// Prints an answer as it comes, with what is thought before it above.
struct AnswerPrinter {
    private let terminal: Terminal
    private var isThinking = false
    private var last: Character?

    init(_ terminal: Terminal) { self.terminal = terminal }

    /// Whether anything was printed.
    var hasPrinted: Bool { last != nil }

    /// Whether the terminal shows a part of a line.
    var isWithinLine: Bool { last != nil && last != "\n" }

    /// Prints a piece of reasoning; nothing where only answers are wanted.
    mutating func onReasoning(_ piece: String) {
        guard terminal.outputIsTerminal else { return }
        if !isThinking { terminal.writeReasoning("thinking:\n") }
        isThinking = true
        terminal.writeReasoning(piece)
        last = piece.last
    }

    /// Prints a piece of the answer.
    mutating func onText(_ piece: String) {
        if isThinking { terminal.write(isWithinLine ? "\n\n" : "\n") }
        isThinking = false
        terminal.writeAnswer(piece)
        last = piece.last
    }
}
