/// Splits at two marks like `<think>` and `</think>`.
///
/// ```
///            open                 close
///  before ─────────▶ reasoning ─────────▶ before ──text──▶ answer
/// ```
///
/// Once the answer has begun, marks in it are its text: models write about them too. White space around reasoning
/// belongs to the marks and is dropped; templates add it again.
struct TagSplitter: MarkedTextSplitter {
    private enum Phase {
        case answer
        /// Nothing of the answer came yet but white space.
        case before
        case reasoning
    }

    private let open: [UInt8]
    private let close: [UInt8]
    private let searchesText: Bool
    private var phase: Phase
    /// Whether text of the reasoning came.
    private var hasReasoning = false
    /// Whether a mark came, so that white space before the answer is dropped.
    private var isAfterMark: Bool
    /// May be the beginning of a mark.
    private var unsearched: [UInt8] = []
    /// White space whose fate depends on what follows.
    private var space: [UInt8] = []

    init(open: String, close: String, searchesText: Bool, start: ReasoningStart) {
        self.open = Array(open.utf8)
        self.close = Array(close.utf8)
        self.searchesText = searchesText
        switch start {
        case .answer: phase = .answer
        case .outside: phase = .before
        case .reasoning: phase = .reasoning
        }
        isAfterMark = start == .reasoning
    }

    var isReasoning: Bool { phase == .reasoning }

    var heldScalarCount: Int {
        (space + unsearched).reduce(0) { $0 + (UTF8.isContinuation($1) ? 0 : 1) }
    }

    mutating func append(_ text: String) -> [AnswerSegment] {
        guard searchesText, phase != .answer else { return take(Array(text.utf8)) }
        unsearched += text.utf8
        var segments: [AnswerSegment] = []
        while phase != .answer, let (mark, range) = firstMark() {
            segments += take(Array(unsearched[..<range.lowerBound]))
            let markText = String(decoding: unsearched[range], as: UTF8.self)
            unsearched.removeFirst(range.upperBound)
            segments += append(mark, text: markText)
        }
        let heldCount = phase == .answer ? 0 : unsearched.countOfPossibleBeginning(of: [open, close])
        let certain = Array(unsearched.dropLast(heldCount))
        unsearched.removeFirst(certain.count)
        segments += take(certain)
        // The answer may have begun just now: then nothing is a mark any more.
        if phase == .answer { segments += takeUnsearched() }
        return segments
    }

    mutating func append(_ mark: ReasoningMark, text: String) -> [AnswerSegment] {
        switch (mark, phase) {
        case (.open, .before):
            phase = .reasoning
            isAfterMark = true
            space = []
        case (.close, .before):
            // Closes what was not opened: a model that was told not to think does so.
            isAfterMark = true
            space = []
        case (.close, .reasoning):
            phase = .before
            space = []
        case (.open, .reasoning) where !hasReasoning:
            // The prompt opened it already.
            space = []
        default: return take(Array(text.utf8))
        }
        return []
    }

    mutating func finish(breaksOff: Bool) -> [AnswerSegment] {
        let segments = takeUnsearched()
        defer { space = [] }
        guard phase == .before, !isAfterMark, !space.isEmpty else { return segments }
        return segments + [AnswerSegment(.answer, String(decoding: space, as: UTF8.self))]
    }

    private mutating func takeUnsearched() -> [AnswerSegment] {
        defer { unsearched = [] }
        return take(unsearched)
    }

    /// Takes text without marks.
    private mutating func take(_ bytes: [UInt8]) -> [AnswerSegment] {
        switch phase {
        case .answer: return [AnswerSegment(.answer, String(decoding: bytes, as: UTF8.self))]
        case .before:
            guard let start = bytes.firstIndex(where: { !$0.isSpace }) else {
                if !isAfterMark { space += bytes }
                return []
            }
            phase = .answer
            let kept = isAfterMark ? Array(bytes[start...]) : space + bytes
            space = []
            return [AnswerSegment(.answer, String(decoding: kept, as: UTF8.self))]
        case .reasoning:
            guard let last = bytes.lastIndex(where: { !$0.isSpace }) else {
                if hasReasoning { space += bytes }
                return []
            }
            let start = hasReasoning ? 0 : bytes.firstIndex { !$0.isSpace } ?? 0
            let text = String(decoding: space + bytes[start...last], as: UTF8.self)
            hasReasoning = true
            space = Array(bytes[(last + 1)...])
            return [AnswerSegment(.reasoning, text)]
        }
    }

    /// The mark that comes first in what is to be searched.
    private func firstMark() -> (ReasoningMark, Range<Int>)? {
        for start in unsearched.indices {
            let rest = unsearched[start...]
            if rest.starts(with: open) { return (.open, start..<(start + open.count)) }
            if rest.starts(with: close) { return (.close, start..<(start + close.count)) }
        }
        return nil
    }
}
