import Basics

/// One answer on its way out in HTTP/1: fetches the head and the body from the response and frames them.
struct HTTP1Exchange {
    private enum Framing {
        case chunked, none, plain
    }

    let response: HTTPResponse
    let isHead: Bool
    let version: HTTPVersion
    /// Whether the connection serves another request afterwards.
    private(set) var keepsAlive: Bool
    private var framing: Framing?

    init(response: HTTPResponse, isHead: Bool, version: HTTPVersion, keepsAlive: Bool) {
        self.response = response
        self.isHead = isHead
        self.version = version
        self.keepsAlive = keepsAlive
    }

    /// Appends what is there, up to the outbox's limit; true when the answer is complete.
    mutating func produce(into outbox: inout [UInt8], date: () -> String) -> Bool {
        if let head = response.takeHead() { begin(head, into: &outbox, date: date()) }
        guard let framing else { return false }
        while outbox.count < Limits.HTTP.outboxBytesMax {
            let (bytes, isEnd) = response.takeBody(upTo: Limits.HTTP.outboxBytesMax - outbox.count)
            switch framing {
            case .none: break
            case .plain: outbox += bytes
            case .chunked: HTTP1ResponseWriter.writeChunk(bytes, isEnd: isEnd, into: &outbox)
            }
            if isEnd { return true }
            if bytes.isEmpty { return false }
        }
        return false
    }

    private mutating func begin(_ head: HTTPResponseHead, into outbox: inout [UInt8], date: String) {
        let announced: HTTP1BodyFraming
        if let count = head.bodyByteCount {
            (announced, framing) = (.length(count), .plain)
        } else if version == .http1_1 {
            (announced, framing) = (.chunked, .chunked)
        } else {
            (announced, framing) = (.untilClose, .plain)
            // Without chunks the end of the connection is the end of the body.
            if !isHead { keepsAlive = false }
        }
        if isHead || head.forbidsBody { framing = Framing.none }
        let option: String? =
            switch (keepsAlive, version) {
            case (false, _): "close"
            case (true, .http1_0): "keep-alive"
            case (true, _): nil
            }
        HTTP1ResponseWriter.writeHead(
            head, framing: head.forbidsBody ? nil : announced, connectionOption: option, date: date, into: &outbox)
    }
}

/// The bytes of HTTP/1 answers.
enum HTTP1ResponseWriter {
    static func writeHead(
        _ head: HTTPResponseHead, framing: HTTP1BodyFraming?, connectionOption: String?, date: String,
        into outbox: inout [UInt8]
    ) {
        outbox += "HTTP/1.1 \(head.status) \(reason(head.status))\r\ndate: \(date)\r\n".utf8
        for (name, value) in head.headers {
            outbox += name.utf8
            outbox += ": ".utf8
            outbox += value.utf8
            outbox += ASCII.lineEnd
        }
        switch framing {
        case .chunked: outbox += "transfer-encoding: chunked\r\n".utf8
        case .length(let count): outbox += "content-length: \(count)\r\n".utf8
        case .untilClose, nil: break
        }
        if let connectionOption { outbox += "connection: \(connectionOption)\r\n".utf8 }
        outbox += ASCII.lineEnd
    }

    /// One chunk, and the end of the body after the last.
    static func writeChunk(_ bytes: [UInt8], isEnd: Bool, into outbox: inout [UInt8]) {
        if !bytes.isEmpty {
            outbox += String(bytes.count, radix: 16).utf8
            outbox += ASCII.lineEnd
            outbox += bytes
            outbox += ASCII.lineEnd
        }
        if isEnd { outbox += "0\r\n\r\n".utf8 }
    }

    private static func reason(_ status: Int) -> String { reasons[status] ?? "Status" }

    private static let reasons: [Int: String] = [
        200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found",
        304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required",
        413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
        422: "Unprocessable Content", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
        500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
        504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]
}
