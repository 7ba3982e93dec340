/// Requests to begin with; the first byte is the choice.
let seeds: [String: [UInt8]] = [
    "chunked": Array(
        "3POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n".utf8),
    "get": Array("5GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
    "length": Array(
        "7POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n".utf8),
]

/// The bytes are requests, cut into pieces as `choice` says. The parser must not trap, must keep no more than its
/// limits, and must find the same in the pieces as in the whole.
func fuzz(choice: UInt8, bytes: [UInt8]) {
    let whole = parse(bytes, pieceByteCount: bytes.count)
    let cut = parse(bytes, pieceByteCount: 1 + Int(choice) % 16)
    insist(whole == cut, "the pieces say \(cut), the whole says \(whole)")
}

private func parse(_ bytes: [UInt8], pieceByteCount: Int) -> [String] {
    var limits = HTTPLimits()
    limits.headerBytesMax = 200
    limits.requestLineBytesMax = 100
    limits.headerCountMax = 8
    limits.bodyBytesMax = 1000
    var parser = HTTP1RequestParser(limits: limits)
    var found: [String] = []
    var body: [UInt8] = []
    var offset = 0
    while offset < bytes.count {
        let end = min(bytes.count, offset + pieceByteCount)
        bytes[offset..<end].withUnsafeBytes { parser.append($0) }
        offset = end
        do {
            while let event = try parser.next() {
                switch event {
                case .body(let piece): body += piece
                case .head(let head): found.append("\(head)")
                case .end:
                    found.append("\(body)")
                    body = []
                }
                insist(body.count <= limits.bodyBytesMax, "a body of \(body.count) bytes")
            }
        } catch {
            return found + ["\(error)"]
        }
        insist(parser.bufferedByteCount <= 1024 + pieceByteCount, "\(parser.bufferedByteCount) bytes kept")
    }
    return found + ["\(body)"]
}
