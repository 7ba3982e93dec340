import Basics

/// What is known of each token id: its name, its bytes, whether it is special. Names and bytes lie in two buffers, not
/// in 250,000 small objects.
struct TokenEntries: Sendable {
    private struct Entry: Sendable {
        var name: Range<Int>
        var bytes: Range<Int>
        var isSpecial = false
    }

    private var entries: [Entry?] = []
    private var names: [UInt8] = []
    private var bytes: [UInt8] = []
    private var byName: ByteStringTable

    /// Makes room for `capacity` tokens.
    init(capacity: Int) {
        byName = ByteStringTable(capacity: capacity)
    }

    /// One more than the largest id.
    var count: Int { entries.count }

    /// Adds or replaces a token.
    /// - Parameter tokenBytes: what the token stands for in a text.
    mutating func set(_ id: TokenNumber, name: String, bytes tokenBytes: [UInt8], isSpecial: Bool) {
        while entries.count <= Int(id) { entries.append(nil) }
        let nameStart = names.count
        names += name.utf8
        let bytesStart = bytes.count
        bytes += tokenBytes
        entries[Int(id)] = Entry(
            name: nameStart..<names.count, bytes: bytesStart..<bytes.count, isSpecial: isSpecial)
        byName.insert(Array(name.utf8), value: id)
    }

    func contains(_ token: TokenID) -> Bool { entry(token) != nil }

    func isSpecial(_ token: TokenID) -> Bool { entry(token)?.isSpecial ?? false }

    func name(of token: TokenID) -> String? {
        entry(token).map { String(decoding: names[$0.name], as: UTF8.self) }
    }

    func token(named name: String) -> TokenID? {
        byName.value(of: Array(name.utf8)).map { TokenID($0) }
    }

    func appendBytes(of token: TokenID, to result: inout [UInt8]) {
        if let entry = entry(token) { result += bytes[entry.bytes] }
    }

    private func entry(_ token: TokenID) -> Entry? {
        let index = Int(token.value)
        return entries.indices.contains(index) ? entries[index] : nil
    }
}
