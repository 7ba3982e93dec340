/// How a loop is cut for a number of threads: contiguous pieces, long ones first.
///
/// Memory is read fastest in long runs, and a thread that is late or slow should leave something to the others. So each
/// thread finds a first piece of half its share, then one of a quarter, an eighth, and two of a sixteenth:
///
/// ```
/// 2 threads: |       0       |       1       |   2   |   3   | 4 | 5 |6|7|8|9|
/// ```
package struct WorkPieces: Sendable {
    /// How much is cut.
    package let count: Int
    private let threadCount: Int

    /// Begin and length of each level, in parts of a share.
    private static let levels = [
        (begin: 0, length: 8), (begin: 8, length: 4), (begin: 12, length: 2), (begin: 14, length: 1),
        (begin: 15, length: 1),
    ]
    private static let partsPerShare = 16

    /// Cuts `count` for `threadCount` threads.
    package init(_ count: Int, threadCount: Int) {
        precondition(count >= 0 && threadCount > 0)
        self.count = count
        self.threadCount = threadCount
    }

    /// How many pieces there are, some of which may be empty.
    package var pieceCount: Int { Self.levels.count * threadCount }

    /// The piece of that number; together they are all of it, each part once.
    package subscript(piece: Int) -> Range<Int> { begin(of: piece)..<begin(of: piece + 1) }

    private func begin(of piece: Int) -> Int {
        let level = piece / threadCount
        guard level < Self.levels.count else { return count }
        let position = Self.levels[level].begin * threadCount + piece % threadCount * Self.levels[level].length
        return count * position / (Self.partsPerShare * threadCount)
    }
}
