import Foundation
import GatewayClient
import Glibc

/// Standard input, output and error, and which of them are a terminal.
struct Terminal {
    let inputIsTerminal = isatty(STDIN_FILENO) == 1
    let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    let errorIsTerminal = isatty(STDERR_FILENO) == 1
    /// Whether the terminal understands more than lines of text.
    let isCapable: Bool
    private let hasColor: Bool

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let kind = environment["TERM"] ?? ""
        isCapable = !kind.isEmpty && kind != "dumb"
        hasColor = isCapable && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Writes to standard output.
    func write(_ text: String) { Self.write(text, to: STDOUT_FILENO) }

    /// Writes an answer to standard output; a terminal gets nothing that it would obey.
    func writeAnswer(_ text: String) { write(outputIsTerminal ? TerminalText.harmless(text) : text) }

    /// Writes what is thought before an answer: dimly, and only to a terminal. Programs get answers alone.
    func writeReasoning(_ text: String) {
        guard outputIsTerminal else { return }
        let text = TerminalText.harmless(text)
        write(hasColor ? "\u{1B}[2m\(text)\u{1B}[0m" : text)
    }

    /// Tells something beside the matter, on standard error.
    func note(_ text: String) { Self.write(styled(text, "2") + "\n", to: STDERR_FILENO) }

    /// Tells that something went wrong, on standard error.
    func warn(_ text: String) { Self.write(styled(text, "31") + "\n", to: STDERR_FILENO) }

    /// Writes to standard error as it is.
    func writeStatus(_ text: String) { Self.write(text, to: STDERR_FILENO) }

    /// The width of the terminal that standard error is; nil if it is none that can write over a line.
    var statusColumns: Int? {
        guard errorIsTerminal, isCapable else { return nil }
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Runs `body` while the terminal does not show what is typed: it would end up in the middle of an answer.
    func withoutEcho<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        var before = termios()
        guard inputIsTerminal, tcgetattr(STDIN_FILENO, &before) == 0 else { return try body() }
        var quiet = before
        quiet.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet)
        defer { tcsetattr(STDIN_FILENO, TCSADRAIN, &before) }
        return try body()
    }

    private func styled(_ text: String, _ style: String) -> String {
        errorIsTerminal && hasColor ? "\u{1B}[\(style)m\(text)\u{1B}[0m" : text
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // Whoever read it is gone: there is nobody left to tell.
            guard count > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }
}
