import CKernels

extension Compute {
    /// Natural logarithm of the sum of `exp` over a row, in double precision, added in order; NaN if any entry is.
    public func logSumExp(_ row: UnsafeBufferPointer<Float>) -> Float {
        guard let base = row.baseAddress, !row.isEmpty else { return -.infinity }
        let greatest = Double(row[colony_index_of_greatest(base, row.count)])
        guard greatest.isFinite else { return row.contains(where: \.isNaN) ? .nan : Float(greatest) }
        var sum = 0.0
        for value in row { sum += DeterministicMath.exp(Double(value) - greatest) }
        return Float(greatest + DeterministicMath.log(sum))
    }

    /// Index of the largest number of a row, the lowest of equals; 0 if the row has no number.
    public func argmax(_ row: UnsafeBufferPointer<Float>) -> Int {
        guard let base = row.baseAddress else { return 0 }
        return colony_index_of_greatest(base, row.count)
    }

    /// The `count` largest of a row, descending, ties to the lower index; a NaN ranks with -infinity.
    public func topN(_ row: UnsafeBufferPointer<Float>, count: Int) -> [(index: Int, value: Float)] {
        guard count > 0 else { return [] }
        var heap = RankHeap(capacity: min(count, row.count))
        for index in row.indices {
            let value = row[index]
            if heap.accepts(value) { heap.insert((index, value.isNaN ? -.infinity : value)) }
        }
        return heap.descending().map { ($0.index, row[$0.index]) }
    }
}

/// The best entries seen so far, the worst of them on top.
private struct RankHeap {
    typealias Entry = (index: Int, value: Float)
    let capacity: Int
    private var entries: [Entry] = []

    init(capacity: Int) {
        self.capacity = capacity
        entries.reserveCapacity(capacity)
    }

    /// Whether an entry of this value, at a higher index than all before, would stay.
    func accepts(_ value: Float) -> Bool {
        entries.count < capacity || value > entries[0].value
    }

    mutating func insert(_ entry: Entry) {
        if entries.count < capacity {
            entries.append(entry)
            siftUp(entries.count - 1)
        } else {
            entries[0] = entry
            siftDown(0)
        }
    }

    func descending() -> [Entry] { entries.sorted { Self.isWorse($1, $0) } }

    private static func isWorse(_ left: Entry, _ right: Entry) -> Bool {
        left.value != right.value ? left.value < right.value : left.index > right.index
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.isWorse(entries[child], entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if Self.isWorse(entries[child], entries[worst]) { worst = child }
            }
            if worst == parent { return }
            entries.swapAt(parent, worst)
            parent = worst
        }
    }
}
