/// Turns the bytes of a terminal into the characters for a line editor.
///
/// A terminal that was asked to brackets what is pasted, `ESC [ 200 ~` … `ESC [ 201 ~`. In there a line end is part of
/// the text and not the Enter key, so it becomes `lineBreakKey`, and other control characters are dropped.
public struct KeyDecoder: Sendable {
    /// The control character that the line editor is told to take for "insert a line break": Ctrl-^.
    public static let lineBreakKey = Unicode.Scalar(0x1E as UInt8)
    /// Asks a terminal to bracket what is pasted.
    public static let enablePasteBrackets = "\u{1B}[?2004h"
    /// Takes that back.
    public static let disablePasteBrackets = "\u{1B}[?2004l"

    private static let pasteBegin = Array("\u{1B}[200~".unicodeScalars)
    private static let pasteEnd = Array("\u{1B}[201~".unicodeScalars)

    private var undecoded: [UInt8] = []
    private var held: [Unicode.Scalar] = []
    private var isPasting = false
    private var isAfterReturn = false

    /// Nothing typed yet.
    public init() {}

    /// Takes bytes; gives the characters that are complete.
    public mutating func append(_ bytes: some Sequence<UInt8>) -> [Unicode.Scalar] {
        undecoded += bytes
        let end = undecoded.count - Self.incompleteCount(undecoded)
        let text = String(decoding: undecoded[..<end], as: UTF8.self)
        undecoded.removeFirst(end)
        return text.unicodeScalars.flatMap { take($0) }
    }

    /// A bracket comes as six characters; those that may still become one are held back.
    private mutating func take(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        let bracket = isPasting ? Self.pasteEnd : Self.pasteBegin
        held.append(scalar)
        if held == bracket {
            held = []
            isPasting.toggle()
            isAfterReturn = false
            return []
        }
        if bracket.starts(with: held) { return [] }
        let released = held.dropLast()
        held = []
        // Only an escape begins a bracket: the last character may begin the next one.
        if !released.isEmpty, scalar == bracket[0] { return released.compactMap { key($0) } + take(scalar) }
        return (released + [scalar]).compactMap { key($0) }
    }

    /// What a character stands for; nil if nothing.
    private mutating func key(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        guard isPasting else { return scalar }
        defer { isAfterReturn = scalar == "\r" }
        switch scalar {
        case "\n": return isAfterReturn ? nil : Self.lineBreakKey
        case "\r": return Self.lineBreakKey
        case "\t": return " "
        default: return scalar.value < 0x20 || scalar.value == 0x7F ? nil : scalar
        }
    }

    /// How many bytes at the end begin a character that is not complete yet.
    private static func incompleteCount(_ bytes: [UInt8]) -> Int {
        for (count, byte) in bytes.reversed().prefix(3).enumerated() where byte & 0xC0 != 0x80 {
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return count + 1 < length ? count + 1 : 0
        }
        return 0
    }
}
