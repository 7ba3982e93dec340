/// libFuzzer's entry: the bytes are a request, cut into pieces at places that the first byte chooses. The parser must
/// not trap, must keep no more than its limits, and must find the same in the pieces as in the whole.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP1Parser(_ data: UnsafePointer<UInt8>?, _ byteCount: Int) -> Int32 {
    guard let data, byteCount > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data + 1, count: byteCount - 1))
    let whole = parse(bytes, pieceByteCount: bytes.count)
    let cut = parse(bytes, pieceByteCount: 1 + Int(data[0]) % 16)
    precondition(whole == cut, "the pieces say \(cut), the whole says \(whole)")
    return 0
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
                precondition(body.count <= limits.bodyBytesMax, "a body of \(body.count) bytes")
            }
        } catch {
            return found + ["\(error)"]
        }
        precondition(parser.bufferedByteCount <= 1024 + pieceByteCount, "\(parser.bufferedByteCount) bytes kept")
    }
    return found + ["\(body)"]
}
