public import Basics

/// Turns tokens into text one at a time. A token may hold a part of a character: its bytes are held back until the
/// rest arrives, or until it is certain that it never will, and U+FFFD stands for what is not UTF-8. All pieces
/// together are what `BPETokenizer.decode` makes of all tokens at once.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: BPETokenizer
    private let skipsSpecialTokens: Bool
    private let kept: Set<TokenID>
    private var pending: [UInt8] = []
    /// Spaces that may still be taken off the beginning.
    private var leadingSpaceCount: Int

    /// Starts a text.
    /// - Parameters:
    ///   - skipSpecialTokens: whether special tokens leave no text.
    ///   - kept: special tokens that leave text all the same.
    ///   - continuesText: whether the tokens go on with a text, so that a space at their beginning separates words.
    public init(
        _ tokenizer: BPETokenizer, skipSpecialTokens: Bool, kept: Set<TokenID> = [], continuesText: Bool = false
    ) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
        self.kept = kept
        leadingSpaceCount = continuesText ? 0 : tokenizer.decoder.leadingSpaceCount
    }

    /// Whether bytes are held back: the text breaks off within a character.
    public var isWithinCharacter: Bool { !pending.isEmpty }

    /// The text that this token completes, often all of its own, sometimes none.
    public mutating func append(_ token: TokenID) -> String {
        if skipsSpecialTokens, tokenizer.isSpecial(token), !kept.contains(token) { return "" }
        pending += tokenizer.bytes(of: token) ?? []
        removeLeadingSpaces()
        let heldBack = UTF8Tail.incompleteByteCount(of: pending)
        let text = tokenizer.decoder.text(of: pending.dropLast(heldBack))
        pending.removeFirst(pending.count - heldBack)
        return text
    }

    private mutating func removeLeadingSpaces() {
        while leadingSpaceCount > 0, let first = pending.first {
            guard first == UInt8(ascii: " ") else {
                leadingSpaceCount = 0
                return
            }
            pending.removeFirst()
            leadingSpaceCount -= 1
        }
    }

    /// What was held back, as U+FFFD; the next token starts a new text.
    public mutating func finish() -> String {
        defer {
            pending = []
            leadingSpaceCount = tokenizer.decoder.leadingSpaceCount
        }
        return tokenizer.decoder.text(of: pending)
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

    /// How many bytes a character has that begins with `lead`; 1 for bytes that begin none.
    static func expectedByteCount(_ lead: UInt8) -> Int {
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
