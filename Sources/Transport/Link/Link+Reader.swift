import Basics
import Wire

/// The reader thread: receives, checks, hands on.
extension Link {
    /// Runs until the link closes.
    func runReader() {
        handler?.linkDidOpen(self)
        let reader = FrameReader(channel: channel)
        do throws(TransportError) {
            while true {
                switch try reader.next(sender: peerRole, linkClass: linkClass, counters: counters) {
                case .frame(let frame): accept(frame)
                case .refused(let refusal, let requestID): refuse(requestID: requestID, refusal)
                case .broken(let refusal, let requestID):
                    refuse(requestID: requestID, refusal)
                    channel.closeGracefully(Deadline(milliseconds: Limits.Transport.lingerMilliseconds))
                    throw .protocolViolated(address: remoteAddress, reason: refusal.message)
                }
            }
        } catch {
            close(error)
        }
        finish()
    }

    private func accept(_ frame: ReceivedFrame) {
        switch frame.kind {
        case .hello, .welcome:
            refuse(requestID: 0, Refusal(.unexpectedKind, "\(frame.kind) after the link was opened"))
        case .refusal where frame.header.requestID == 0: noteRefusal(frame)
        case .refusal:
            LinkCounters.add(1, to: counters.refusalsReceived)
            deliver(frame)
        case .heartbeatReply, .echoReply, .assignProgress, .combine, .generated, .status, .modelFiles: deliver(frame)
        case .echo: echo(frame)
        case .heartbeat, .assign, .dispatch, .generate, .cancel, .statusRequest, .modelFilesRequest:
            guard let handler else {
                refuse(frame, Refusal(.unexpectedKind, "nobody here answers \(frame.kind)"))
                return
            }
            handler.link(self, didReceive: frame)
        }
    }

    /// A refusal that answers no request: the other side did not understand something, and may be about to close.
    private func noteRefusal(_ frame: ReceivedFrame) {
        LinkCounters.add(1, to: counters.refusalsReceived)
        guard let refusal = try? frame.decode(Refusal.self) else { return }
        switch refusal.code {
        case .badMagic, .payloadBeyondLimit, .versionMismatch: close(.refused(refusal))
        default: break
        }
    }

    /// Every link answers echoes by itself: they measure the link and nothing else.
    private func echo(_ frame: ReceivedFrame) {
        let buffer = FrameBuffer(payload: frame.payload)
        try? reply(to: frame, kind: .echoReply, buffer)
    }
}

/// Takes frames off a channel, one at a time.
struct FrameReader {
    /// What came.
    enum Outcome {
        /// A frame that passed all checks.
        case frame(ReceivedFrame)
        /// A frame that did not; the next one can be read.
        case refused(Refusal, requestID: UInt64)
        /// A frame after which nothing can be read.
        case broken(Refusal, requestID: UInt64)
    }

    let channel: SecureChannel

    /// Receives the next frame; memory for its payload is taken only after its header passed.
    func next(
        sender: Role, linkClass: LinkClass, counters: LinkCounters?, _ deadline: Deadline? = nil
    ) throws(TransportError) -> Outcome {
        var storage = InlineArray<5, UInt64>(repeating: 0)
        let header: FrameHeader
        switch receiveHeader(&storage, deadline) {
        case .accepted(let accepted): header = accepted
        case .failed(let error): throw error
        case .refused(let refusal):
            count(counters, refusal.skippedByteCount ?? 0)
            guard let byteCount = refusal.skippedByteCount else {
                return .broken(refusal.refusal, requestID: refusal.requestID)
            }
            try skip(byteCount, deadline)
            return .refused(refusal.refusal, requestID: refusal.requestID)
        }
        count(counters, header.payloadByteCount)
        if let objection = header.kind.objection(sender: sender, linkClass: linkClass) {
            try skip(header.payloadByteCount, deadline)
            return .refused(objection, requestID: header.kind.isReply ? 0 : header.requestID)
        }
        let frame = ReceivedFrame(header: header)
        try channel.receive(into: frame.mutablePayload, deadline)
        return .frame(frame)
    }

    private enum HeaderOutcome {
        case accepted(FrameHeader)
        case failed(TransportError)
        case refused(HeaderRefusal)
    }

    private func receiveHeader(
        _ storage: inout InlineArray<5, UInt64>, _ deadline: Deadline?
    ) -> HeaderOutcome {
        withUnsafeMutableBytes(of: &storage) { bytes in
            do throws(TransportError) {
                try channel.receive(into: bytes, deadline)
            } catch {
                return .failed(error)
            }
            do throws(HeaderRefusal) {
                return .accepted(try FrameHeader(decoding: UnsafeRawBufferPointer(bytes)))
            } catch {
                return .refused(error)
            }
        }
    }

    /// Reads on without keeping anything.
    private func skip(_ byteCount: Int, _ deadline: Deadline?) throws(TransportError) {
        let block = BufferPool.shared.take(min(byteCount, 64 << 10))
        defer { BufferPool.shared.give(block) }
        var rest = byteCount
        while rest > 0 {
            let count = min(rest, block.byteCount)
            try channel.receive(into: UnsafeMutableRawBufferPointer(start: block.base, count: count), deadline)
            rest -= count
        }
    }

    private func count(_ counters: LinkCounters?, _ payloadByteCount: Int) {
        guard let counters else { return }
        LinkCounters.add(1, to: counters.framesReceived)
        LinkCounters.add(FrameHeader.byteCount + payloadByteCount, to: counters.bytesReceived)
    }
}
