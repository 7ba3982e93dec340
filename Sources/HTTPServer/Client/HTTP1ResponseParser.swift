import Basics

/// What the parser found in a server's answer.
enum HTTP1ResponseEvent: Equatable {
    case body([UInt8])
    case end(keepsAlive: Bool)
    case head(status: Int, headers: HTTPHeaders)
}

/// A push parser for answers, with the body's decoding shared with the server's parser.
struct HTTP1ResponseParser {
    private enum State {
        case body(HTTP1BodyDecoder, keepsAlive: Bool)
        case fields(status: Int, version: String, HTTP1FieldParser)
        case statusLine
    }

    private var buffer = HTTP1Buffer()
    private var state = State.statusLine
    private var isAnswerToHead = false

    /// Whether some of an answer has come.
    var hasBegun: Bool {
        if case .statusLine = state { buffer.count > 0 } else { true }
    }

    mutating func expectResponse(toHead isAnswerToHead: Bool) { self.isAnswerToHead = isAnswerToHead }

    mutating func append(_ received: UnsafeRawBufferPointer) { buffer.append(received) }

    /// The next event; nil if more bytes are needed.
    mutating func next() throws(HTTPError) -> HTTP1ResponseEvent? {
        while true {
            switch state {
            case .statusLine:
                let limit = Limits.HTTP.requestLineBytesMax
                let overflow = HTTPError.malformed(reason: "the status line is too long")
                guard let line = try buffer.takeLine(bytesMax: limit, overflow: overflow) else { return nil }
                state = try Self.parseStatusLine(line)
            case .fields(let status, let version, var fields):
                guard try fields.parse(from: &buffer) else {
                    state = .fields(status: status, version: version, fields)
                    return nil
                }
                // Interim answers, such as 100 Continue, precede the real one.
                guard status >= 200 else {
                    state = .statusLine
                    continue
                }
                try beginBody(status: status, version: version, fields.headers)
                return .head(status: status, headers: fields.headers)
            case .body(var decoder, let keepsAlive):
                let event = try decoder.next(from: &buffer)
                state = .body(decoder, keepsAlive: keepsAlive)
                switch event {
                case nil: return nil
                case .data(let bytes): return .body(bytes)
                case .end:
                    state = .statusLine
                    return .end(keepsAlive: keepsAlive)
                }
            }
        }
    }

    /// The connection has ended: the end of a body without another end, nil if that is no place to end at.
    mutating func end() throws(HTTPError) -> HTTP1ResponseEvent? {
        guard case .body(let decoder, _) = state, decoder.endsWithConnection else { return nil }
        state = .statusLine
        return .end(keepsAlive: false)
    }

    private static func parseStatusLine(_ line: ArraySlice<UInt8>) throws(HTTPError) -> State {
        let text = String(decoding: line, as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", parts[1].utf8.count == 3,
            let status = ASCII.decimal(parts[1].utf8)
        else { throw .malformed(reason: "the answer does not begin with a status line") }
        let fields = HTTP1FieldParser(bytesMax: Limits.HTTP.headerBytesMax, countMax: Limits.HTTP.headerCountMax)
        return .fields(status: status, version: String(parts[0]), fields)
    }

    private mutating func beginBody(status: Int, version: String, _ headers: HTTPHeaders) throws(HTTPError) {
        let options = headers.tokens("connection")
        let isNew = version == "HTTP/1.1"
        let framing = try framing(status: status, headers)
        let keepsAlive =
            framing != .untilClose && !options.contains("close") && (isNew || options.contains("keep-alive"))
        let decoder = HTTP1BodyDecoder(
            framing: framing, bytesMax: .max, headerBytesMax: Limits.HTTP.headerBytesMax,
            headerCountMax: Limits.HTTP.headerCountMax)
        state = .body(decoder, keepsAlive: keepsAlive)
    }

    private func framing(status: Int, _ headers: HTTPHeaders) throws(HTTPError) -> HTTP1BodyFraming {
        if isAnswerToHead || status == 204 || status == 304 { return .length(0) }
        let codings = headers.tokens("transfer-encoding")
        if !codings.isEmpty {
            guard codings == ["chunked"] else {
                throw .transferCodingUnknown(codings.joined(separator: ", "))
            }
            return .chunked
        }
        let lengths = Set(headers.values("content-length"))
        guard let text = lengths.first else { return .untilClose }
        guard lengths.count == 1, let length = ASCII.decimal(text.utf8) else {
            throw .malformed(reason: "the answer's Content-Length is not a number")
        }
        return .length(length)
    }
}
