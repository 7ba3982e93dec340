import ArgumentParser
import Basics
import Foundation
import GatewayClient
import Glibc

/// Carries a conversation between whoever types and the gateway.
final class ChatLoop {
    /// The end of the program before its time.
    enum Stop: Error {
        /// A message failed and nobody is there to try again.
        case failed
        case signal(Int32)

        /// A signal ends the program as if it were not caught, so that whoever started it sees what happened.
        func dieIfItWasASignal() -> ExitCode {
            guard case .signal(let number) = self else { return ExitCode.failure }
            Glibc.signal(number, SIG_DFL)
            kill(getpid(), number)
            return ExitCode(128 + number)
        }
    }

    private let connection: GatewayConnection
    private let terminal: Terminal
    /// Nil if nobody types: then nobody can stop an answer either.
    private let signals: SignalPipe?
    private let lines: any LineSource
    private let wait: ReadinessWait
    private var conversation: Conversation
    private var settings: GenerationSettings
    private var totals = ChatTotals()
    private var summary: ClusterSummary?
    private var isInteractive: Bool { signals != nil }

    init(
        connection: GatewayConnection, conversation: Conversation, settings: GenerationSettings, terminal: Terminal,
        signals: SignalPipe?, lines: any LineSource
    ) {
        self.connection = connection
        self.conversation = conversation
        self.settings = settings
        self.terminal = terminal
        self.signals = signals
        self.lines = lines
        wait = ReadinessWait(connection: connection, terminal: terminal, signals: signals)
    }

    /// Returns when whoever types wants to leave.
    func run() throws {
        try waitAtTheBeginning()
        summary = try? connection.summary()
        if isInteractive {
            if let summary { terminal.note("\(summary.text); gateway \(connection.address)") }
            terminal.note("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves\n")
        }
        var joiner = LineJoiner()
        while true {
            switch lines.next(prompt: joiner.isContinuing ? "… " : "> ") {
            case .end:
                if let text = joiner.end() { _ = try take(text) }
                return
            case .interrupted(let hadText):
                if !hadText, !joiner.isContinuing { terminal.note("Ctrl-D or /quit leaves") }
                joiner.clear()
            case .line(let line):
                guard let text = joiner.append(line) else { continue }
                guard try take(text) else { return }
            case .stopped(let number): throw Stop.signal(number)
            }
        }
    }

    /// Nothing has begun yet: here Ctrl-C ends the program.
    private func waitAtTheBeginning() throws {
        do {
            try terminal.withoutEcho { try wait.run(failsAtOnce: !conversation.waitsUntilReady) }
        } catch GatewayFailure.interrupted {
            throw Stop.signal(signals?.takeInterrupt() ?? SIGINT)
        }
    }

    /// Takes what was typed; false if it says to leave.
    private func take(_ text: String) throws -> Bool {
        switch ChatInput(text) {
        case .nothing: return true
        case .message(let message):
            lines.remember(text)
            try follow(conversation.onQuestion(message))
            separate()
        case .problem(let reason):
            lines.remember(text)
            terminal.warn(reason)
            if !isInteractive { throw Stop.failed }
        case .command(.quit): return false
        case .command(let command):
            lines.remember(text)
            try obey(command)
            separate()
        }
        return true
    }

    /// Room before the next prompt.
    private func separate() {
        if isInteractive { terminal.writeStatus("\n") }
    }

    // MARK: - Turns

    private func follow(_ directives: [Conversation.Directive]) throws {
        var directives = directives[...]
        while let directive = directives.popFirst() {
            switch directive {
            case .say(let text): terminal.note(text)
            case .send: directives += try send()
            case .wait: directives += try waitUntilReady()
            case .warn(let text):
                terminal.warn(text)
                if !isInteractive { throw Stop.failed }
            }
        }
    }

    private func send() throws -> [Conversation.Directive] {
        let request = GenerationRequest(prompt: .conversation(conversation.messages), settings: settings)
        var printer = AnswerPrinter(terminal)
        do throws(GatewayFailure) {
            let answer = try terminal.withoutEcho { () throws(GatewayFailure) in
                try connection.generate(
                    request,
                    onReasoning: { piece in
                        conversation.onReasoning(piece)
                        printer.onReasoning(piece)
                    },
                    onText: { piece in
                        conversation.onText(piece)
                        printer.onText(piece)
                    })
            }
            if printer.isWithinLine || answer.text.isEmpty { terminal.write("\n") }
            totals.add(answer)
            if isInteractive || terminal.errorIsTerminal { terminal.note(answer.statistics) }
            return conversation.onAnswer(answer, maxTokens: settings.maxTokens)
        } catch {
            if printer.isWithinLine { terminal.write("\n") }
            return try report(error)
        }
    }

    private func waitUntilReady() throws -> [Conversation.Directive] {
        do throws(GatewayFailure) {
            try terminal.withoutEcho { () throws(GatewayFailure) in try wait.run() }
            return conversation.onReady()
        } catch {
            return try report(error)
        }
    }

    private func report(_ failure: GatewayFailure) throws -> [Conversation.Directive] {
        if failure == .interrupted, let number = signals?.takeInterrupt(), number != SIGINT {
            throw Stop.signal(number)
        }
        // A script cannot try again: it gets the exit code that says why.
        if !isInteractive, case .unreachable = failure { throw failure }
        return conversation.onFailure(failure)
    }

    // MARK: - Commands

    private func obey(_ command: SlashCommand) throws {
        switch command {
        case .help: terminal.note(SlashCommand.explanation)
        case .new: try follow(conversation.onNew())
        case .quit: return
        case .retry: try follow(conversation.onRetry())
        case .save(let path): save(to: path)
        case .set(let name, let value): try set(name, to: value)
        case .settings: terminal.note(settings.lines.joined(separator: "\n"))
        case .stats: showStatistics()
        case .system: terminal.note(conversation.system ?? "nothing; '/system TEXT' sets it")
        case .tell(let text):
            conversation.system = text
            terminal.note(text == nil ? "the model is told nothing in advance" : "the model is told so from now on")
        case .undo: try follow(conversation.onUndo())
        }
    }

    private func set(_ name: String, to value: String) throws {
        do throws(GenerationSettings.Problem) {
            try settings.set(named: name, to: value)
            terminal.note("\(name) is \(value) from now on")
        } catch {
            terminal.warn("\(error)")
            if !isInteractive { throw Stop.failed }
        }
    }

    private func showStatistics() {
        // The cluster may have changed meanwhile; if it does not answer, the turn that comes will say so.
        if let found = try? connection.summary() { summary = found }
        if let summary { terminal.note(summary.text) }
        let lines = totals.lines(
            contextTokens: conversation.contextTokens, contextTokensMax: summary?.contextTokensMax)
        terminal.note(lines.joined(separator: "\n"))
    }

    private func save(to path: String) {
        let text =
            path.hasSuffix(".json")
            ? conversation.json.serialised(.indented) + "\n" : conversation.text
        let place = NSString(string: path).expandingTildeInPath
        do {
            try Data(text.utf8).write(to: URL(filePath: place), options: .atomic)
            terminal.note("written to \(place)")
        } catch {
            terminal.warn("cannot write \(place): \(error.localizedDescription)")
        }
    }
}
