/// A fixed map from byte strings to token ids. All strings lie in one buffer and the slots are plain integers, so that
/// a vocabulary of 250,000 entries costs a few allocations and lookups hash bytes, never Unicode.
struct ByteStringTable: Sendable {
    private var storage: [UInt8] = []
    private var starts: [Int] = [0]
    private var values: [Int32] = []
    private var slots: [Int32]
    private let mask: Int

    /// Makes room for `capacity` strings.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        mask = size - 1
    }

    /// Adds a string; the first value of equal strings stays. At most `capacity` strings may be added.
    mutating func insert(_ key: [UInt8], value: Int32) {
        precondition(values.count * 2 < slots.count, "a ByteStringTable has a fixed capacity")
        let slot = key.withUnsafeBufferPointer { findSlot($0) }
        guard slots[slot] < 0 else { return }
        slots[slot] = Int32(values.count)
        storage.append(contentsOf: key)
        starts.append(storage.count)
        values.append(value)
    }

    /// The value of a string, nil if it was not added.
    func value(of key: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = slots[findSlot(key)]
        return entry < 0 ? nil : values[Int(entry)]
    }

    /// The value of a string, nil if it was not added.
    func value(of key: [UInt8]) -> Int32? {
        key.withUnsafeBufferPointer { value(of: $0) }
    }

    private func findSlot(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        var slot = Self.hash(key) & mask
        while true {
            let entry = slots[slot]
            if entry < 0 || matches(Int(entry), key) { return slot }
            slot = (slot + 1) & mask
        }
    }

    private func matches(_ entry: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = starts[entry]
        guard starts[entry + 1] - start == key.count else { return false }
        for offset in 0..<key.count where storage[start + offset] != key[offset] { return false }
        return true
    }

    private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash & 0x7FFF_FFFF_FFFF_FFFF)
    }
}
