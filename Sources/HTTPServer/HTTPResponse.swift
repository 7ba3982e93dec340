import Basics
import Synchronization

/// The answer to one request. Every method may be called from any thread.
///
/// Either `send` answers at once, or `start`, any number of `write` and `finish` stream. What is out of order (a second
/// `send`, a `write` before `start`) or comes after the client has gone is ignored.
///
/// What is written waits here, nowhere else, until the connection takes it: a producer that outruns its client sees
/// `bufferedByteCount` grow, and is cut beyond the limit. Calls on other threads hop to the connection's queue once for
/// all that was written since the last hop, so many small writes cost one.
public final class HTTPResponse: Sendable {
    private enum Phase {
        case finished, streaming, waiting
    }

    private struct State {
        /// Strong until `detach`, which always comes: with the end of the answer, the stream or the connection.
        var sink: (any HTTPResponseSink)?
        var phase = Phase.waiting
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        var bodyOffset = 0
        var isClosed = false
        var isOverflowing = false
        /// Whether the connection will look at this response anyway: true while the handler runs and while a hop is
        /// under way.
        var isLookPromised = true
        var closeHandlers: [@Sendable () -> Void] = []

        var unsentByteCount: Int { body.count - bodyOffset }

        mutating func consume(_ byteCount: Int) {
            bodyOffset += byteCount
            if bodyOffset == body.count {
                body = []
                bodyOffset = 0
            } else if bodyOffset > 1 << 20 {
                body.removeFirst(bodyOffset)
                bodyOffset = 0
            }
        }
    }

    /// Which request of the connection is answered; 0 in HTTP/1.
    let streamID: Int32
    private let loop: EventLoop
    private let bufferBytesMax: Int
    private let state: Mutex<State>

    init(sink: any HTTPResponseSink, loop: EventLoop, streamID: Int32, bufferBytesMax: Int) {
        self.streamID = streamID
        self.loop = loop
        self.bufferBytesMax = bufferBytesMax
        state = Mutex(State(sink: sink))
    }

    /// Answers completely. `content-length` and `date` are added; headers that frame the message are the server's.
    public func send(status: Int, headers: [(String, String)], body: [UInt8]) {
        change { state in
            guard state.phase == .waiting else { return false }
            state.head = HTTPResponseHead(status: status, headers: headers, bodyByteCount: body.count)
            state.body = body
            state.phase = .finished
            return true
        }
    }

    /// Begins a streamed answer; the status and headers go out at once.
    public func start(status: Int, headers: [(String, String)]) {
        change { state in
            guard state.phase == .waiting else { return false }
            state.head = HTTPResponseHead(status: status, headers: headers, bodyByteCount: nil)
            state.phase = .streaming
            return true
        }
    }

    /// Streams some bytes. If the client has left more than the limit untaken before this call, it is cut.
    public func write(_ bytes: [UInt8]) {
        change { state in
            guard state.phase == .streaming, !bytes.isEmpty else { return false }
            if state.unsentByteCount > bufferBytesMax {
                state.isOverflowing = true
            } else if state.unsentByteCount == 0 {
                state.body = bytes
                state.bodyOffset = 0
            } else {
                state.body.append(contentsOf: bytes)
            }
            return true
        }
    }

    /// Ends a streamed answer.
    public func finish() {
        change { state in
            guard state.phase == .streaming else { return false }
            state.phase = .finished
            return true
        }
    }

    /// Calls `body` once if the client goes away (or the server stops) before the answer is finished: on the
    /// connection's queue, or here at once if that has happened already.
    public func onClose(_ body: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed, state.phase != .finished { state.closeHandlers.append(body) }
            return state.isClosed
        }
        if isClosed { body() }
    }

    /// Whether the client went away before the answer was finished: nothing written from now on reaches it.
    public var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Bytes written that the connection has not taken yet, as the client does not read fast enough.
    public var bufferedByteCount: Int { state.withLock { $0.unsentByteCount } }

    private func change(_ body: (inout sending State) -> Bool) {
        let mustHop = state.withLock { state in
            guard !state.isClosed, body(&state) else { return false }
            if state.phase == .finished { state.closeHandlers = [] }
            defer { state.isLookPromised = true }
            return !state.isLookPromised
        }
        if mustHop { loop.responseDidChange(self) }
    }
}

/// The connection's side; everything here is called on its queue.
extension HTTPResponse {
    /// What a connection finds when it looks.
    struct Look {
        /// The head, if it has not been taken yet; taking it is up to `takeHead`.
        var hasHead: Bool
        /// Whether bytes wait.
        var hasBody: Bool
        /// Whether nothing more will be written.
        var isFinished: Bool
        /// Whether the producer has outrun the client beyond the limit.
        var isOverflowing: Bool
    }

    /// Keeps the promise to look: later changes hop again.
    func look() -> Look {
        state.withLock { state in
            state.isLookPromised = false
            return Look(
                hasHead: state.head != nil, hasBody: state.unsentByteCount > 0, isFinished: state.phase == .finished,
                isOverflowing: state.isOverflowing)
        }
    }

    /// Where changes are looked at; nil once the answer is complete or its client gone.
    var sink: (any HTTPResponseSink)? { state.withLock { $0.sink } }

    /// The head, once.
    func takeHead() -> HTTPResponseHead? {
        state.withLock { state in
            defer { state.head = nil }
            return state.head
        }
    }

    /// Up to `byteCount` bytes of the body, and whether they are the last.
    func takeBody(upTo byteCount: Int) -> (bytes: [UInt8], isEnd: Bool) {
        state.withLock { state in
            let count = min(byteCount, state.unsentByteCount)
            let bytes: [UInt8]
            if state.bodyOffset == 0, count == state.body.count {
                bytes = state.body
                state.body = []
            } else {
                bytes = Array(state.body[state.bodyOffset..<state.bodyOffset + count])
                state.consume(count)
            }
            return (bytes, state.phase == .finished && state.unsentByteCount == 0)
        }
    }

    /// Moves as much of the body as fits into `target`; says how much that was and whether it was the last.
    func moveBody(into target: UnsafeMutableRawBufferPointer) -> (byteCount: Int, isEnd: Bool) {
        state.withLock { state in
            let count = min(target.count, state.unsentByteCount)
            state.body.withUnsafeBytes { body in
                let part = UnsafeRawBufferPointer(rebasing: body[state.bodyOffset..<state.bodyOffset + count])
                target.copyMemory(from: part)
            }
            state.consume(count)
            return (count, state.phase == .finished && state.unsentByteCount == 0)
        }
    }

    /// Ends the tie to the connection; unless the answer was finished, whoever asked is told that the client is gone.
    func detach() {
        let handlers = state.withLock { state in
            state.sink = nil
            state.isClosed = state.isClosed || state.phase != .finished
            state.body = []
            state.bodyOffset = 0
            defer { state.closeHandlers = [] }
            return state.closeHandlers
        }
        for handler in handlers { handler() }
    }
}

/// What looks at a response when it has changed: the HTTP/1 or HTTP/2 side of a connection.
protocol HTTPResponseSink: AnyObject, Sendable {
    /// Called on the connection's queue, once for any number of changes.
    func responseDidChange(_ response: HTTPResponse)
}

/// Status and headers as the handler gave them.
struct HTTPResponseHead: Sendable {
    /// Clamped to what the protocols can express.
    let status: Int
    /// Without the headers that frame the message, which are the server's to write; names in lower case.
    let headers: [(name: String, value: String)]
    /// The length of a whole answer; nil for a streamed one.
    let bodyByteCount: Int?

    init(status: Int, headers: [(String, String)], bodyByteCount: Int?) {
        self.status = (200...599).contains(status) ? status : 500
        self.bodyByteCount = bodyByteCount
        self.headers = headers.compactMap { name, value in
            let name = name.lowercased()
            guard !name.isEmpty, name.utf8.allSatisfy(ASCII.isTokenByte), !Self.framingNames.contains(name) else {
                return nil
            }
            // A value may carry what a client sent: a line end in it must not begin a header of the client's choice.
            guard !value.utf8.allSatisfy(ASCII.isValueByte) else { return (name, value) }
            return (name, String(decoding: value.utf8.map { ASCII.isValueByte($0) ? $0 : ASCII.space }, as: UTF8.self))
        }
    }

    /// Whether this status comes without a body whatever the handler gave.
    var forbidsBody: Bool { status == 204 || status == 304 }

    private static let framingNames: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
    ]
}
