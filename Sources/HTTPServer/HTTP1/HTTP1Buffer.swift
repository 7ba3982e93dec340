import Glibc

/// Received bytes that are not parsed yet; lines are found without looking at a byte twice.
package struct HTTP1Buffer: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0
    /// Index before which, from `start`, there is no line feed.
    private var scanned = 0

    /// An empty buffer.
    package init() {}

    /// Bytes that wait to be parsed.
    package var count: Int { bytes.count - start }

    /// Adds what was received.
    package mutating func append(_ received: UnsafeRawBufferPointer) {
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 128 << 10)
            start = 0
            scanned = 0
        } else if start > 64 << 10 {
            bytes.removeFirst(start)
            scanned -= start
            start = 0
        }
        bytes.append(contentsOf: received)
    }

    /// The next line without its CR LF; nil if it is not complete. Throws `overflow` for a line of more than `bytesMax`
    /// bytes, complete or not, and `malformed` for a line feed that stands alone.
    package mutating func takeLine(bytesMax: Int, overflow: HTTPError) throws(HTTPError) -> ArraySlice<UInt8>? {
        guard let end = findLineFeed() else {
            // One more may be the CR of an end that is not complete.
            guard count <= bytesMax + 1 else { throw overflow }
            return nil
        }
        guard end - start <= bytesMax + 1 else { throw overflow }
        guard end > start, bytes[end - 1] == ASCII.carriageReturn else {
            throw .malformed(reason: "a line feed without a carriage return")
        }
        let line = bytes[start..<end - 1]
        start = end + 1
        scanned = start
        return line
    }

    /// Takes the CR LF that must come next; false if it is not complete.
    package mutating func takeLineEnd() throws(HTTPError) -> Bool {
        for (position, expected) in ASCII.lineEnd.enumerated() {
            guard position < count else { return false }
            guard bytes[start + position] == expected else {
                throw .malformed(reason: "a chunk is longer than announced")
            }
        }
        start += 2
        scanned = start
        return true
    }

    /// Takes up to `byteCount` bytes.
    package mutating func take(upTo byteCount: Int) -> [UInt8] {
        let taken = Array(bytes[start..<start + min(byteCount, count)])
        start += taken.count
        scanned = start
        return taken
    }

    private mutating func findLineFeed() -> Int? {
        let from = scanned
        let found = bytes.withUnsafeBytes { all -> Int? in
            guard let base = all.baseAddress, from < all.count,
                let hit = memchr(base + from, Int32(ASCII.lineFeed), all.count - from)
            else { return nil }
            return UnsafeRawPointer(hit) - base
        }
        scanned = found ?? bytes.count
        return found
    }
}
