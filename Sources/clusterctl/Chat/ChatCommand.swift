import ArgumentParser
import Foundation
import GatewayClient
import Glibc

/// `clusterctl chat`: a conversation with the model.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talks with the model: questions, answers as they come, and commands such as /help.",
        discussion: """
            On a terminal: Ctrl-C stops an answer, Ctrl-D or /quit leaves, /help lists the commands. When standard \
            input is no terminal, each of its lines is a message, and only the answers go to standard output; the \
            first that fails ends it. While the cluster loads, it waits and shows how far it is.

            Exit codes: 0 done, 1 the cluster said no, 2 bad usage, 3 cannot reach the cluster.
            """)

    @OptionGroup var arguments: GenerationArguments

    @Option(help: "Most tokens of an answer. (default: to the end of the model's context)")
    var maxTokens: Int?

    func validate() throws { _ = try arguments.settings(maxTokens: maxTokens) }

    func run() throws {
        let terminal = Terminal()
        // Without a terminal Ctrl-C ends the program, as it ends any.
        let signals = terminal.inputIsTerminal ? SignalPipe() : nil
        try reportingGateway("chat") {
            let loop = ChatLoop(
                connection: try arguments.connect(interruptDescriptor: signals?.interruptDescriptor),
                conversation: Conversation(system: arguments.system, waitsUntilReady: !arguments.doesNotWait),
                settings: try arguments.settings(maxTokens: maxTokens), terminal: terminal, signals: signals,
                lines: lineSource(terminal, signals))
            do {
                try loop.run()
            } catch let stop as ChatLoop.Stop {
                throw stop.dieIfItWasASignal()
            }
        }
    }

    private func lineSource(_ terminal: Terminal, _ signals: SignalPipe?) -> any LineSource {
        guard let signals else { return PlainLines(signals: nil) { _ in } }
        let directory = StateDirectory(arguments.state).path
        if terminal.outputIsTerminal, terminal.isCapable {
            try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let editor = LineEditor(terminal: terminal, signals: signals, historyPath: directory + "/chat-history")
            if let editor { return editor }
        }
        return PlainLines(signals: signals) { terminal.writeStatus($0) }
    }
}
