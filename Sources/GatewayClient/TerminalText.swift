/// Text for terminals.
public enum TerminalText {
    /// The text without what a terminal would obey: control characters other than line ends and tabs. A model may
    /// write anything, and nobody wants their terminal reprogrammed by an answer.
    public static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isCommand) else { return text }
        var kept = String.UnicodeScalarView()
        kept.append(contentsOf: text.unicodeScalars.lazy.filter { !isCommand($0) })
        return String(kept)
    }

    private static func isCommand(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        default: false
        }
    }
}
