import ArgumentParser
import Foundation
import GatewayClient

/// `clusterctl generate "…"`: asks the gateway to continue a text or to answer a message, and prints what comes.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Generates text through the gateway and prints it as it comes.",
        discussion: """
            The text is a message to the model, or, with --raw (and with models that have no chat template), the \
            beginning of a text that the model continues. Without a text, standard input is read. While the cluster \
            loads, it waits and shows how far it is.

            Exit codes: 0 done, 1 the cluster said no, 2 bad usage, 3 cannot reach the cluster.
            """)

    @Argument(help: "The message or the text to continue.")
    var text: String?

    @OptionGroup var arguments: GenerationArguments

    @Option(help: "Most tokens to generate.")
    var maxTokens: Int = 256

    @Flag(help: "Whether the text is a message (--chat) or the beginning of a text (--raw).")
    var form: Form?

    @Flag(inversion: .prefixedNo, help: "Print the text as it comes instead of all at once.")
    var stream = true

    @Flag(
        inversion: .prefixedNo,
        help: "Tokens and speed, on standard error. (default: if standard output and error are a terminal)")
    var stats: Bool?

    /// How the text is meant.
    enum Form: String, EnumerableFlag {
        case chat, raw
    }

    func validate() throws {
        _ = try arguments.settings(maxTokens: maxTokens)
        if form == .raw, arguments.system != nil { throw ValidationError("--system is for messages, not for --raw") }
    }

    func run() throws {
        let terminal = Terminal()
        try reportingGateway("generate") {
            let connection = try arguments.connect()
            let text = try text ?? readStandardInput(terminal)
            let wait = ReadinessWait(connection: connection, terminal: terminal, signals: nil)
            try wait.run(failsAtOnce: arguments.doesNotWait)
            do throws(GatewayFailure) {
                try ask(connection, text, form ?? .chat, terminal)
            } catch {
                guard form == nil, error.isRefusal(code: GatewayFailure.noChatTemplateCode) else { throw error }
                try ask(connection, text, .raw, terminal)
            }
        }
    }

    private func readStandardInput(_ terminal: Terminal) throws -> String {
        if terminal.inputIsTerminal { terminal.note("type the message, Ctrl-D ends it") }
        let data = FileHandle.standardInput.readDataToEndOfFile()
        guard let text = String(validating: data, as: UTF8.self), !text.isEmpty else {
            FileHandle.standardError.write(
                Data("clusterctl generate: give a text, as an argument or on standard input, in UTF-8\n".utf8))
            throw ExitCode(2)
        }
        return text
    }

    private func ask(
        _ connection: GatewayConnection, _ text: String, _ form: Form, _ terminal: Terminal
    ) throws(GatewayFailure) {
        var messages = arguments.system.map { [ChatMessage(.system, $0)] } ?? []
        messages.append(ChatMessage(.user, text))
        // The settings were checked with the rest of the command line.
        let settings = (try? arguments.settings(maxTokens: maxTokens)) ?? GenerationSettings()
        let request = GenerationRequest(
            prompt: form == .chat ? .conversation(messages) : .text(text), settings: settings, streams: stream)
        var printer = AnswerPrinter(terminal)
        let answer: Answer
        do throws(GatewayFailure) {
            answer = try connection.generate(
                request, onReasoning: { printer.onReasoning($0) }, onText: { printer.onText($0) })
        } catch {
            if printer.hasPrinted { terminal.write("\n") }
            throw error
        }
        terminal.write("\n")
        if stats ?? (terminal.outputIsTerminal && terminal.errorIsTerminal) { terminal.note(answer.statistics) }
    }
}
