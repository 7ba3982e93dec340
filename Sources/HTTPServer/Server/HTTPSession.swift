import Basics
import Logging
import Synchronization

/// One protocol on one connection: plaintext in, plaintext out. Called on the connection's queue only.
protocol HTTPSession: AnyObject {
    /// The connection that carries the session.
    var connection: Connection? { get }
    /// Takes received bytes.
    func receive(_ bytes: UnsafeRawBufferPointer)
    /// Appends bytes to send until there are `Limits.HTTP.outboxBytesMax` of them.
    func produce(into outbox: inout [UInt8])
    /// The client sends no more.
    func peerDidEnd()
    /// Looks at the deadlines; true if that has given something to send or to close.
    func tick(now: Int) -> Bool
    /// Begins to end in good order: no new requests; answers under way may finish.
    func shutDown()
    /// The connection is gone.
    func connectionDidClose()
    /// Whether more bytes are welcome.
    var wantsRead: Bool { get }
    /// Whether the connection is to be closed once everything is sent.
    var isDone: Bool { get }
    /// Whether what the client still sends is to be read and dropped before closing.
    var lingers: Bool { get }
}

/// What all connections of one listener share.
final class ServerContext: Sendable {
    let limits: HTTPLimits
    let handler: any HTTPHandler
    let logger: Logger
    let bodyMemory: BodyMemory
    let connectionCount = Atomic<Int>(0)

    init(limits: HTTPLimits, handler: any HTTPHandler, logger: Logger) {
        self.limits = limits
        self.handler = handler
        self.logger = logger
        bodyMemory = BodyMemory(bytesMax: limits.bodyBytesInFlightMax)
    }
}

/// The bytes of all bodies under way, held to one limit, as no limit per request keeps many of them from filling the
/// memory.
final class BodyMemory: Sendable {
    private let bytesMax: Int
    private let used = Atomic<Int>(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Counts `byteCount` more bytes; throws if that is beyond the limit, and counts nothing then.
    func acquire(_ byteCount: Int) throws(HTTPError) {
        guard used.add(byteCount, ordering: .relaxed).newValue <= bytesMax else {
            used.subtract(byteCount, ordering: .relaxed)
            throw .bodyMemoryExhausted(limitBytes: bytesMax)
        }
    }

    /// Gives bytes back.
    func release(_ byteCount: Int) { used.subtract(byteCount, ordering: .relaxed) }
}

/// What the server itself answers when a request fails before it reaches the handler.
enum ErrorAnswer {
    static let headers = [("content-type", "application/json")]

    /// The error in the shape that OpenAI's clients read.
    static func body(_ error: HTTPError) -> [UInt8] {
        let type = error.status < 500 ? "invalid_request_error" : "server_error"
        let answer: JSON = [
            "error": ["message": .string(error.description), "type": .string(type), "param": nil, "code": nil]
        ]
        return Array(answer.serialised().utf8)
    }
}
