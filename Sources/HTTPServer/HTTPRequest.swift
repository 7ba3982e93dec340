/// A complete request.
public struct HTTPRequest: Sendable {
    /// The method as sent, for instance `GET`.
    public var method: String
    /// The path without the query, as sent: nothing is percent-decoded.
    public var path: String
    /// What follows the `?` of the target, empty if there is none.
    public var query: String
    /// The header lines; HTTP/2's `:authority` appears as `host`.
    public var headers: HTTPHeaders
    /// The whole body, empty if there is none.
    public var body: [UInt8]
    /// The version that the client speaks.
    public var version: HTTPVersion
    /// The client's numeric address, without the port.
    public var remoteAddress: String
    /// Whether the request came over TLS.
    public var isEncrypted: Bool

    /// A request, for instance for a test of a handler.
    public init(
        method: String, path: String, query: String = "", headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
        version: HTTPVersion = .http1_1, remoteAddress: String = "127.0.0.1", isEncrypted: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.version = version
        self.remoteAddress = remoteAddress
        self.isEncrypted = isEncrypted
    }
}

/// Answers requests.
public protocol HTTPHandler: Sendable {
    /// Answers `request`, now or later, here or on any thread, through `response`.
    ///
    /// Called on the queue of the connection, which serves others too: it must not block. A response that is never
    /// finished keeps its client waiting.
    func handle(_ request: HTTPRequest, response: HTTPResponse)
}
