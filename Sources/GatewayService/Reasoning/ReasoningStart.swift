import Basics

/// Where the prompt of a chat ends, as far as reasoning is concerned.
public enum ReasoningStart: Hashable, Sendable {
    /// In the text of an answer that is continued.
    case answer
    /// Before reasoning and answer.
    case outside
    /// Within reasoning: the template opened it, or it is continued.
    case reasoning

    /// Looks at the end of a rendered prompt. `continued` is the text of the last message, if that is continued.
    init(prompt: String, continued: String?, format: ReasoningFormat) {
        switch format {
        case .channels: self = Self.afterHeader(of: prompt)
        case .tags(let open, let close):
            self = Self.afterMark(prompt, continued: continued, open: Array(open.utf8), close: Array(close.utf8))
        }
    }

    private static func afterMark(
        _ prompt: String, continued: String?, open: [UInt8], close: [UInt8]
    ) -> ReasoningStart {
        let end = prompt.utf8.reversed().drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        if end.starts(with: open.reversed()) { return .reasoning }
        guard let continued, !end.starts(with: close.reversed()) else { return .outside }
        let text = Array(continued.utf8)
        guard let opened = text.lastIndex(of: open) else { return .answer }
        return opened > text.lastIndex(of: close) ?? -1 ? .reasoning : .answer
    }

    /// Within the last message's text, if that has begun.
    private static func afterHeader(of prompt: String) -> ReasoningStart {
        let text = Array(prompt.utf8)
        guard let start = text.lastIndex(of: Array("<|start|>".utf8)),
            let message = text.lastIndex(of: Array("<|message|>".utf8)), message > start
        else { return .outside }
        let header = Array(text[start..<message])
        return header.lastIndex(of: Array("<|channel|>analysis".utf8)) == nil ? .answer : .reasoning
    }
}

extension Array where Element == UInt8 {
    /// The offset of the last occurrence of `needle`; nil if there is none.
    func lastIndex(of needle: [UInt8]) -> Int? {
        guard needle.count <= count else { return nil }
        return (0...(count - needle.count)).last { start in
            self[start..<(start + needle.count)].elementsEqual(needle)
        }
    }
}
