import Basics
import CEditLine
import Foundation
import GatewayClient
import Glibc

/// Lines typed on a terminal, edited with libedit.
///
/// libedit asks us for every key (`nextKey`), so that we can wait for keys and signals at once. Ctrl-C becomes an Enter
/// key whose line is dropped: that way libedit leaves line and terminal in order.
final class LineEditor: LineSource {
    private let editor: OpaquePointer
    private let lines: OpaquePointer?
    private let historyPath: String
    private let terminal: Terminal
    private let input: InputBytes
    private var decoder = KeyDecoder()
    private var keys: [Unicode.Scalar] = []
    private var interruption: TypedInput?
    /// What libedit's prompt function gives, which has to stay where it is.
    private var prompt = strdup("")

    /// An editor that remembers lines in `historyPath`; nil without memory.
    init?(terminal: Terminal, signals: SignalPipe, historyPath: String) {
        Self.useUnicode()
        guard let editor = colony_edit_open("clusterctl") else { return nil }
        self.editor = editor
        self.terminal = terminal
        self.historyPath = historyPath
        input = InputBytes(signals: signals)
        lines = history_init()
        colony_edit_set_context(editor, Unmanaged.passUnretained(self).toOpaque())
        colony_edit_set_prompt(editor, givePrompt)
        colony_edit_set_reader(editor, readKey)
        bindKeys()
        if let lines {
            colony_history_prepare(lines, Int32(Limits.GatewayClient.historyLinesMax))
            _ = colony_history_load(lines, historyPath)
            colony_edit_use_history(editor, lines)
        }
    }

    deinit {
        el_end(editor)
        if let lines { history_end(lines) }
        free(prompt)
    }

    func next(prompt text: String) -> TypedInput {
        free(prompt)
        prompt = strdup(text)
        interruption = nil
        // The terminal may have another size than last time.
        el_resize(editor)
        terminal.write(KeyDecoder.enablePasteBrackets)
        defer { terminal.write(KeyDecoder.disablePasteBrackets) }
        var count: Int32 = 0
        let line = el_gets(editor, &count)
        if let interruption { return interruption }
        guard let line, count > 0 else {
            terminal.write("\n")
            return .end
        }
        let text = String(cString: line)
        return .line(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    func remember(_ text: String) {
        guard let lines else { return }
        colony_history_add(lines, text)
        // libedit makes the file readable for its owner only. Where it cannot be written there is no history next time.
        _ = colony_history_save(lines, historyPath)
    }

    fileprivate var promptText: UnsafeMutablePointer<CChar>? { prompt }

    /// The next key; nil if there will be no more.
    fileprivate func nextKey() -> Unicode.Scalar? {
        // Whatever state the editor is in, an Enter key or two end the line.
        if interruption != nil { return "\n" }
        while keys.isEmpty {
            switch input.next() {
            case .bytes(let bytes): keys = decoder.append(bytes)
            case .end: return nil
            case .redraw: redraw()
            case .signal(SIGINT):
                interruption = .interrupted(hadText: hasText)
                return "\n"
            case .signal(let number):
                interruption = .stopped(number)
                return "\n"
            }
        }
        return keys.removeFirst()
    }

    /// The terminal has another size, or another program had it meanwhile.
    private func redraw() {
        terminal.write("\r\u{1B}[J")
        el_resize(editor)
        colony_edit_prepare_terminal(editor, true)
        terminal.write(KeyDecoder.enablePasteBrackets)
        colony_edit_refresh(editor)
    }

    private var hasText: Bool {
        guard let line = el_line(editor) else { return false }
        return line.pointee.lastchar > line.pointee.buffer
    }

    private func bindKeys() {
        colony_edit_use_emacs_keys(editor)
        // The user's own ~/.editrc.
        el_source(editor, nil)
        colony_edit_add_function(editor, "colony-line-break", "Inserts a line break", insertLineBreak)
        for keys in ["^^", "\\e^M", "\\e^J"] { colony_edit_bind(editor, keys, "colony-line-break") }
        colony_edit_bind(editor, "^R", "em-inc-search-prev")
        // Home, End and Delete, and words with Ctrl, as most terminals send them.
        let others = [
            "\\e[1~": "ed-move-to-beg", "\\e[4~": "ed-move-to-end", "\\e[3~": "ed-delete-next-char",
            "\\e[1;5C": "em-next-word", "\\e[1;5D": "ed-prev-word",
        ]
        for (keys, function) in others { colony_edit_bind(editor, keys, function) }
    }

    /// libedit counts characters and columns by the locale; one without UTF-8 would break everything but English.
    private static func useUnicode() {
        setlocale(LC_CTYPE, "")
        if let name = nl_langinfo(Int32(CODESET)), String(cString: name) == "UTF-8" { return }
        setlocale(LC_CTYPE, "C.UTF-8")
    }
}

/// The editor that libedit calls for.
private func lineEditor(_ editor: OpaquePointer?) -> LineEditor? {
    colony_edit_context(editor).map { Unmanaged<LineEditor>.fromOpaque($0).takeUnretainedValue() }
}

private func givePrompt(_ editor: OpaquePointer?) -> UnsafeMutablePointer<CChar>? {
    lineEditor(editor)?.promptText
}

private func readKey(_ editor: OpaquePointer?, _ key: UnsafeMutablePointer<wchar_t>?) -> Int32 {
    guard let next = lineEditor(editor)?.nextKey() else { return 0 }
    key?.pointee = wchar_t(next.value)
    return 1
}

private func insertLineBreak(_ editor: OpaquePointer?, _ key: Int32) -> UInt8 {
    el_insertstr(editor, "\n") == 0 ? UInt8(CC_REFRESH) : UInt8(CC_ERROR)
}
