/// Takes server-sent events out of the pieces of an answer: the data of each event, in order. Comments and fields other
/// than `data` are skipped.
public struct ServerSentEventReader: Sendable {
    private var line: [UInt8] = []
    private var data: [String] = []

    /// Nothing received yet.
    public init() {}

    /// Takes the next piece; returns the data of the events that it completes.
    public mutating func append(_ bytes: [UInt8]) -> [String] {
        var events: [String] = []
        for byte in bytes {
            guard byte == ASCII.lineFeed else {
                line.append(byte)
                continue
            }
            if line.last == ASCII.carriageReturn { line.removeLast() }
            if line.isEmpty {
                if !data.isEmpty { events.append(data.joined(separator: "\n")) }
                data = []
            } else {
                take(line)
            }
            line.removeAll(keepingCapacity: true)
        }
        return events
    }

    private mutating func take(_ line: [UInt8]) {
        let prefix = Array("data:".utf8)
        guard line.starts(with: prefix) else { return }
        let value = line.dropFirst(prefix.count)
        data.append(String(decoding: value.first == ASCII.space ? value.dropFirst() : value, as: UTF8.self))
    }
}
