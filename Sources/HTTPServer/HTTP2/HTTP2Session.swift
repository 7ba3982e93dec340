import Basics
import CNghttp2
import Logging

/// HTTP/2 on one connection. nghttp2 does the framing, header compression and flow control; this class turns its
/// callbacks into requests, and responses into frames.
///
/// A body is pulled: nghttp2 asks for bytes when the client's windows have room, and is told `later` when the handler
/// has written none; the next change of the response resumes it. So nothing is buffered that flow control does not
/// allow. Floods of resets, settings, pings and continuations are nghttp2's to refuse (its defaults).
///
/// Used on the connection's queue only, which is what makes the class safe to share.
final class HTTP2Session: HTTPSession, HTTPResponseSink, @unchecked Sendable {
    /// What a body has to offer.
    enum BodySupply {
        case bytes(Int, isEnd: Bool)
        case later
        case never
    }

    /// What a client that speaks HTTP/2 in cleartext begins with.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// Strong until the connection closes, as a weak reference makes all counting of its target slow.
    private(set) var connection: Connection?
    private let context: ServerContext
    private let native: OpaquePointer
    private var streams: [Int32: HTTP2Stream] = [:]
    private var idleSinceMilliseconds = MonotonicClock.nowMilliseconds()
    private var isShuttingDown = false
    private var hasFailed = false
    private var headerBytes: [UInt8] = []
    private var headerEnds: [Int] = []

    init(connection: Connection) throws(HTTPError) {
        let table = try HTTP2Callbacks.makeTable()
        defer { nghttp2_session_callbacks_del(table) }
        var created: OpaquePointer?
        guard nghttp2_session_server_new(&created, table, nil) == 0, let created else {
            throw .malformed(reason: "no memory for an HTTP/2 session")
        }
        native = created
        self.connection = connection
        context = connection.context
        nghttp2_session_set_user_data(native, Unmanaged.passUnretained(self).toOpaque())
        submitSettings()
    }

    deinit { nghttp2_session_del(native) }

    private func submitSettings() {
        let settings = [
            (NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, context.limits.streamsPerConnectionMax),
            (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, context.limits.headerBytesMax),
            (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, Limits.HTTP.streamWindowBytes),
            (NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ].map { nghttp2_settings_entry(settings_id: Int32($0.0.rawValue), value: UInt32(clamping: $0.1)) }
        nghttp2_submit_settings(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
        nghttp2_session_set_local_window_size(
            native, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(Limits.HTTP.connectionWindowBytes))
    }

    // MARK: The connection's side

    var wantsRead: Bool { true }
    var lingers: Bool { hasFailed || !isShuttingDown }

    var isDone: Bool {
        if hasFailed { return true }
        guard nghttp2_session_want_write(native) == 0 else { return false }
        return nghttp2_session_want_read(native) == 0 || isShuttingDown && streams.isEmpty
    }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let count = nghttp2_session_mem_recv(native, base, bytes.count)
        if count < 0 { fail(Int32(clamping: count)) }
    }

    func produce(into outbox: inout [UInt8]) {
        while outbox.count < Limits.HTTP.outboxBytesMax {
            var bytes: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(native, &bytes)
            if count < 0 { return fail(Int32(clamping: count)) }
            guard count > 0 else { return }
            outbox += UnsafeBufferPointer(start: bytes, count: count)
        }
    }

    func peerDidEnd() { connection?.close() }

    func shutDown() {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        let last = nghttp2_session_get_last_proc_stream_id(native)
        let code = UInt32(NGHTTP2_NO_ERROR.rawValue)
        nghttp2_submit_goaway(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code, nil, 0)
    }

    func connectionDidClose() {
        defer { connection = nil }
        let gone = streams.values
        streams = [:]
        for stream in gone { discard(stream) }
    }

    func tick(now: Int) -> Bool {
        let limits = context.limits
        if streams.isEmpty {
            guard now - idleSinceMilliseconds > limits.idleTimeoutMilliseconds else { return false }
            shutDown()
            return true
        }
        var hasActed = false
        for stream in streams.values {
            let waited = now - stream.lastProgressMilliseconds
            switch stream.phase {
            case .headers where waited > limits.headerTimeoutMilliseconds:
                // No other stream can go on while one's headers are incomplete.
                nghttp2_session_terminate_session(native, UInt32(NGHTTP2_ENHANCE_YOUR_CALM.rawValue))
                hasActed = true
            case .body where waited > limits.bodyTimeoutMilliseconds:
                let limit = limits.bodyTimeoutMilliseconds
                refuse(stream, .timedOut(during: "receiving the body", limitMilliseconds: limit))
                hasActed = true
            case .answering where waited > limits.writeStallTimeoutMilliseconds:
                guard stream.isHeadSent, stream.response?.bufferedByteCount ?? 0 > 0 else { continue }
                let limit = limits.writeStallTimeoutMilliseconds
                cut(stream, .timedOut(during: "sending an answer", limitMilliseconds: limit))
                hasActed = true
            case .lingering where waited > Limits.HTTP.lingerMilliseconds:
                reset(stream.id, NGHTTP2_NO_ERROR)
                hasActed = true
            case .answering, .body, .headers, .lingering: break
            }
        }
        return hasActed
    }

    private func fail(_ code: Int32) {
        hasFailed = true
        log("HTTP/2 connection ended", String(cString: nghttp2_strerror(code)))
    }

    // MARK: Requests

    func didBeginRequest(streamID: Int32) {
        streams[streamID] = HTTP2Stream(id: streamID, now: MonotonicClock.nowMilliseconds())
    }

    /// False if the stream is to be reset at once: its headers are far beyond what could be answered politely.
    func didReceiveHeader(
        streamID: Int32, name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard let stream = streams[streamID] else { return true }
        stream.addHeader(name: name, value: value, limits: context.limits)
        return stream.headerByteCount <= 4 * context.limits.headerBytesMax
    }

    func didReceiveHeaders(streamID: Int32) {
        guard let stream = streams[streamID] else { return }
        stream.enter(.body)
        do throws(HTTPError) {
            if let error = stream.headerError { throw error }
            guard stream.method != "CONNECT" else { throw .methodUnsupported(stream.method) }
            let rules = HTTP1HeadRules(version: .http1_1, headers: stream.headers)
            if stream.announcedLength() ?? 0 > context.limits.bodyBytesMax {
                throw .bodyBeyondLimit(limitBytes: context.limits.bodyBytesMax)
            }
            if try rules.expectsContinue() { submitContinue(streamID) }
        } catch {
            refuse(stream, error)
        }
    }

    func didReceiveBody(streamID: Int32, bytes: UnsafeBufferPointer<UInt8>) {
        guard let stream = streams[streamID], case .body = stream.phase else { return }
        do throws(HTTPError) {
            guard stream.body.count + bytes.count <= context.limits.bodyBytesMax else {
                throw .bodyBeyondLimit(limitBytes: context.limits.bodyBytesMax)
            }
            try context.bodyMemory.acquire(bytes.count)
            stream.body += bytes
        } catch {
            refuse(stream, error)
        }
    }

    func didReceiveRequest(streamID: Int32) {
        guard let stream = streams[streamID] else { return }
        stream.isEarlyAnswer = false
        guard case .body = stream.phase, let connection else { return }
        do throws(HTTPError) {
            let request = try stream.request(
                remoteAddress: connection.remoteAddress, isEncrypted: connection.isEncrypted)
            dropBody(of: stream)
            guard let response = beginAnswer(stream) else { return }
            context.handler.handle(request, response: response)
            responseDidChange(response)
        } catch {
            refuse(stream, error)
        }
    }

    func didCloseStream(streamID: Int32) {
        guard let stream = streams.removeValue(forKey: streamID) else { return }
        if streams.isEmpty { idleSinceMilliseconds = MonotonicClock.nowMilliseconds() }
        discard(stream)
    }

    private func submitContinue(_ streamID: Int32) {
        submitHeaders([(":status", "100")]) { headers, count in
            nghttp2_submit_headers(
                native, UInt8(NGHTTP2_FLAG_NONE.rawValue), streamID, nil, headers, count, nil)
        }
    }

    private func dropBody(of stream: HTTP2Stream) {
        context.bodyMemory.release(stream.body.count)
        stream.body = []
    }

    private func discard(_ stream: HTTP2Stream) {
        dropBody(of: stream)
        stream.response?.detach()
    }

    // MARK: Answers

    private func beginAnswer(_ stream: HTTP2Stream) -> HTTPResponse? {
        guard let connection else { return nil }
        let response = HTTPResponse(
            sink: self, loop: connection.loop, streamID: stream.id,
            bufferBytesMax: context.limits.streamBufferBytesMax)
        stream.response = response
        stream.enter(.answering)
        return response
    }

    /// Answers for the handler, possibly before the request is complete.
    private func refuse(_ stream: HTTP2Stream, _ error: HTTPError) {
        log("HTTP/2 request refused", error.description)
        dropBody(of: stream)
        stream.isEarlyAnswer = true
        guard let response = beginAnswer(stream) else { return }
        response.send(status: error.status, headers: ErrorAnswer.headers, body: ErrorAnswer.body(error))
        responseDidChange(response)
    }

    /// Ends a stream whose client does not take its answer.
    private func cut(_ stream: HTTP2Stream, _ error: HTTPError) {
        log("HTTP/2 stream cut", error.description)
        stream.response?.detach()
        reset(stream.id, NGHTTP2_CANCEL)
    }

    private func reset(_ streamID: Int32, _ code: nghttp2_error_code) {
        nghttp2_submit_rst_stream(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), streamID, UInt32(code.rawValue))
    }

    func responseDidChange(_ response: HTTPResponse) {
        guard let stream = streams[response.streamID], stream.response === response else { return }
        let look = response.look()
        if look.isOverflowing {
            return cut(stream, .answerBeyondLimit(limitBytes: context.limits.streamBufferBytesMax))
        }
        if look.hasHead, let head = response.takeHead() { submit(head, stream) }
        if stream.isDeferred {
            stream.isDeferred = false
            stream.lastProgressMilliseconds = MonotonicClock.nowMilliseconds()
            nghttp2_session_resume_data(native, stream.id)
        }
    }

    private func submit(_ head: HTTPResponseHead, _ stream: HTTP2Stream) {
        stream.isHeadSent = true
        var lines = [(":status", String(head.status)), ("date", connection?.loop.date() ?? "")]
        if let count = head.bodyByteCount, !head.forbidsBody { lines.append(("content-length", String(count))) }
        for (name, value) in head.headers { lines.append((name, value)) }
        let hasBody = head.bodyByteCount != 0 && !head.forbidsBody && stream.method != "HEAD"
        if !hasBody, stream.isEarlyAnswer { stream.enter(.lingering) }
        submitHeaders(lines) { headers, count in
            guard hasBody else { return nghttp2_submit_response(native, stream.id, headers, count, nil) }
            var provider = HTTP2Callbacks.provider()
            return nghttp2_submit_response(native, stream.id, headers, count, &provider)
        }
    }

    /// Lays the lines out in memory as nghttp2 wants them; it copies what it keeps.
    private func submitHeaders(
        _ lines: [(String, String)], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Int32
    ) {
        headerBytes.removeAll(keepingCapacity: true)
        headerEnds.removeAll(keepingCapacity: true)
        for (name, value) in lines {
            headerBytes += name.utf8
            headerEnds.append(headerBytes.count)
            headerBytes += value.utf8
            headerEnds.append(headerBytes.count)
        }
        headerBytes.withUnsafeMutableBufferPointer { bytes in
            var start = 0
            var headers: [nghttp2_nv] = []
            headers.reserveCapacity(lines.count)
            for index in stride(from: 0, to: headerEnds.count, by: 2) {
                let (nameEnd, valueEnd) = (headerEnds[index], headerEnds[index + 1])
                headers.append(
                    nghttp2_nv(
                        name: bytes.baseAddress?.advanced(by: start), value: bytes.baseAddress?.advanced(by: nameEnd),
                        namelen: nameEnd - start, valuelen: valueEnd - nameEnd,
                        flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
                start = valueEnd
            }
            let code = body(headers, headers.count)
            if code != 0 { log("HTTP/2 answer not sent", String(cString: nghttp2_strerror(code))) }
        }
    }

    /// Moves bytes of an answer to where nghttp2 builds its frame.
    func supplyBody(streamID: Int32, into target: UnsafeMutableRawBufferPointer) -> BodySupply {
        guard let stream = streams[streamID], let response = stream.response else { return .never }
        let (byteCount, isEnd) = response.moveBody(into: target)
        stream.lastProgressMilliseconds = MonotonicClock.nowMilliseconds()
        if isEnd, stream.isEarlyAnswer { stream.enter(.lingering) }
        guard byteCount > 0 || isEnd else {
            stream.isDeferred = true
            return .later
        }
        return .bytes(byteCount, isEnd: isEnd)
    }

    private func log(_ what: Logger.Message, _ reason: String) {
        context.logger.debug(
            what, metadata: ["client": .string(connection?.remoteAddress ?? ""), "reason": .string(reason)])
    }
}
