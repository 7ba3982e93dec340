/// What the headers of a request mean for the message itself, and which combinations are refused.
struct HTTP1HeadRules {
    let version: HTTPVersion
    let headers: HTTPHeaders

    /// HTTP/1.1 wants exactly one host, HTTP/1.0 at most one.
    func checkHost() throws(HTTPError) {
        let hosts = headers.values("host")
        guard hosts.count <= 1 else { throw .malformed(reason: "more than one Host header") }
        guard hosts.count == 1 || version == .http1_0 else { throw .malformed(reason: "no Host header") }
        let isClean = hosts.allSatisfy { host in
            host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Self.badHostBytes.contains($0) }
        }
        guard isClean else { throw .malformed(reason: "the Host header has a bad character") }
    }

    /// The one way in which the body ends.
    func framing(bodyBytesMax: Int) throws(HTTPError) -> HTTP1BodyFraming {
        let codings = headers.values("transfer-encoding")
        let lengths = headers.values("content-length")
        if !codings.isEmpty {
            guard lengths.isEmpty else { throw .malformed(reason: "both Content-Length and Transfer-Encoding") }
            guard version == .http1_1 else { throw .malformed(reason: "Transfer-Encoding in HTTP/1.0") }
            guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                throw .transferCodingUnknown(codings.joined(separator: ", "))
            }
            return .chunked
        }
        return .length(try length(lengths, bodyBytesMax: bodyBytesMax))
    }

    private func length(_ values: [String], bodyBytesMax: Int) throws(HTTPError) -> Int {
        guard let first = values.first else { return 0 }
        guard values.allSatisfy({ $0 == first }) else { throw .malformed(reason: "two different Content-Lengths") }
        guard !first.isEmpty, first.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .malformed(reason: "the Content-Length is not a number")
        }
        guard let length = ASCII.decimal(first.utf8), length <= bodyBytesMax else {
            throw .bodyBeyondLimit(limitBytes: bodyBytesMax)
        }
        return length
    }

    /// Whether the client waits for `100 Continue`.
    func expectsContinue() throws(HTTPError) -> Bool {
        let expectations = headers.tokens("expect")
        guard version == .http1_1, !expectations.isEmpty else { return false }
        guard expectations == ["100-continue"] else {
            throw .expectationUnknown(expectations.joined(separator: ", "))
        }
        return true
    }

    /// Whether another request may follow on the connection.
    var keepsAlive: Bool {
        let options = headers.tokens("connection")
        if options.contains("close") { return false }
        return version == .http1_1 || options.contains("keep-alive")
    }

    private static let badHostBytes = Set("/?#@,\\\"<>{}|^`".utf8)
}
