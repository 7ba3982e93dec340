/// The vocabulary and merges of a byte-pair encoding, and the merging itself.
///
/// Merging always joins the pair with the lowest rank, the leftmost of equals. Short pieces (nearly all: words) scan
/// for it; long ones keep candidates in a heap, so that a piece of n bytes costs O(n log n) whatever it holds.
struct BytePairModel: Sendable {
    /// Bytes → id of the entries that merging can produce.
    let vocabulary: ByteStringTable
    /// Which pairs join, in which order.
    let merges: MergeTable
    /// Whether merging starts from bytes or from characters.
    let form: VocabularyForm
    /// The token of each single byte; nil where the vocabulary has none.
    let byteTokens: [Int32?]
    /// Stands for what the vocabulary lacks; without it that is dropped.
    let unknownToken: Int32?
    /// Whether a run of what the vocabulary lacks becomes one unknown token.
    let fusesUnknown: Bool
    /// Whether a piece that is an entry itself is that token, whatever the merges say.
    let ignoresMerges: Bool

    /// Longest piece that is merged by scanning.
    private static let scannedSymbolsMax = 48

    /// Appends the tokens of one piece of text.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, into tokens: inout [TokenNumber]) {
        guard !piece.isEmpty else { return }
        if ignoresMerges, let token = vocabulary.value(of: piece) {
            tokens.append(token)
            return
        }
        let symbols = initialSymbols(piece)
        if symbols.count <= Self.scannedSymbolsMax {
            mergeScanning(symbols, into: &tokens)
        } else {
            mergeQueued(symbols, into: &tokens)
        }
    }

    private func initialSymbols(_ piece: UnsafeBufferPointer<UInt8>) -> [TokenNumber] {
        var symbols: [TokenNumber] = []
        symbols.reserveCapacity(piece.count)
        var previousIsUnknown = false
        var start = 0
        while start < piece.count {
            let end = min(start + symbolByteCount(piece[start]), piece.count)
            let isKnown = appendSymbols(of: UnsafeBufferPointer(rebasing: piece[start..<end]), to: &symbols)
            if !isKnown, let unknownToken, !(previousIsUnknown && fusesUnknown) { symbols.append(unknownToken) }
            previousIsUnknown = !isKnown
            start = end
        }
        return symbols
    }

    private func symbolByteCount(_ lead: UInt8) -> Int {
        switch form {
        case .byteLevel: 1
        case .text: UTF8Tail.expectedByteCount(lead)
        }
    }

    /// Appends the token of one byte or character, or those of the character's bytes; false if there are none.
    private func appendSymbols(of symbol: UnsafeBufferPointer<UInt8>, to symbols: inout [TokenNumber]) -> Bool {
        if form == .text, let token = vocabulary.value(of: symbol) {
            symbols.append(token)
            return true
        }
        guard symbol.allSatisfy({ byteTokens[Int($0)] != nil }) else { return false }
        for byte in symbol {
            if let token = byteTokens[Int(byte)] { symbols.append(token) }
        }
        return true
    }

    private func mergeScanning(_ initial: [TokenNumber], into tokens: inout [TokenNumber]) {
        var symbols = initial
        var candidates: [MergeTable.Merge?] = []
        for index in symbols.indices.dropLast() {
            candidates.append(merges.merge(left: symbols[index], right: symbols[index + 1]))
        }
        while let (index, merge) = Self.lowest(candidates) {
            symbols[index] = merge.token
            symbols.remove(at: index + 1)
            candidates.remove(at: index)
            if index > 0 {
                candidates[index - 1] = merges.merge(left: symbols[index - 1], right: symbols[index])
            }
            if index < candidates.count {
                candidates[index] = merges.merge(left: symbols[index], right: symbols[index + 1])
            }
        }
        tokens.append(contentsOf: symbols)
    }

    private static func lowest(_ candidates: [MergeTable.Merge?]) -> (index: Int, merge: MergeTable.Merge)? {
        var best: (index: Int, merge: MergeTable.Merge)?
        for (index, candidate) in candidates.enumerated() {
            guard let candidate else { continue }
            if let found = best, found.merge.rank <= candidate.rank { continue }
            best = (index, candidate)
        }
        return best
    }

    private func mergeQueued(_ initial: [TokenNumber], into tokens: inout [TokenNumber]) {
        var list = SymbolList(initial)
        var queue = MergeQueue(capacity: initial.count)
        for position in 0..<(initial.count - 1) { push(position, of: list, to: &queue) }
        while let candidate = queue.pop() {
            guard let right = list.next(of: candidate.position), list.isAlive(candidate.position),
                let merge = merges.merge(left: list.symbols[candidate.position], right: list.symbols[right]),
                merge.token == candidate.token
            else { continue }
            list.join(candidate.position, with: right, as: merge.token)
            if let previous = list.previous(of: candidate.position) { push(previous, of: list, to: &queue) }
            push(candidate.position, of: list, to: &queue)
        }
        list.appendAlive(to: &tokens)
    }

    private func push(_ position: Int, of list: SymbolList, to queue: inout MergeQueue) {
        guard let right = list.next(of: position),
            let merge = merges.merge(left: list.symbols[position], right: list.symbols[right])
        else { return }
        queue.push(MergeQueue.Candidate(rank: merge.rank, position: position, token: merge.token))
    }
}

/// The bare number of a token, as the merging code uses it.
typealias TokenNumber = Int32

/// The symbols of a piece as a doubly linked list over arrays; a joined symbol stays in its place, dead.
private struct SymbolList {
    private(set) var symbols: [TokenNumber]
    private var nexts: [Int32]
    private var previouses: [Int32]
    private static let dead: TokenNumber = -1

    init(_ symbols: [TokenNumber]) {
        self.symbols = symbols
        nexts = symbols.indices.map { Int32($0 + 1) }
        nexts[symbols.count - 1] = -1
        previouses = symbols.indices.map { Int32($0 - 1) }
    }

    func isAlive(_ position: Int) -> Bool { symbols[position] != Self.dead }

    func next(of position: Int) -> Int? { nexts[position] < 0 ? nil : Int(nexts[position]) }

    func previous(of position: Int) -> Int? { previouses[position] < 0 ? nil : Int(previouses[position]) }

    mutating func join(_ left: Int, with right: Int, as token: TokenNumber) {
        symbols[left] = token
        symbols[right] = Self.dead
        let after = nexts[right]
        nexts[left] = after
        nexts[right] = -1
        if after >= 0 { previouses[Int(after)] = Int32(left) }
    }

    func appendAlive(to tokens: inout [TokenNumber]) {
        for symbol in symbols where symbol != Self.dead { tokens.append(symbol) }
    }
}

/// A binary heap of merges to do: lowest rank first, the leftmost of equals.
private struct MergeQueue {
    struct Candidate {
        let rank: UInt32
        let position: Int
        let token: TokenNumber

        func goesBefore(_ other: Candidate) -> Bool {
            rank != other.rank ? rank < other.rank : position < other.position
        }
    }

    private var heap: [Candidate] = []

    init(capacity: Int) { heap.reserveCapacity(capacity) }

    mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].goesBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Candidate? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return first }
            if child + 1 < heap.count, heap[child + 1].goesBefore(heap[child]) { child += 1 }
            guard heap[child].goesBefore(heap[parent]) else { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
