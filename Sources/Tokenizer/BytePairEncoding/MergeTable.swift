/// A fixed map from a pair of tokens to the merge that joins them: open addressing over plain integers.
struct MergeTable: Sendable {
    /// What joins a pair: the order in which it was learnt (lower goes first) and the token that results.
    struct Merge: Sendable, Equatable {
        let rank: UInt32
        let token: Int32
    }

    private var keys: [UInt64]
    private var merges: [Merge]
    private let mask: Int
    private var count = 0
    private static let empty = UInt64.max

    /// Makes room for `capacity` pairs.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        keys = [UInt64](repeating: Self.empty, count: size)
        merges = [Merge](repeating: Merge(rank: 0, token: 0), count: size)
        mask = size - 1
    }

    /// Adds a pair; the last of equal pairs stays.
    mutating func insert(left: Int32, right: Int32, merge: Merge) {
        precondition(count * 2 < keys.count, "a MergeTable has a fixed capacity")
        let key = Self.key(left, right)
        let slot = findSlot(key)
        if keys[slot] == Self.empty { count += 1 }
        keys[slot] = key
        merges[slot] = merge
    }

    /// The merge of a pair, nil if the pair never merges.
    func merge(left: Int32, right: Int32) -> Merge? {
        let key = Self.key(left, right)
        let slot = findSlot(key)
        return keys[slot] == key ? merges[slot] : nil
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func findSlot(_ key: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 20) & mask
        while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & mask }
        return slot
    }
}
