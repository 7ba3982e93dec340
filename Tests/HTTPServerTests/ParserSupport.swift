import HTTPServer

/// What a parser made of some bytes, in a form that does not depend on how they were cut.
struct Transcript: Equatable, CustomStringConvertible {
    var lines: [String] = []
    var error: HTTPError?

    /// Parses `bytes`, given in pieces that end at `cuts`.
    init(_ bytes: [UInt8], cuts: [Int] = [], limits: HTTPLimits = HTTPLimits()) {
        var parser = HTTP1RequestParser(limits: limits)
        var body: [UInt8] = []
        var from = 0
        for cut in cuts + [bytes.count] {
            bytes[from..<cut].withUnsafeBytes { parser.append($0) }
            from = cut
            do {
                while let event = try parser.next() { append(event, &body) }
            } catch {
                self.error = error
                return
            }
        }
        if !body.isEmpty { lines.append("part \(String(decoding: body, as: UTF8.self))") }
    }

    private mutating func append(_ event: HTTP1RequestEvent, _ body: inout [UInt8]) {
        switch event {
        case .head(let head):
            let query = head.query.isEmpty ? "" : "?\(head.query)"
            lines.append("\(head.method) \(head.path)\(query) \(head.version.rawValue)")
            lines += head.headers.lines.map { "\($0.name)=\($0.value)" }
            if head.framing == .chunked { lines.append("[chunked]") }
            if !head.keepsAlive { lines.append("[close]") }
            if head.expectsContinue { lines.append("[continue]") }
        case .body(let bytes): body += bytes
        case .end:
            if !body.isEmpty { lines.append("body \(String(decoding: body, as: UTF8.self))") }
            body = []
            lines.append("end")
        }
    }

    var description: String { (lines + [error.map { "\($0.status)" } ?? "ok"]).joined(separator: " | ") }
}

/// The bytes of a request written with bare line feeds, for legibility.
func wire(_ text: String) -> [UInt8] {
    Array(text.replacing("\n", with: "\r\n").utf8)
}
