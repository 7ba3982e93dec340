import Basics
import Dispatch
import Glibc
import Logging

/// One client's connection: moves bytes between its socket and its session, and finds out which protocol is spoken.
///
/// Belongs to one loop; everything happens on that loop's queue, which is what makes the class safe to share.
final class Connection: @unchecked Sendable {
    private enum Phase {
        case closed
        case lingering(until: Int)
        case open
    }

    let loop: EventLoop
    let context: ServerContext
    let remoteAddress: String
    let openedMilliseconds = MonotonicClock.nowMilliseconds()
    private let socket: Socket
    private let secure: (any SecurePipe)?
    private let onClose: @Sendable () -> Void
    private let readSource: any DispatchSourceRead
    private let writeSource: any DispatchSourceWrite
    private var isReading = false
    private var isWaitingToWrite = false
    private var hasPeerEnded = false
    private var isToReset = false
    private var phase = Phase.open
    private var session: (any HTTPSession)?
    /// The first bytes, while they may still become HTTP/2's preface.
    private var opening: [UInt8] = []
    private var outbox: [UInt8] = []
    private var outboxOffset = 0
    private var lastWriteMilliseconds = 0

    init(
        socket: Socket, remoteAddress: String, secure: (any SecurePipe)?, loop: EventLoop, context: ServerContext,
        onClose: @escaping @Sendable () -> Void
    ) {
        self.socket = socket
        self.remoteAddress = remoteAddress
        self.secure = secure
        self.loop = loop
        self.context = context
        self.onClose = onClose
        readSource = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: loop.queue)
        writeSource = DispatchSource.makeWriteSource(fileDescriptor: socket.descriptor, queue: loop.queue)
    }

    /// Whether the client speaks TLS.
    var isEncrypted: Bool { secure != nil }

    /// Begins to serve.
    func open() {
        loop.add(self)
        // The handlers hold this object until `close` cancels the sources.
        readSource.setEventHandler { self.socketIsReadable() }
        writeSource.setEventHandler { self.flush() }
        // The descriptor may be closed only when no source watches it any more: both keep the socket until then.
        let socket = socket
        readSource.setCancelHandler { withExtendedLifetime(socket) {} }
        writeSource.setCancelHandler { withExtendedLifetime(socket) {} }
        readSource.activate()
        isReading = true
    }

    private func socketIsReadable() {
        // Some reads, then the others' turn.
        for _ in 0..<4 {
            if case .closed = phase { return }
            guard isReading else { break }
            let count = recv(socket.descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count, 0)
            if count > 0 {
                received(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
                if count < loop.readBuffer.count { break }
            } else if count == 0 {
                peerEnded()
                break
            } else if errno == EINTR {
                continue
            } else {
                if errno != EAGAIN { close() }
                break
            }
        }
        flush()
    }

    private func received(_ wire: UnsafeRawBufferPointer) {
        guard case .open = phase else { return }
        guard let secure else { return deliver(wire) }
        do throws(HTTPError) {
            if try secure.receive(wire, deliver: deliver) { peerEnded() }
        } catch {
            // What TLS wants to say about it still goes out.
            secure.takeWire(into: &outbox)
            flushOutbox()
            log(error)
            close()
        }
    }

    private func deliver(_ plaintext: UnsafeRawBufferPointer) {
        guard case .open = phase else { return }
        if let session { return session.receive(plaintext) }
        opening += plaintext
        guard let isHTTP2 = decideProtocol() else { return }
        do throws(HTTPError) {
            let chosen: any HTTPSession = isHTTP2 ? try HTTP2Session(connection: self) : HTTP1Session(connection: self)
            session = chosen
            let first = opening
            opening = []
            first.withUnsafeBytes { chosen.receive($0) }
        } catch {
            cut(error)
        }
    }

    /// Whether HTTP/2 is spoken; nil while the first bytes allow both.
    private func decideProtocol() -> Bool? {
        if let agreed = secure?.agreedProtocol, !agreed.isEmpty { return agreed == "h2" }
        let preface = HTTP2Session.preface
        guard opening.starts(with: preface) || preface.starts(with: opening) else { return false }
        return opening.count >= preface.count ? true : nil
    }

    private func peerEnded() {
        hasPeerEnded = true
        guard case .open = phase, let session else { return close() }
        session.peerDidEnd()
    }

    /// Sends what there is to send, as far as the client takes it.
    func flush() {
        while case .open = phase {
            fillOutbox()
            guard !outbox.isEmpty, flushOutbox() else { break }
        }
        guard case .open = phase else { return }
        if outbox.isEmpty, session?.isDone == true { return end() }
        let hasRoom = outbox.count - outboxOffset < Limits.HTTP.outboxBytesMax
        setReading(!hasPeerEnded && hasRoom && session?.wantsRead != false)
    }

    private func fillOutbox() {
        guard outbox.count - outboxOffset < Limits.HTTP.outboxBytesMax else { return }
        // The session fills a local buffer, as it may close this connection meanwhile.
        var buffer: [UInt8] = []
        swap(&buffer, &outbox)
        if buffer.isEmpty {
            swap(&buffer, &loop.spareOutbox)
            lastWriteMilliseconds = MonotonicClock.nowMilliseconds()
        }
        do throws(HTTPError) {
            try produce(into: &buffer)
        } catch {
            cut(error)
        }
        guard case .open = phase else { return }
        if buffer.isEmpty { swap(&buffer, &loop.spareOutbox) } else { swap(&buffer, &outbox) }
    }

    private func produce(into buffer: inout [UInt8]) throws(HTTPError) {
        guard let secure else {
            session?.produce(into: &buffer)
            return
        }
        var plaintext: [UInt8] = []
        swap(&plaintext, &loop.sparePlaintext)
        session?.produce(into: &plaintext)
        if !plaintext.isEmpty { try secure.send(plaintext) }
        plaintext.removeAll(keepingCapacity: true)
        swap(&plaintext, &loop.sparePlaintext)
        secure.takeWire(into: &buffer)
    }

    /// Writes the outbox; false if the client takes no more for now or the connection is closed.
    @discardableResult private func flushOutbox() -> Bool {
        while outboxOffset < outbox.count {
            let count = outbox.withUnsafeBytes { bytes in
                send(
                    socket.descriptor, bytes.baseAddress?.advanced(by: outboxOffset), bytes.count - outboxOffset,
                    Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                outboxOffset += count
                lastWriteMilliseconds = MonotonicClock.nowMilliseconds()
            } else if count < 0, errno == EAGAIN {
                setWaitingToWrite(true)
                return false
            } else if count < 0, errno == EINTR {
                continue
            } else {
                close()
                return false
            }
        }
        outbox.removeAll(keepingCapacity: true)
        outboxOffset = 0
        swap(&outbox, &loop.spareOutbox)
        if outbox.capacity > 0 { outbox = [] }
        setWaitingToWrite(false)
        return true
    }

    /// Looks at the deadlines.
    func tick(now: Int) {
        switch phase {
        case .closed: return
        case .lingering(let until):
            if now > until { close() }
            return
        case .open: break
        }
        let stall = context.limits.writeStallTimeoutMilliseconds
        if !outbox.isEmpty, now - lastWriteMilliseconds > stall {
            return cut(.timedOut(during: "sending an answer", limitMilliseconds: stall))
        }
        guard let session else {
            let limit = context.limits.headerTimeoutMilliseconds
            guard now - openedMilliseconds > limit else { return }
            return expireOpening()
        }
        if session.tick(now: now) { flush() }
    }

    /// Too little came to tell the protocol; a started preface is answered as the HTTP/1 request that it may be.
    private func expireOpening() {
        guard !opening.isEmpty else { return close() }
        let fallback = HTTP1Session(connection: self)
        session = fallback
        opening.withUnsafeBytes { fallback.receive($0) }
        _ = fallback.tick(now: .max)
        flush()
    }

    /// Ends in good order.
    func shutDown() {
        guard case .open = phase, let session else { return close() }
        session.shutDown()
        flush()
    }

    /// Closes at once and says why in the log. What the client has not taken is dropped in the kernel too, which would
    /// otherwise keep it for as long as the client likes.
    func cut(_ error: HTTPError) {
        if case .closed = phase { return }
        log(error)
        isToReset = true
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    private func log(_ error: HTTPError) {
        context.logger.debug(
            "connection cut", metadata: ["client": .string(remoteAddress), "reason": .string(error.description)])
    }

    /// Everything is sent: closes, or first reads what the client still sends, as closing with unread bytes would reset
    /// the connection and could take the answer with it.
    private func end() {
        if let secure {
            secure.close()
            secure.takeWire(into: &outbox)
            guard flushOutbox() else { return close() }
        }
        guard session?.lingers == true, !hasPeerEnded else { return close() }
        shutdown(socket.descriptor, Int32(SHUT_WR))
        phase = .lingering(until: MonotonicClock.nowMilliseconds() + Limits.HTTP.lingerMilliseconds)
        setReading(true)
    }

    /// Closes at once; all answers under way learn of it.
    func close() {
        if case .closed = phase { return }
        phase = .closed
        // A suspended source never runs its cancel handler.
        setReading(true)
        setWaitingToWrite(true)
        readSource.cancel()
        writeSource.cancel()
        if !isToReset { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }
        outbox = []
        outboxOffset = 0
        session?.connectionDidClose()
        loop.remove(self)
        onClose()
    }

    private func setReading(_ wanted: Bool) {
        guard wanted != isReading else { return }
        isReading = wanted
        if wanted { readSource.resume() } else { readSource.suspend() }
    }

    private func setWaitingToWrite(_ wanted: Bool) {
        guard wanted != isWaitingToWrite else { return }
        isWaitingToWrite = wanted
        // A source begins suspended.
        if wanted { writeSource.resume() } else { writeSource.suspend() }
    }
}
