import Basics

/// One entry of `added_tokens`: text that is a token of its own, before anything else is looked at.
struct AddedToken: Sendable {
    let id: TokenNumber
    let content: [UInt8]
    /// Takes the white space before it along.
    let stripsLeft: Bool
    /// Takes the white space behind it along.
    let stripsRight: Bool
    /// Only counts where no letter, digit or underscore touches it.
    let isSingleWord: Bool
    /// Is looked for in the normalised text, itself normalised.
    let isNormalised: Bool
    let isSpecial: Bool
}

/// Finds added tokens in text: the leftmost first, of those the longest.
struct AddedTokenMatcher: Sendable {
    /// A node of a trie over bytes.
    private struct Node: Sendable {
        var children: [UInt8: Int32] = [:]
        var token: Int32 = -1
    }

    private var nodes: [Node] = [Node()]
    private var tokens: [AddedToken] = []
    private var startsToken = [Bool](repeating: false, count: 256)

    /// Nothing is found where there are no tokens.
    var isEmpty: Bool { tokens.isEmpty }

    /// Adds a token that is found as `content`; of equal contents the first stays.
    mutating func insert(_ token: AddedToken, content: [UInt8]) {
        guard let first = content.first else { return }
        startsToken[Int(first)] = true
        var node = 0
        for byte in content {
            if let child = nodes[node].children[byte] {
                node = Int(child)
            } else {
                nodes.append(Node())
                nodes[node].children[byte] = Int32(nodes.count - 1)
                node = nodes.count - 1
            }
        }
        guard nodes[node].token < 0 else { return }
        nodes[node].token = Int32(tokens.count)
        tokens.append(token)
    }

    /// A part of the text: an added token, or text between such.
    struct Section: Equatable {
        let range: Range<Int>
        let token: TokenNumber?
    }

    /// Cuts the text at its added tokens; sections are in order.
    func sections(of text: [UInt8]) -> [Section] {
        guard !text.isEmpty else { return [] }
        guard !isEmpty else { return [Section(range: 0..<text.count, token: nil)] }
        var sections: [Section] = []
        var covered = 0
        var index = 0
        while index < text.count {
            guard startsToken[Int(text[index])], let (token, end) = longestMatch(text, at: index) else {
                index += 1
                continue
            }
            let match = index..<end
            index = end
            guard let range = extended(match, token, text, covered: covered) else { continue }
            if covered < range.lowerBound { sections.append(Section(range: covered..<range.lowerBound, token: nil)) }
            sections.append(Section(range: range, token: token.id))
            covered = range.upperBound
        }
        if covered < text.count { sections.append(Section(range: covered..<text.count, token: nil)) }
        return sections
    }

    private func longestMatch(_ text: [UInt8], at start: Int) -> (token: AddedToken, end: Int)? {
        var node = 0
        var best: (token: AddedToken, end: Int)?
        var index = start
        while index < text.count, let child = nodes[node].children[text[index]] {
            node = Int(child)
            index += 1
            if nodes[node].token >= 0 { best = (tokens[Int(nodes[node].token)], index) }
        }
        return best
    }

    /// The match with the white space that belongs to it; nil if it must be a word of its own and is not.
    private func extended(_ match: Range<Int>, _ token: AddedToken, _ text: [UInt8], covered: Int) -> Range<Int>? {
        if token.isSingleWord {
            if let scalar = ScalarScan.scalar(endingAt: match.lowerBound, of: text), scalar.isWordScalar { return nil }
            if let scalar = ScalarScan.scalar(startingAt: match.upperBound, of: text), scalar.isWordScalar {
                return nil
            }
        }
        var start = match.lowerBound
        var end = match.upperBound
        if token.stripsLeft {
            while let scalar = ScalarScan.scalar(endingAt: start, of: text), scalar.properties.isWhitespace {
                start -= UTF8.width(scalar)
            }
            start = max(start, min(covered, match.lowerBound))
        }
        if token.stripsRight {
            while let scalar = ScalarScan.scalar(startingAt: end, of: text), scalar.properties.isWhitespace {
                end += UTF8.width(scalar)
            }
        }
        return start..<end
    }
}

/// Single scalars out of valid UTF-8.
private enum ScalarScan {
    static func scalar(startingAt index: Int, of text: [UInt8]) -> Unicode.Scalar? {
        guard index < text.count else { return nil }
        return String(decoding: text[index..<min(index + 4, text.count)], as: UTF8.self).unicodeScalars.first
    }

    static func scalar(endingAt end: Int, of text: [UInt8]) -> Unicode.Scalar? {
        guard end > 0 else { return nil }
        var start = end - 1
        while start > 0, UTF8.isContinuation(text[start]) { start -= 1 }
        return String(decoding: text[start..<end], as: UTF8.self).unicodeScalars.first
    }
}

extension Unicode.Scalar {
    /// Whether regular expressions call this a word character: letters, marks, decimal digits, connectors.
    fileprivate var isWordScalar: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
            .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
            true
        default: properties.isAlphabetic
        }
    }
}
