import Basics
import Wire

/// The reader thread: receives, checks, hands on.
extension Link {
    /// Runs until the link closes.
    func runReader() {
        handler?.linkDidOpen(self)
        do throws(TransportError) {
            if let turns { try takeTurns(turns) } else { try receiveAlone() }
        } catch {
            close(error)
        }
        turns?.excludeCallers()
        finish()
    }

    /// Nobody else ever receives: block until something comes.
    private func receiveAlone() throws(TransportError) {
        while true {
            while let outcome = try reader.poll() { try handle(outcome) }
            try channel.receiveCiphertext()
        }
    }

    /// What came is dealt with; on the reader thread.
    func handle(_ outcome: FrameReader.Outcome) throws(TransportError) {
        switch outcome {
        case .frame(let frame): accept(frame)
        case .refused(let refusal, let requestID): refuse(requestID: requestID, refusal)
        case .broken(let refusal, let requestID):
            refuse(requestID: requestID, refusal)
            channel.closeGracefully(Deadline(milliseconds: Limits.Transport.lingerMilliseconds))
            throw .protocolViolated(address: remoteAddress, reason: refusal.message)
        }
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
