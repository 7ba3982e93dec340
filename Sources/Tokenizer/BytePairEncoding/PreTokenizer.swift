import Basics

/// Cuts text into the pieces within which pairs merge: the `pre_tokenizer` of `tokenizer.json`. For byte-level
/// vocabularies any number of splits, closed by `ByteLevel`; for others splits, of which the first may be `Metaspace`,
/// or nothing at all.
struct PreTokenizer: Sendable {
    /// What becomes of a match of a split's pattern.
    private enum Behaviour: String, Sendable {
        case contiguous = "Contiguous"
        case isolated = "Isolated"
        case mergedWithNext = "MergedWithNext"
        case mergedWithPrevious = "MergedWithPrevious"
        case removed = "Removed"
    }

    private struct Split: Sendable {
        let pattern: Pattern
        let behaviour: Behaviour
        let isInverted: Bool
    }

    private static let supported = [
        "ByteLevel", "Digits", "Punctuation", "Sequence", "Split", "Whitespace", "WhitespaceSplit",
    ]
    private static let behaviours = ["Contiguous", "Isolated", "MergedWithNext", "MergedWithPrevious", "Removed"]
    /// The cut that GPT-2 introduced and that `ByteLevel` makes unless told otherwise.
    private static let byteLevelPattern =
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

    private let splits: [Split]
    private let addsPrefixSpace: Bool
    private let lastSplit: Split?
    private let metaspace: Metaspace?

    init(_ json: JSON?, _ form: VocabularyForm) throws(TokenizerError) {
        let readers = try ComponentReader.flattened(json, role: "pre_tokenizer", listKey: "pretokenizers")
        switch form {
        case .byteLevel: try self.init(byteLevel: readers)
        case .text: try self.init(text: readers)
        }
    }

    /// One cut of a byte-level vocabulary by a pattern.
    init(pattern: String) throws(TokenizerError) {
        splits = [Split(pattern: try Pattern(pattern), behaviour: .isolated, isInverted: false)]
        addsPrefixSpace = false
        lastSplit = nil
        metaspace = nil
    }

    private init(text readers: [ComponentReader]) throws(TokenizerError) {
        var splits: [Split] = []
        var metaspace: Metaspace?
        for (position, reader) in readers.enumerated() {
            if position == 0, reader.type == "Metaspace" {
                let found = try Metaspace(reader)
                metaspace = found
                guard found.cuts else { continue }
                splits.append(
                    Split(
                        pattern: try Pattern(ComponentReader.escaped(found.replacement)), behaviour: .mergedWithNext,
                        isInverted: false))
            } else {
                splits.append(try Self.split(reader))
            }
        }
        self.splits = splits
        self.metaspace = metaspace
        addsPrefixSpace = false
        lastSplit = nil
    }

    private init(byteLevel readers: [ComponentReader]) throws(TokenizerError) {
        guard let last = readers.last, last.type == "ByteLevel" else {
            throw .componentUnsupported(
                component: "pre_tokenizer", found: "\(readers.last?.type ?? "null") at the end",
                supported: ["ByteLevel at the end: only byte-level vocabularies"])
        }
        var splits: [Split] = []
        for reader in readers.dropLast() { splits.append(try Self.split(reader)) }
        self.splits = splits
        metaspace = nil
        addsPrefixSpace = try last.bool("add_prefix_space", default: true)
        lastSplit =
            try last.bool("use_regex", default: true)
            ? Split(pattern: Pattern(Self.byteLevelPattern), behaviour: .isolated, isInverted: false) : nil
    }

    private static func split(_ reader: ComponentReader) throws(TokenizerError) -> Split {
        switch reader.type {
        case "Split":
            return Split(
                pattern: try reader.pattern(), behaviour: try behaviour(reader),
                isInverted: try reader.bool("invert", default: false))
        case "Digits":
            let isEach = try reader.bool("individual_digits", default: false)
            return Split(
                pattern: try Pattern("\\p{N}"), behaviour: isEach ? .isolated : .contiguous, isInverted: false)
        case "Punctuation":
            return Split(
                pattern: try Pattern("[\\p{P}$+<=>^`|~]"), behaviour: try behaviour(reader, default: "Isolated"),
                isInverted: false)
        case "Whitespace":
            return Split(pattern: try Pattern("\\w+|[^\\w\\s]+"), behaviour: .removed, isInverted: true)
        case "WhitespaceSplit":
            return Split(pattern: try Pattern("\\s"), behaviour: .removed, isInverted: false)
        default:
            throw reader.unsupported(supported)
        }
    }

    private static func behaviour(
        _ reader: ComponentReader, default name: String? = nil
    ) throws(TokenizerError) -> Behaviour {
        let found = try reader.string("behavior", default: name)
        guard let behaviour = Behaviour(rawValue: found) else {
            throw .componentUnsupported(
                component: "behavior of \(reader.role) \(reader.type)", found: found, supported: behaviours)
        }
        return behaviour
    }

    /// Hands each piece of `text` (valid UTF-8) to `body`, in order.
    /// - Parameter isFirst: whether this text begins where the whole text begins.
    func forEachPiece(of text: [UInt8], isFirst: Bool, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        let text = metaspace?.applied(to: text, isFirst: isFirst) ?? text
        text.withUnsafeBufferPointer { buffer in
            var pieces = buffer.isEmpty ? [] : [0..<buffer.count]
            for split in splits {
                pieces = pieces.flatMap { Self.cut(buffer, $0, split) }
            }
            for piece in pieces { finish(UnsafeBufferPointer(rebasing: buffer[piece]), body) }
        }
    }

    private func finish(_ piece: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        guard addsPrefixSpace, piece.first != UInt8(ascii: " ") else { return cutLast(piece, body) }
        let prefixed = [UInt8(ascii: " ")] + piece
        prefixed.withUnsafeBufferPointer { cutLast($0, body) }
    }

    private func cutLast(_ piece: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        guard let lastSplit else { return body(piece) }
        for range in Self.cut(piece, 0..<piece.count, lastSplit) {
            body(UnsafeBufferPointer(rebasing: piece[range]))
        }
    }

    /// The parts of `text[range]`, none of them empty.
    private static func cut(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ split: Split
    ) -> [Range<Int>] {
        let segments = segments(text, range, split)
        switch split.behaviour {
        case .isolated: return segments.compactMap { $0.range.isEmpty ? nil : $0.range }
        case .removed: return segments.compactMap { $0.isMatch || $0.range.isEmpty ? nil : $0.range }
        case .contiguous: return joined(segments) { $0.isMatch == $1 }
        case .mergedWithPrevious: return joined(segments) { $0.isMatch && !$1 }
        case .mergedWithNext: return joinedFromBehind(segments)
        }
    }

    private typealias Segment = (range: Range<Int>, isMatch: Bool)

    /// The matches and what lies between them, in order; they cover the range.
    private static func segments(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ split: Split
    ) -> [Segment] {
        var segments: [Segment] = []
        var end = range.lowerBound
        split.pattern.forEachMatch(in: UnsafeBufferPointer(rebasing: text[range])) { match in
            let start = range.lowerBound + match.lowerBound
            if end < start { segments.append((end..<start, split.isInverted)) }
            end = range.lowerBound + match.upperBound
            segments.append((start..<end, !split.isInverted))
        }
        if end < range.upperBound { segments.append((end..<range.upperBound, split.isInverted)) }
        return segments
    }

    private static func joined(_ segments: [Segment], _ joinsPrevious: (Segment, Bool) -> Bool) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var previousIsMatch = false
        for segment in segments {
            if joinsPrevious(segment, previousIsMatch), let last = parts.popLast() {
                parts.append(last.lowerBound..<segment.range.upperBound)
            } else {
                parts.append(segment.range)
            }
            previousIsMatch = segment.isMatch
        }
        return parts.filter { !$0.isEmpty }
    }

    private static func joinedFromBehind(_ segments: [Segment]) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var nextIsMatch = false
        for segment in segments.reversed() {
            if segment.isMatch, !nextIsMatch, let last = parts.popLast() {
                parts.append(segment.range.lowerBound..<last.upperBound)
            } else {
                parts.append(segment.range)
            }
            nextIsMatch = segment.isMatch
        }
        return parts.reversed().filter { !$0.isEmpty }
    }
}
