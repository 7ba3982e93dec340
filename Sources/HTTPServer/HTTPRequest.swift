/// The versions of HTTP that are spoken here.
public enum HTTPVersion: String, Sendable {
    /// HTTP/1.0: one request per connection unless the client asks for more.
    case http1_0 = "HTTP/1.0"
    /// HTTP/1.1.
    case http1_1 = "HTTP/1.1"
    /// HTTP/2.
    case http2 = "HTTP/2"
}

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
}

/// Answers requests.
public protocol HTTPHandler: Sendable {
    /// Answers `request`, now or later, here or on any thread, through `response`.
    ///
    /// Called on the queue of the connection, which serves others too: it must not block. A response that is never
    /// finished keeps its client waiting.
    func handle(_ request: HTTPRequest, response: HTTPResponse)
}
