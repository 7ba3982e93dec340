import Basics
import Logging

/// HTTP/1 on one connection: one request at a time; pipelined ones wait in the parser.
///
/// ```
/// idle ──first byte──▶ head ──empty line──▶ body ──end──▶ answering ──sent──▶ idle
///   └──────────────┴──────────┴─ error, time-out ─▶ ended ◀─ "close" ─┘
/// ```
///
/// Used on the connection's queue only, which is what makes the class safe to share.
final class HTTP1Session: HTTPSession, HTTPResponseSink, @unchecked Sendable {
    private enum Phase {
        case answering(HTTP1Exchange)
        case body(HTTP1RequestHead)
        case ended
        case head
        case idle
    }

    /// Strong until the connection closes, as a weak reference makes all counting of its target slow.
    private(set) var connection: Connection?
    private let context: ServerContext
    private var parser: HTTP1RequestParser
    private var phase = Phase.idle
    /// When `phase` was entered, in milliseconds.
    private var phaseBegan: Int
    private var body: [UInt8] = []
    /// Encoded bytes that are no handler's: interim and error answers.
    private var ownBytes: [UInt8] = []
    private var isShuttingDown = false
    private(set) var lingers = false

    init(connection: Connection) {
        self.connection = connection
        context = connection.context
        parser = HTTP1RequestParser(limits: connection.context.limits)
        // A client that connects and says nothing has as long as one that says half.
        phaseBegan = connection.openedMilliseconds
    }

    var wantsRead: Bool {
        switch phase {
        case .answering, .ended: parser.bufferedByteCount < Limits.HTTP.pipelinedBytesMax
        case .body, .head, .idle: true
        }
    }

    var isDone: Bool {
        if case .ended = phase { ownBytes.isEmpty } else { false }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        if case .ended = phase { return }
        parser.append(bytes)
        parse()
    }

    /// Parses until a request is complete and handed over, or more bytes are needed.
    private func parse() {
        while true {
            switch phase {
            case .answering, .ended: return
            case .body, .head, .idle: break
            }
            do throws(HTTPError) {
                guard let event = try parser.next() else {
                    if case .idle = phase, !parser.isIdle { enter(.head) }
                    return
                }
                try handle(event)
            } catch {
                fail(error)
            }
        }
    }

    private func handle(_ event: HTTP1RequestEvent) throws(HTTPError) {
        switch event {
        case .head(let head):
            enter(.body(head))
            if head.expectsContinue, head.framing != .length(0), parser.bufferedByteCount == 0 {
                ownBytes += Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
            }
        case .body(let bytes):
            try context.bodyMemory.acquire(bytes.count)
            if body.isEmpty { body = bytes } else { body += bytes }
        case .end:
            guard case .body(let head) = phase else { return }
            handOver(head)
        }
    }

    private func handOver(_ head: HTTP1RequestHead) {
        guard let connection else { return }
        let request = HTTPRequest(
            method: head.method, path: head.path, query: head.query, headers: head.headers, body: body,
            version: head.version, remoteAddress: connection.remoteAddress, isEncrypted: connection.isEncrypted)
        dropBody()
        let response = HTTPResponse(
            sink: self, loop: connection.loop, streamID: 0, bufferBytesMax: context.limits.streamBufferBytesMax)
        let exchange = HTTP1Exchange(
            response: response, isHead: head.method == "HEAD", version: head.version,
            keepsAlive: head.keepsAlive && !isShuttingDown)
        enter(.answering(exchange))
        context.handler.handle(request, response: response)
        responseDidChange(response)
    }

    func responseDidChange(_ response: HTTPResponse) {
        guard case .answering(let exchange) = phase, exchange.response === response else { return }
        // The bytes themselves are fetched by `produce` when the connection can take them.
        guard response.look().isOverflowing else { return }
        connection?.cut(.answerBeyondLimit(limitBytes: context.limits.streamBufferBytesMax))
    }

    func produce(into outbox: inout [UInt8]) {
        while true {
            outbox += ownBytes
            ownBytes = []
            guard case .answering(var exchange) = phase, outbox.count < Limits.HTTP.outboxBytesMax,
                let connection
            else { return }
            let isComplete = exchange.produce(into: &outbox, date: connection.loop.date)
            phase = .answering(exchange)
            guard isComplete else { return }
            exchange.response.detach()
            enter(exchange.keepsAlive && !isShuttingDown ? .idle : .ended)
            parse()
        }
    }

    func peerDidEnd() {
        switch phase {
        case .answering(let exchange):
            // The end of the client's side is how a client that gave up looks; an answer that is ready still goes out.
            isShuttingDown = true
            if !exchange.response.look().isFinished { connection?.close() }
        case .body, .ended, .head, .idle: enter(.ended)
        }
    }

    func tick(now: Int) -> Bool {
        let limits = context.limits
        let waited = now - phaseBegan
        switch phase {
        case .answering, .ended:
            return false
        case .idle:
            guard waited > limits.idleTimeoutMilliseconds else { return false }
            enter(.ended)
        case .head:
            let limit = limits.headerTimeoutMilliseconds
            guard waited > limit else { return false }
            fail(.timedOut(during: "receiving the headers", limitMilliseconds: limit))
        case .body:
            let limit = limits.bodyTimeoutMilliseconds
            guard waited > limit else { return false }
            fail(.timedOut(during: "receiving the body", limitMilliseconds: limit))
        }
        return true
    }

    func shutDown() {
        isShuttingDown = true
        switch phase {
        case .answering, .ended: break
        case .body, .head, .idle: enter(.ended)
        }
    }

    func connectionDidClose() {
        defer { connection = nil }
        if case .answering(let exchange) = phase { exchange.response.detach() }
        dropBody()
        phase = .ended
    }

    private func dropBody() {
        context.bodyMemory.release(body.count)
        body = []
    }

    private func fail(_ error: HTTPError) {
        guard let connection else { return }
        context.logger.debug(
            "HTTP/1 request refused",
            metadata: [
                "client": .string(connection.remoteAddress), "reason": .string(error.description),
            ])
        dropBody()
        let body = ErrorAnswer.body(error)
        let head = HTTPResponseHead(status: error.status, headers: ErrorAnswer.headers, bodyByteCount: body.count)
        HTTP1ResponseWriter.writeHead(
            head, framing: .length(body.count), connectionOption: "close", date: connection.loop.date(),
            into: &ownBytes)
        ownBytes += body
        lingers = true
        enter(.ended)
    }

    private func enter(_ next: Phase) {
        phase = next
        phaseBegan = MonotonicClock.nowMilliseconds()
    }
}
