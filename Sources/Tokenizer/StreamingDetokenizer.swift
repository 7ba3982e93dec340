public import Basics

/// Turns tokens into text one at a time. A token may hold a part of a character: its bytes are held back until the
/// rest arrives, or until it is certain that it never will, and U+FFFD stands for what is not UTF-8. All pieces
/// together are what `BPETokenizer.decode` makes of all tokens at once.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: BPETokenizer
    private let skipsSpecialTokens: Bool
    private var pending: [UInt8] = []

    /// Starts a text.
    /// - Parameter skipSpecialTokens: whether special tokens leave no text.
    public init(_ tokenizer: BPETokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
    }

    /// Whether bytes are held back: the text breaks off within a character.
    public var isWithinCharacter: Bool { !pending.isEmpty }

    /// The text that this token completes, often all of its own, sometimes none.
    public mutating func append(_ token: TokenID) -> String {
        if skipsSpecialTokens, tokenizer.isSpecial(token) { return "" }
        pending += tokenizer.bytes(of: token) ?? []
        let heldBack = UTF8Tail.incompleteByteCount(of: pending)
        let text = String(decoding: pending.dropLast(heldBack), as: UTF8.self)
        pending.removeFirst(pending.count - heldBack)
        return text
    }

    /// What was held back, as U+FFFD; the next token starts a new text.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }
}

/// Looks at the end of bytes that may break off within a character.
enum UTF8Tail {
    /// How many bytes at the end are the beginning of a character whose rest may still come: 0 to 3.
    static func incompleteByteCount(of bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let lead = bytes[bytes.count - count]
            guard !UTF8.isContinuation(lead) else { continue }
            let tail = bytes.suffix(count - 1)
            return count < expectedByteCount(lead) && isPossible(lead, second: tail.first) ? count : 0
        }
        return 0
    }

    private static func expectedByteCount(_ lead: UInt8) -> Int {
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    /// The second byte decides over overlong forms, surrogates and values beyond U+10FFFF.
    private static func isPossible(_ lead: UInt8, second: UInt8?) -> Bool {
        guard let second else { return true }
        switch lead {
        case 0xE0: return second >= 0xA0
        case 0xED: return second < 0xA0
        case 0xF0: return second >= 0x90
        case 0xF4: return second < 0x90
        default: return true
        }
    }
}
