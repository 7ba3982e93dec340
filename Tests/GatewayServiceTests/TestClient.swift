import Basics
import Glibc

/// A blocking HTTP/1.1 client over one socket per request: independent of the code under test, and it can leave in the
/// middle of an answer.
final class TestClient {
    /// An answer as it was received.
    struct Answer {
        var status: Int
        var headers: [String: String]
        var body: String

        var json: JSON { (try? JSON(parsing: body)) ?? .null }
        /// The events of a stream, without the comments.
        var events: [String] {
            body.components("\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
        }
        var error: JSON? { json["error"] }
    }

    enum Failure: Error {
        case connection(Int32)
        case noHeader(String)
    }

    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure.connection(errno) }
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    static func get(
        _ port: UInt16, _ path: String, method: String = "GET", headers: [String: String] = [:]
    ) throws -> Answer {
        let client = try TestClient(port: port)
        client.send(method, path, headers: headers, body: "")
        return try client.receive()
    }

    static func post(_ port: UInt16, _ path: String, _ body: JSON) throws -> Answer {
        try post(port, path, text: body.serialised())
    }

    static func post(_ port: UInt16, _ path: String, text: String) throws -> Answer {
        let client = try TestClient(port: port)
        client.send("POST", path, body: text)
        return try client.receive()
    }

    func send(_ method: String, _ path: String, headers: [String: String] = [:], body: String) {
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        let text =
            "\(method) \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + lines + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// Waits until `text` has arrived; what has arrived until then.
    func receive(until text: String) -> String {
        var received = ""
        while !received.contains(text) {
            let bytes = receiveSome()
            if bytes.isEmpty { break }
            received += String(decoding: bytes, as: UTF8.self)
        }
        return received
    }

    /// The whole answer, up to the end of the connection.
    func receive() throws -> Answer {
        var received: [UInt8] = []
        while true {
            let bytes = receiveSome()
            if bytes.isEmpty { break }
            received += bytes
        }
        let parts = String(decoding: received, as: UTF8.self).components("\r\n\r\n", limit: 2)
        guard parts.count == 2 else { throw Failure.noHeader(parts[0]) }
        var lines = parts[0].components("\r\n")
        let status = Int(lines.removeFirst().split(separator: " ")[1]) ?? 0
        var headers: [String: String] = [:]
        for line in lines {
            let pair = line.components(": ", limit: 2)
            headers[pair[0].lowercased()] = pair.count > 1 ? pair[1] : ""
        }
        let isChunked = headers["transfer-encoding"] == "chunked"
        return Answer(status: status, headers: headers, body: isChunked ? TestClient.joined(parts[1]) : parts[1])
    }

    private func receiveSome() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : []
    }

    /// Takes the chunked coding off.
    private static func joined(_ text: String) -> String {
        var rest = Array(text.utf8)[...]
        var body: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: UInt8(ascii: "\r")) {
            let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { break }
            let start = lineEnd + 2
            body += rest[start..<min(start + size, rest.endIndex)]
            rest = rest[min(start + size + 2, rest.endIndex)...]
        }
        return String(decoding: body, as: UTF8.self)
    }
}

extension String {
    /// The parts between occurrences of `separator`; at most `limit` of them.
    func components(_ separator: String, limit: Int = .max) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while parts.count < limit - 1, let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
