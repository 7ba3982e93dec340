/// Finds the first of several stop strings in text that arrives in pieces.
///
/// The match that *ends* first counts (of those, the longest), so the result does not depend on how the text was cut
/// into pieces. Text is held back only while it could be the beginning of a stop string. Works on bytes of UTF-8: a
/// stop string is whole characters, so a match always is too.
///
/// One Knuth-Morris-Pratt automaton per stop string: its state is how many of the string's bytes the text ends with,
/// so the longest state is exactly what must be held back, and a byte costs a few steps however long the strings are.
public struct StopStringMatcher: Sendable {
    private struct Automaton: Sendable {
        let bytes: [UInt8]
        /// For each count of matched bytes, the longest shorter match that the text also ends with.
        let fallback: [Int]
        var matchedCount = 0

        init(_ string: String) {
            bytes = Array(string.utf8)
            var fallback = [Int](repeating: 0, count: bytes.count + 1)
            var length = 0
            for position in 1..<max(bytes.count, 1) {
                while length > 0, bytes[length] != bytes[position] { length = fallback[length] }
                if bytes[length] == bytes[position] { length += 1 }
                fallback[position + 1] = length
            }
            self.fallback = fallback
        }

        /// Takes one byte; true if the text now ends with the whole string.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matchedCount > 0, bytes[matchedCount] != byte { matchedCount = fallback[matchedCount] }
            if bytes[matchedCount] == byte { matchedCount += 1 }
            return matchedCount == bytes.count
        }
    }

    private var automata: [Automaton]
    private var held: [UInt8] = []
    /// Whether a stop string was found; everything after it is ignored.
    public private(set) var isMatched = false

    /// How many Unicode scalars are held back.
    public var heldScalarCount: Int { held.reduce(0) { $0 + (UTF8.isContinuation($1) ? 0 : 1) } }

    /// Looks for `stopStrings`; empty ones are ignored.
    public init(_ stopStrings: [String]) {
        automata = stopStrings.filter { !$0.isEmpty }.map(Automaton.init)
    }

    /// Takes the next piece and returns the text that is certain to belong to the answer.
    public mutating func append(_ piece: String) -> String {
        if isMatched { return "" }
        if automata.isEmpty { return piece }
        for byte in piece.utf8 {
            held.append(byte)
            var matchLength = 0
            for index in automata.indices where automata[index].advance(byte) {
                matchLength = max(matchLength, automata[index].bytes.count)
            }
            if matchLength > 0 {
                isMatched = true
                return release(held.count - matchLength)
            }
        }
        return release(held.count - (automata.map(\.matchedCount).max() ?? 0))
    }

    /// The text ends here: returns what was held back, unless a stop string was found.
    public mutating func finish() -> String {
        isMatched ? "" : release(held.count)
    }

    private mutating func release(_ count: Int) -> String {
        let text = String(decoding: held[..<count], as: UTF8.self)
        held.removeFirst(count)
        return text
    }
}
