/// Something that takes a while, told to people: on a terminal one line that is written over, elsewhere a line now and
/// then.
public struct StatusLine: Sendable {
    /// Elsewhere than on a terminal a changed text is worth a line after this time, in milliseconds.
    public static let lineIntervalMilliseconds = 5000

    private let terminalColumns: Int?
    private var shown: (text: String, milliseconds: Int)?

    /// A line that shows nothing yet. `terminalColumns` is the terminal's width, nil elsewhere than on a terminal.
    public init(terminalColumns: Int?) { self.terminalColumns = terminalColumns }

    /// What to write so that `text` is shown at this moment (milliseconds of any clock); empty if nothing.
    public mutating func show(_ text: String, atMilliseconds now: Int) -> String {
        if let shown {
            guard shown.text != text else { return "" }
            guard terminalColumns != nil || now - shown.milliseconds >= Self.lineIntervalMilliseconds else { return "" }
        }
        shown = (text, now)
        guard let terminalColumns else { return text + "\n" }
        // A line that wraps could not be written over.
        return Self.clearLine + text.prefix(max(1, terminalColumns - 1))
    }

    /// What to write when it is over: a terminal's line goes away.
    public mutating func end() -> String {
        defer { shown = nil }
        return terminalColumns != nil && shown != nil ? Self.clearLine : ""
    }

    private static let clearLine = "\r\u{1B}[K"
}
