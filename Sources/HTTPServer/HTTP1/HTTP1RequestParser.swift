import Basics

/// The head of a request, checked as a whole.
package struct HTTP1RequestHead: Sendable, Equatable {
    /// The method.
    package var method: String
    /// The path, without the query.
    package var path: String
    /// What follows the `?`.
    package var query: String
    /// The version.
    package var version: HTTPVersion
    /// The header lines.
    package var headers: HTTPHeaders
    /// How the body ends.
    package var framing: HTTP1BodyFraming
    /// Whether the connection is to serve another request afterwards.
    package var keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    package var expectsContinue: Bool
}

/// What the parser found.
package enum HTTP1RequestEvent: Sendable, Equatable {
    /// Some bytes of the body.
    case body([UInt8])
    /// The request is complete; the next one may follow.
    case end
    /// The head of a request.
    case head(HTTP1RequestHead)
}

/// A push parser for HTTP/1 requests: bytes go in as they come, events come out.
///
/// It is strict where leniency has let one server see two requests where another sees one: every line ends with CR LF,
/// a header name touches its colon, a line never continues on the next, a body has exactly one length. However the
/// bytes are cut, the events and the error are the same (adjacent `body` events aside). The first error is final.
/// A value without clocks and sockets: time-outs are the caller's.
package struct HTTP1RequestParser: Sendable {
    private enum State: Sendable {
        case body(HTTP1BodyDecoder)
        case failed(HTTPError)
        case fields(RequestLine, HTTP1FieldParser)
        case requestLine(emptyLinesSkipped: Int)
    }

    private let limits: HTTPLimits
    private var buffer = HTTP1Buffer()
    private var state = State.requestLine(emptyLinesSkipped: 0)

    /// A parser for the requests of one connection.
    package init(limits: HTTPLimits) { self.limits = limits }

    /// Bytes that are not parsed yet.
    package var bufferedByteCount: Int { buffer.count }

    /// Whether the parser is between two requests, with nothing of the next one received.
    package var isIdle: Bool {
        if case .requestLine = state { buffer.count == 0 } else { false }
    }

    /// Adds received bytes.
    package mutating func append(_ received: UnsafeRawBufferPointer) {
        if case .failed = state { return }
        buffer.append(received)
    }

    /// The next event; nil if more bytes are needed. Throws the same error for ever once it has thrown one.
    package mutating func next() throws(HTTPError) -> HTTP1RequestEvent? {
        do throws(HTTPError) {
            return try advance()
        } catch {
            state = .failed(error)
            buffer = HTTP1Buffer()
            throw error
        }
    }

    private mutating func advance() throws(HTTPError) -> HTTP1RequestEvent? {
        while true {
            switch state {
            case .failed(let error):
                throw error
            case .requestLine(let emptyLinesSkipped):
                guard let line = try takeRequestLine() else { return nil }
                if line.isEmpty {
                    guard emptyLinesSkipped < Limits.HTTP.leadingEmptyLinesMax else {
                        throw .malformed(reason: "empty lines instead of a request")
                    }
                    state = .requestLine(emptyLinesSkipped: emptyLinesSkipped + 1)
                    continue
                }
                let fields = HTTP1FieldParser(bytesMax: limits.headerBytesMax, countMax: limits.headerCountMax)
                state = .fields(try RequestLine(parsing: line), fields)
            case .fields(let line, var fields):
                let isComplete = try fields.parse(from: &buffer)
                guard isComplete else {
                    state = .fields(line, fields)
                    return nil
                }
                return .head(try finishHead(line, fields.headers))
            case .body(var decoder):
                guard let event = try decoder.next(from: &buffer) else {
                    state = .body(decoder)
                    return nil
                }
                switch event {
                case .data(let bytes):
                    state = .body(decoder)
                    return .body(bytes)
                case .end:
                    state = .requestLine(emptyLinesSkipped: 0)
                    return .end
                }
            }
        }
    }

    private mutating func takeRequestLine() throws(HTTPError) -> ArraySlice<UInt8>? {
        let limit = limits.requestLineBytesMax
        return try buffer.takeLine(bytesMax: limit, overflow: .requestLineBeyondLimit(limitBytes: limit))
    }

    private mutating func finishHead(
        _ line: RequestLine, _ headers: HTTPHeaders
    ) throws(HTTPError) -> HTTP1RequestHead {
        let semantics = HTTP1HeadRules(version: line.version, headers: headers)
        try semantics.checkHost()
        let framing = try semantics.framing(bodyBytesMax: limits.bodyBytesMax)
        let expectsContinue = try semantics.expectsContinue()
        state = .body(
            HTTP1BodyDecoder(
                framing: framing, bytesMax: limits.bodyBytesMax, headerBytesMax: limits.headerBytesMax,
                headerCountMax: limits.headerCountMax))
        return HTTP1RequestHead(
            method: line.method, path: line.path, query: line.query, version: line.version, headers: headers,
            framing: framing, keepsAlive: semantics.keepsAlive, expectsContinue: expectsContinue)
    }
}

/// The first line of a request.
struct RequestLine: Sendable {
    let method: String
    let path: String
    let query: String
    let version: HTTPVersion

    init(parsing line: ArraySlice<UInt8>) throws(HTTPError) {
        let parts = line.split(separator: ASCII.space, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed(reason: "the request line needs a method, target and version") }
        version = try Self.parseVersion(parts[2])
        guard (1...Limits.HTTP.methodBytesMax).contains(parts[0].count), parts[0].allSatisfy(ASCII.isTokenByte) else {
            throw .malformed(reason: "the method is not a token")
        }
        method = String(decoding: parts[0], as: UTF8.self)
        guard method != "CONNECT" else { throw .methodUnsupported(method) }
        (path, query) = try Self.parseTarget(parts[1], method: method)
    }

    private static func parseVersion(_ bytes: ArraySlice<UInt8>) throws(HTTPError) -> HTTPVersion {
        let text = String(decoding: bytes, as: UTF8.self)
        if text == HTTPVersion.http1_1.rawValue { return .http1_1 }
        if text == HTTPVersion.http1_0.rawValue { return .http1_0 }
        let digits = Array(bytes)
        guard text.hasPrefix("HTTP/"), digits.count == 8, digits[6] == UInt8(ascii: "."),
            ASCII.decimal(digits[5...5]) != nil, ASCII.decimal(digits[7...7]) != nil
        else { throw .malformed(reason: "the request line does not end with a version") }
        throw .versionUnsupported(text)
    }

    /// Splits a target into path and query. Takes `/path`, `*` for OPTIONS, and whole `http` and `https` addresses,
    /// whose host is dropped as this server has no virtual hosts.
    static func parseTarget(
        _ bytes: ArraySlice<UInt8>, method: String
    ) throws(HTTPError) -> (path: String, query: String) {
        guard !bytes.isEmpty, bytes.allSatisfy(ASCII.isTargetByte) else {
            throw .malformed(reason: "the target has a bad character")
        }
        var target = bytes
        if bytes.first != UInt8(ascii: "/") {
            if method == "OPTIONS", bytes.elementsEqual("*".utf8) { return ("*", "") }
            target = try withoutAuthority(bytes)
        }
        let mark = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let path = String(decoding: target[..<mark], as: UTF8.self)
        return (path.isEmpty ? "/" : path, String(decoding: target[mark...].dropFirst(), as: UTF8.self))
    }

    private static func withoutAuthority(_ bytes: ArraySlice<UInt8>) throws(HTTPError) -> ArraySlice<UInt8> {
        for scheme in ["http://", "https://"] where bytes.count > scheme.utf8.count {
            let prefix = String(decoding: bytes.prefix(scheme.utf8.count), as: UTF8.self)
            guard prefix.lowercased() == scheme else { continue }
            let rest = bytes.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard end > rest.startIndex else { break }
            return rest[end...]
        }
        throw .malformed(reason: "the target is neither a path nor an address")
    }
}
