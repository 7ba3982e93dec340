/// The versions of HTTP that are spoken here.
public enum HTTPVersion: String, Sendable {
    /// HTTP/1.0: one request per connection unless the client asks for more.
    case http1_0 = "HTTP/1.0"
    /// HTTP/1.1.
    case http1_1 = "HTTP/1.1"
    /// HTTP/2.
    case http2 = "HTTP/2"
}
