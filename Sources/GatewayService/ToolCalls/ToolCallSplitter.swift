/// Finds the calls of tools in the text of an answer, as it comes.
///
/// ```
///          open mark              close mark
///  text ─────────────▶ in block ──────────────▶ text
/// ```
///
/// A pure state machine: the same text gives the same pieces, however it is cut. Text is held back only while it may be
/// the beginning of a mark, or white space before one. A block that holds no calls comes out as the text that it is.
package struct ToolCallSplitter: Sendable {
    /// What the answer is made of.
    package enum Piece: Equatable, Sendable {
        case calls([ToolCall])
        case text(String)
    }

    private let parser: ToolCallParser
    private let blocks: [(open: [UInt8], close: [UInt8]?)]
    /// The kind of block that the text is in.
    private var block: Int?
    /// In a block all of it, its open mark included; else what may be the beginning of a mark, and the white space
    /// before it.
    private var held: [UInt8] = []
    /// Where in `held` the close mark may begin that was not there yet.
    private var searchStart = 0
    /// White space before the block: text too, if the block holds no calls.
    private var spaceBefore: [UInt8] = []
    private var hasCalls = false

    package init(_ parser: ToolCallParser) {
        self.parser = parser
        blocks = parser.format.blocks.map { (Array($0.open.utf8), $0.close.map { Array($0.utf8) }) }
    }

    package mutating func append(_ text: String) -> [Piece] {
        held += text.utf8
        var pieces: [Piece] = []
        while let more = block.map({ closed($0) }) ?? opened() { pieces += more }
        guard block == nil else { return pieces }
        return pieces + release(textEnd(before: held.count - held.countOfPossibleBeginning(of: blocks.map(\.open))))
    }

    /// The answer ends here. One that breaks off in a block may hold the calls all the same: not every model ends it.
    package mutating func finish() -> [Piece] {
        defer { held = [] }
        guard let number = block else {
            let isSilent = hasCalls && textEnd(before: held.count) == 0
            return isSilent ? [] : release(held.count)
        }
        block = nil
        return read(held, openCount: blocks[number].open.count, closeCount: 0)
    }

    /// Enters the first block that begins in what is held, and gives the text before it; nil if there is none.
    private mutating func opened() -> [Piece]? {
        for start in held.indices {
            guard let number = blocks.firstIndex(where: { held[start...].starts(with: $0.open) }) else { continue }
            let end = textEnd(before: start)
            let pieces = release(end)
            spaceBefore = Array(held[..<(start - end)])
            held.removeFirst(start - end)
            block = number
            searchStart = blocks[number].open.count
            return pieces
        }
        return nil
    }

    /// Leaves the block if its end is there, and gives what it holds; nil if it is not.
    private mutating func closed(_ number: Int) -> [Piece]? {
        guard let close = blocks[number].close else { return nil }
        let start = held.indices.dropFirst(searchStart).first { held[$0...].starts(with: close) }
        guard let start else {
            searchStart = max(searchStart, held.count - close.count + 1)
            return nil
        }
        let whole = Array(held[..<(start + close.count)])
        held.removeFirst(whole.count)
        block = nil
        return read(whole, openCount: blocks[number].open.count, closeCount: close.count)
    }

    private mutating func read(_ whole: [UInt8], openCount: Int, closeCount: Int) -> [Piece] {
        let inner = String(decoding: whole[openCount..<(whole.count - closeCount)], as: UTF8.self)
        guard let calls = parser.calls(in: inner) else {
            return [.text(String(decoding: spaceBefore + whole, as: UTF8.self))]
        }
        hasCalls = true
        return [.calls(calls)]
    }

    /// Gives the first bytes of what is held.
    private mutating func release(_ count: Int) -> [Piece] {
        guard count > 0 else { return [] }
        defer { held.removeFirst(count) }
        return [.text(String(decoding: held[..<count], as: UTF8.self))]
    }

    /// Where the white space begins that comes before `end`.
    private func textEnd(before end: Int) -> Int {
        held[..<end].lastIndex { !$0.isSpace }.map { $0 + 1 } ?? 0
    }
}
