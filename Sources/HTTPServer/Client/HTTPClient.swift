import Basics
import Glibc

/// What a server answered.
public struct HTTPClientResponse: Sendable {
    /// The status.
    public let status: Int
    /// The header lines.
    public let headers: HTTPHeaders
    /// The body; empty if it was streamed to a callback.
    public let body: [UInt8]
}

/// A client for HTTP/1.1 over TCP, for tools: it blocks the calling thread, and keeps one connection as long as the
/// server does. Not for several threads at once: each has its own.
public final class HTTPClient {
    /// How long connecting, or one wait for bytes, may take, in milliseconds.
    public var timeoutMilliseconds: Int { patience.timeoutMilliseconds }
    private let patience: ClientPatience
    private let host: String
    private let port: UInt16
    private var socket: Socket?
    private var parser = HTTP1ResponseParser()

    /// A client of the server at `host` and `port`; connects when it is first used. As soon as `interruptDescriptor` is
    /// readable, whatever the client waits for ends with `HTTPError.interrupted`; the client never reads from it.
    public init(
        host: String, port: UInt16, timeoutMilliseconds: Int = 30_000, interruptDescriptor: Int32? = nil
    ) {
        self.host = host
        self.port = port
        patience = ClientPatience(timeoutMilliseconds: timeoutMilliseconds, interruptDescriptor: interruptDescriptor)
    }

    /// Sends a request and waits for the whole answer.
    public func request(
        method: String, path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws(HTTPError) -> HTTPClientResponse {
        var received: [UInt8] = []
        var isBeyondLimit = false
        let response = try stream(method: method, path: path, headers: headers, body: body) { chunk in
            isBeyondLimit = received.count + chunk.count > Limits.HTTP.clientBodyBytesMax
            if !isBeyondLimit { received += chunk }
            return !isBeyondLimit
        }
        guard !isBeyondLimit else { throw .bodyBeyondLimit(limitBytes: Limits.HTTP.clientBodyBytesMax) }
        return HTTPClientResponse(status: response.status, headers: response.headers, body: received)
    }

    /// Sends a request and calls `onChunk` with each piece of the body as it comes; false from it ends the connection.
    /// `onHead` sees the status and headers before the first piece.
    @discardableResult
    public func stream(
        method: String, path: String, headers: [(String, String)] = [], body: [UInt8] = [],
        onHead: (HTTPClientResponse) -> Void = { _ in }, onChunk: ([UInt8]) -> Bool
    ) throws(HTTPError) -> HTTPClientResponse {
        // A server may have closed a connection that waited for its next request.
        if socket?.hasInput == true { close() }
        let mayRetry = socket != nil && (method == "GET" || method == "HEAD")
        do throws(HTTPError) {
            return try exchange(Self.encode(method, path, host, port, headers, body), method, onHead, onChunk)
        } catch {
            close()
            // Or it closes it just when the request is on its way.
            guard mayRetry, case .connectionClosed(during: Self.beforeAnswer) = error else { throw error }
            return try exchangeOrClose(Self.encode(method, path, host, port, headers, body), method, onHead, onChunk)
        }
    }

    /// Ends the connection; the next request opens another.
    public func close() {
        socket = nil
        parser = HTTP1ResponseParser()
    }

    private func exchangeOrClose(
        _ request: [UInt8], _ method: String, _ onHead: (HTTPClientResponse) -> Void, _ onChunk: ([UInt8]) -> Bool
    ) throws(HTTPError) -> HTTPClientResponse {
        do throws(HTTPError) {
            return try exchange(request, method, onHead, onChunk)
        } catch {
            close()
            throw error
        }
    }

    private func exchange(
        _ request: [UInt8], _ method: String, _ onHead: (HTTPClientResponse) -> Void, _ onChunk: ([UInt8]) -> Bool
    ) throws(HTTPError) -> HTTPClientResponse {
        let socket = try connected()
        try socket.sendAll(request, patience: patience)
        parser.expectResponse(toHead: method == "HEAD")
        var head: HTTPClientResponse?
        while true {
            switch try nextEvent(socket, hasHead: head != nil) {
            case .head(let status, let headers):
                let found = HTTPClientResponse(status: status, headers: headers, body: [])
                head = found
                onHead(found)
            case .body(let bytes):
                if !onChunk(bytes), let head {
                    close()
                    return head
                }
            case .end(let keepsAlive):
                if !keepsAlive { close() }
                guard let head else { throw .malformed(reason: "an answer without a head") }
                return head
            }
        }
    }

    private func nextEvent(_ socket: Socket, hasHead: Bool) throws(HTTPError) -> HTTP1ResponseEvent {
        while true {
            if let event = try parser.next() { return event }
            let count = try socket.receive(patience: patience) { parser.append($0) }
            if count == 0 {
                if let event = try parser.end() { return event }
                throw .connectionClosed(during: hasHead || parser.hasBegun ? "an answer" : Self.beforeAnswer)
            }
        }
    }

    private func connected() throws(HTTPError) -> Socket {
        if let socket { return socket }
        let opened = try Socket.connected(host: host, port: port, patience: patience)
        socket = opened
        return opened
    }

    private static let beforeAnswer = "the wait for an answer"

    private static func encode(
        _ method: String, _ path: String, _ host: String, _ port: UInt16, _ headers: [(String, String)],
        _ body: [UInt8]
    ) -> [UInt8] {
        let name = host.contains(":") ? "[\(host)]" : host
        var text = "\(method) \(path) HTTP/1.1\r\nhost: \(name):\(port)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty || method == "POST" || method == "PUT" { text += "content-length: \(body.count)\r\n" }
        return Array((text + "\r\n").utf8) + body
    }
}
