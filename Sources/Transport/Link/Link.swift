public import Basics
import Synchronization
public import Wire

/// Who receives what a link brings. All calls come on the link's reader thread, one at a time: while one runs nothing
/// else is received on that link, and an answer sent from within it leaves without changing threads.
public protocol LinkHandler: Sendable {
    /// The link is there; comes before anything else.
    func linkDidOpen(_ link: Link)
    /// A request, or anything else that is not the answer to a request of this side.
    func link(_ link: Link, didReceive frame: ReceivedFrame)
    /// The link is gone; comes once, after everything else. All requests that were open have failed.
    func linkDidClose(_ link: Link, reason: TransportError)
}

extension LinkHandler {
    /// Does nothing.
    public func linkDidOpen(_ link: Link) {}
}

/// A connection between two processes of the cluster: TLS 1.3 with certificates on both sides, and frames.
///
/// - **Threads.** One thread per link receives; it runs handlers and the closures of `start`. Every other thread may
///   send, and does so itself: there is no queue between a caller and the socket.
/// - **Requests.** Any number may be open, answers come in any order, matched by number. A `Refusal` ends a request.
///   When the link closes all of them fail with its reason.
/// - **Checks.** Every frame that arrives is checked (header, sender's role, class of link, length) before memory is
///   taken for it. What is refused is answered with a `Refusal`, counted, and skipped; where the next frame cannot be
///   found any more the link closes after the refusal. Answers nobody waits for are dropped and counted.
/// - **Closing.** `close` may be called by any thread, at any time, more than once; only the first reason counts. The
///   reader thread notices at once, fails what is open and tells the handler.
public final class Link: Sendable {
    /// The other side's name, from its certificate.
    public let peerNode: NodeID
    /// The other side's role, from its certificate.
    public let peerRole: Role
    /// What the link carries.
    public let linkClass: LinkClass
    /// The other side's address and port.
    public let remoteAddress: String
    /// Protocol version, cipher: for logs.
    public let cipherDescription: String
    /// The protocol version of the frames.
    public let version: UInt16

    let channel: SecureChannel
    let reader: FrameReader
    /// Who receives, where threads that wait may do so; nil: the reader thread alone.
    let turns: LinkTurns?
    let counters = LinkCounters()
    let handler: (any LinkHandler)?
    private let finished = Event()
    private let state = Mutex(State())

    private enum Pending {
        /// Ends with the first answer.
        case single(PendingReply, answer: MessageKind)
        /// Ends with the answer that says it is the last.
        case stream(@Sendable (Result<ReceivedFrame, TransportError>) -> Void, answer: MessageKind)
    }

    private struct State {
        var closeReason: TransportError?
        var nextRequestID: UInt64 = 1
        var pending: [UInt64: Pending] = [:]
    }

    init(_ opened: OpenedChannel, handler: (any LinkHandler)?) {
        channel = opened.channel
        peerNode = opened.node
        peerRole = opened.role
        linkClass = opened.linkClass
        remoteAddress = opened.channel.socket.remoteAddress
        cipherDescription = opened.cipherDescription
        version = opened.version
        self.handler = handler
        reader = FrameReader(
            channel: channel, sender: peerRole, linkClass: linkClass, counters: counters)
        let busyPoll = channel.options.busyPollMicroseconds
        turns = busyPoll > 0 ? LinkTurns(busyPollMicroseconds: busyPoll) : nil
    }

    /// Whether frames can still be sent.
    public var isOpen: Bool { state.withLock { $0.closeReason == nil } }

    /// Why the link closed; nil while it is open.
    public var closeReason: TransportError? { state.withLock { $0.closeReason } }

    /// What it has carried so far.
    public var statistics: LinkStatistics { counters.snapshot }

    // MARK: Sending

    /// Sends a frame, encrypted and sent by the calling thread.
    public func send(
        kind: MessageKind, requestID: UInt64, epoch: PlacementEpoch = PlacementEpoch(0), flags: FrameFlags = [],
        _ buffer: FrameBuffer
    ) throws(TransportError) {
        guard buffer.payloadByteCount <= kind.payloadBytesMax else {
            throw .payloadBeyondLimit(kind: kind, byteCount: buffer.payloadByteCount, limit: kind.payloadBytesMax)
        }
        if let reason = closeReason { throw reason }
        let header = FrameHeader(
            version: version, kind: kind, flags: flags, payloadByteCount: buffer.payloadByteCount,
            requestID: requestID, epoch: epoch)
        do {
            try buffer.withFrame(header) { (frame) throws(TransportError) in try channel.send(frame) }
        } catch {
            // Half a frame may be out: nothing can follow it.
            close(error)
            throw closeReason ?? error
        }
        LinkCounters.add(1, to: counters.framesSent)
        LinkCounters.add(FrameHeader.byteCount + buffer.payloadByteCount, to: counters.bytesSent)
    }

    /// Answers a frame.
    ///
    /// - Parameter isLast: whether no more answers to it follow.
    public func reply(
        to frame: ReceivedFrame, kind: MessageKind, isLast: Bool = true, _ buffer: FrameBuffer
    ) throws(TransportError) {
        try send(
            kind: kind, requestID: frame.header.requestID, epoch: frame.header.epoch, flags: isLast ? .last : [],
            buffer)
    }

    /// Answers a frame with a message.
    ///
    /// - Parameter isLast: whether no more answers to it follow.
    public func reply<Message: WireMessage>(
        to frame: ReceivedFrame, _ message: Message, isLast: Bool = true
    ) throws(TransportError) {
        try reply(to: frame, kind: Message.kind, isLast: isLast, try FrameBuffer(message, version: version))
    }

    /// Refuses a frame; a link that cannot carry the refusal any more is no error, the other side knows already.
    public func refuse(_ frame: ReceivedFrame, _ refusal: Refusal) {
        refuse(requestID: frame.kind.isReply ? 0 : frame.header.requestID, refusal)
    }

    func refuse(requestID: UInt64, _ refusal: Refusal) {
        LinkCounters.add(1, to: counters.refusalsSent)
        guard let buffer = try? FrameBuffer(refusal) else { return }
        try? send(kind: .refusal, requestID: requestID, flags: .last, buffer)
    }

    // MARK: Requests

    /// Sends a request and waits for its one answer. Not on the link's reader thread.
    public func request(
        kind: MessageKind, epoch: PlacementEpoch = PlacementEpoch(0), _ buffer: FrameBuffer, timeoutMilliseconds: Int
    ) throws(TransportError) -> ReceivedFrame {
        try begin(kind: kind, epoch: epoch, buffer).wait(timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Sends a request; its one answer is to be waited for.
    public func begin(
        kind: MessageKind, epoch: PlacementEpoch = PlacementEpoch(0), _ buffer: FrameBuffer
    ) throws(TransportError) -> PendingReply {
        let answer = try Self.answer(to: kind)
        let reply = try register {
            PendingReply(requestID: $0, link: self)
        } as: {
            .single($0, answer: answer)
        }
        try sendRequest(kind, epoch, reply.requestID, buffer)
        return reply
    }

    /// Sends a request; `onReply` is called for each of its answers, on the reader thread, until the answer that is the
    /// last, a failure, or `forget`.
    ///
    /// - Returns: the number of the request. The first answers may come before this returns.
    @discardableResult
    public func start(
        kind: MessageKind, epoch: PlacementEpoch = PlacementEpoch(0), _ buffer: FrameBuffer,
        onReply: @escaping @Sendable (Result<ReceivedFrame, TransportError>) -> Void
    ) throws(TransportError) -> UInt64 {
        let answer = try Self.answer(to: kind)
        let requestID = try register {
            $0
        } as: { _ in
            .stream(onReply, answer: answer)
        }
        try sendRequest(kind, epoch, requestID, buffer)
        return requestID
    }

    /// Drops a request: its answers are of no interest any more. (The other side is not told.)
    public func forget(_ requestID: UInt64) {
        _ = state.withLock { $0.pending.removeValue(forKey: requestID) }
    }

    private static func answer(to kind: MessageKind) throws(TransportError) -> MessageKind {
        guard let answer = kind.answer else { throw .unexpectedReply(kind: kind) }
        return answer
    }

    private func register<Value: Sendable>(
        _ make: (UInt64) -> Value, as pending: (Value) -> Pending
    ) throws(TransportError) -> Value {
        let result = state.withLock { state -> Result<Value, TransportError> in
            if let reason = state.closeReason { return .failure(reason) }
            guard state.pending.count < Limits.Transport.pendingRequestsMax else {
                return .failure(.tooManyRequests(limit: Limits.Transport.pendingRequestsMax))
            }
            let requestID = state.nextRequestID
            state.nextRequestID += 1
            let value = make(requestID)
            state.pending[requestID] = pending(value)
            return .success(value)
        }
        return try result.get()
    }

    private func sendRequest(
        _ kind: MessageKind, _ epoch: PlacementEpoch, _ requestID: UInt64, _ buffer: FrameBuffer
    ) throws(TransportError) {
        do {
            try send(kind: kind, requestID: requestID, epoch: epoch, buffer)
        } catch {
            // The caller is told by this error alone.
            forget(requestID)
            throw error
        }
    }

    // MARK: Answers

    /// Hands an answer to whoever waits for it.
    func deliver(_ frame: ReceivedFrame) {
        let pending = state.withLock { state -> Pending? in
            guard let pending = state.pending[frame.header.requestID] else { return nil }
            switch pending {
            case .single: state.pending[frame.header.requestID] = nil
            case .stream where frame.isLast || frame.kind == .refusal: state.pending[frame.header.requestID] = nil
            case .stream: break
            }
            return pending
        }
        switch pending {
        case .single(let reply, let answer): reply.resolve(Self.result(frame, answer))
        case .stream(let onReply, let answer):
            let result = Self.result(frame, answer)
            if case .failure = result { forget(frame.header.requestID) }
            onReply(result)
        case nil: LinkCounters.add(1, to: counters.lateReplies)
        }
    }

    /// Whether answers are awaited.
    var hasPending: Bool { state.withLock { !$0.pending.isEmpty } }

    /// Hands an answer to a thread that waits for it; false if that is not what the frame is.
    func deliverIfAwaited(_ frame: ReceivedFrame) -> Bool {
        guard frame.kind.isReply, frame.kind != .welcome, frame.kind != .refusal else { return false }
        let single = state.withLock { state -> (reply: PendingReply, answer: MessageKind)? in
            guard case .single(let reply, let answer) = state.pending[frame.header.requestID] else { return nil }
            state.pending[frame.header.requestID] = nil
            return (reply, answer)
        }
        guard let single else { return false }
        single.reply.resolve(Self.result(frame, single.answer))
        return true
    }

    private static func result(
        _ frame: ReceivedFrame, _ answer: MessageKind
    ) -> Result<ReceivedFrame, TransportError> {
        if frame.kind == answer { return .success(frame) }
        guard frame.kind == .refusal else { return .failure(.unexpectedReply(kind: frame.kind)) }
        do {
            return .failure(.refused(try frame.decode(Refusal.self)))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Closing

    /// Closes the link for a reason; requests that are open fail with it.
    public func close(_ reason: TransportError) {
        let replies = state.withLock { state -> [PendingReply]? in
            guard state.closeReason == nil else { return nil }
            state.closeReason = reason
            return state.pending.values.compactMap { if case .single(let reply, _) = $0 { reply } else { nil } }
        }
        guard let replies else { return }
        channel.socket.shutdown()
        turns?.ring()
        // Threads that wait go on at once; closures are the reader thread's to call.
        for reply in replies { reply.resolve(.failure(reason)) }
    }

    /// Waits until the link's reader thread has told everyone; false if time runs out first. Not on that thread.
    public func waitUntilClosed(timeoutMilliseconds: Int) -> Bool {
        finished.wait(timeoutMilliseconds: timeoutMilliseconds)
    }

    /// The last act of the reader thread.
    func finish() {
        let (reason, pending) = state.withLock { state -> (TransportError, [Pending]) in
            let pending = Array(state.pending.values)
            state.pending.removeAll()
            return (state.closeReason ?? .linkClosed(reason: "no reason given"), pending)
        }
        channel.dispose()
        for request in pending {
            switch request {
            case .single(let reply, _): reply.resolve(.failure(reason))
            case .stream(let onReply, _): onReply(.failure(reason))
            }
        }
        handler?.linkDidClose(self, reason: reason)
        finished.signal()
    }
}
