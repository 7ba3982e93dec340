import Basics
import CLinux

/// A logical processor, as Linux numbers them.
public struct ProcessorID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    public let value: Int

    /// Names processor `value`.
    public init(_ value: Int) { self.value = value }

    /// Orders processors by number.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// Lists of numbers as the kernel writes them: `0-3,8,10-11`.
public enum NumberList {
    /// The numbers of a list, each once and ascending, those from `limit` on left out; nil if it is not such a list.
    /// An empty list has none.
    public static func parse(_ text: String, limit: Int) -> [Int]? {
        let trimmed = text.filter { !$0.isWhitespace }
        guard !trimmed.isEmpty else { return [] }
        var numbers: Set<Int> = []
        for part in trimmed.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { number($0) }
            guard (1...2).contains(bounds.count), let first = bounds[0], let last = bounds[bounds.count - 1],
                first <= last
            else { return nil }
            if first < limit { numbers.formUnion(first...min(last, limit - 1)) }
        }
        return numbers.sorted()
    }

    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }
}

/// On which processors threads run.
public enum Processors {
    /// Those on which the calling thread may run, ascending; at least one.
    public static func allowed() -> [ProcessorID] {
        var words = [UInt64](repeating: 0, count: Limits.Kernels.processorsMax / UInt64.bitWidth)
        guard colony_get_processors(&words, words.count) == 0 else { return [ProcessorID(0)] }
        let found = (0..<Limits.Kernels.processorsMax).filter { number in
            words[number / UInt64.bitWidth] >> UInt64(number % UInt64.bitWidth) & 1 == 1
        }.map { ProcessorID($0) }
        return found.isEmpty ? [ProcessorID(0)] : found
    }

    /// Lets the calling thread run on these only, and the threads that it starts. Answers whether the system does it.
    @discardableResult
    public static func bindThread(to processors: [ProcessorID]) -> Bool {
        guard processors.allSatisfy({ (0..<Limits.Kernels.processorsMax).contains($0.value) }) else { return false }
        let words = mask(of: processors, wordCount: wordCount(of: processors))
        return colony_set_processors(words, words.count) == 0
    }

    /// Runs `body` on these processors, and leaves the thread where it was before.
    static func onProcessors<Result>(_ processors: [ProcessorID], _ body: () -> Result) -> Result {
        let before = allowed()
        guard !processors.isEmpty, bindThread(to: processors) else { return body() }
        defer { bindThread(to: before) }
        return body()
    }

    /// Words that a mask of these takes.
    static func wordCount(of processors: some Sequence<ProcessorID>) -> Int {
        (processors.max()?.value ?? 0) / UInt64.bitWidth + 1
    }

    /// A bit per processor, the lowest first.
    static func mask(of processors: [ProcessorID], wordCount: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: wordCount)
        for processor in processors {
            words[processor.value / UInt64.bitWidth] |= 1 << UInt64(processor.value % UInt64.bitWidth)
        }
        return words
    }
}
