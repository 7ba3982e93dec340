/// One request of an HTTP/2 connection, and its answer.
final class HTTP2Stream {
    /// How far the request has come.
    enum Phase {
        case answering, body, headers
        /// The answer is complete while the request is not. A client that is still sending may take a reset for the
        /// whole answer (curl 7.88 does, if both come together), so that comes later.
        case lingering
    }

    let id: Int32
    var phase = Phase.headers
    /// When `phase` was entered, and while answering, when the client last took something or nothing was there to take.
    var lastProgressMilliseconds: Int
    var method = ""
    var target: [UInt8] = []
    var headers = HTTPHeaders()
    var headerByteCount = 0
    var body: [UInt8] = []
    var response: HTTPResponse?
    var isHeadSent = false
    /// Whether nghttp2 waits to be told that there are bytes again.
    var isDeferred = false
    /// Whether the answer comes before the end of the request.
    var isEarlyAnswer = false
    /// What is wrong with the headers; known before they end, answered when they have ended.
    var headerError: HTTPError?

    init(id: Int32, now: Int) {
        self.id = id
        lastProgressMilliseconds = now
    }

    func enter(_ next: Phase) {
        phase = next
        lastProgressMilliseconds = MonotonicClock.nowMilliseconds()
    }

    /// Takes one header line, checked by nghttp2 already, within the limits.
    func addHeader(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, limits: HTTPLimits) {
        headerByteCount += name.count + value.count + 4
        guard name.first != ASCII.colon else { return addPseudoHeader(name: name, value: value, limits: limits) }
        guard headerByteCount <= limits.headerBytesMax else {
            headerError = .headersBeyondLimit(limitBytes: limits.headerBytesMax)
            return
        }
        guard headers.lines.count < limits.headerCountMax else {
            headerError = .headerCountBeyondLimit(limit: limits.headerCountMax)
            return
        }
        let name = String(decoding: name, as: UTF8.self)
        // `:authority` has come before, and counts (RFC 9113 §8.3.1).
        if name == "host", headers["host"] != nil { return }
        headers.append(name, String(decoding: value, as: UTF8.self))
    }

    private func addPseudoHeader(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, limits: HTTPLimits
    ) {
        switch name[1] {
        case UInt8(ascii: "m"): method = String(decoding: value, as: UTF8.self)
        case UInt8(ascii: "a"): headers.append("host", String(decoding: value, as: UTF8.self))
        case UInt8(ascii: "p") where value.count <= limits.requestLineBytesMax: target = Array(value)
        case UInt8(ascii: "p"): headerError = .requestLineBeyondLimit(limitBytes: limits.requestLineBytesMax)
        default: break
        }
    }

    /// The length that the client announced; nil if it announced none. nghttp2 holds the client to it.
    func announcedLength() -> Int? { headers["content-length"].flatMap { ASCII.decimal($0.utf8) } }

    /// The complete request; throws if its target makes no sense.
    func request(remoteAddress: String, isEncrypted: Bool) throws(HTTPError) -> HTTPRequest {
        let (path, query) = try RequestLine.parseTarget(target[...], method: method)
        return HTTPRequest(
            method: method, path: path, query: query, headers: headers, body: body, version: .http2,
            remoteAddress: remoteAddress, isEncrypted: isEncrypted)
    }
}
