import Basics
import Logging
import Synchronization
import Transport
import Wire

/// Answers what comes over a control link: heartbeats, echoes and assignments.
final class ControlHandler: LinkHandler {
    private let worker: Worker

    init(worker: Worker) { self.worker = worker }

    func link(_ link: Link, didReceive frame: ReceivedFrame) {
        let reply = FrameReply(to: frame, on: link)
        switch frame.header.kind {
        case .assign: assign(frame, reply)
        case .echo: reply.send(.echoReply, FrameBuffer(payload: frame.payload))
        case .heartbeat: answerHeartbeat(frame, reply)
        default: reply.refuse(Refusal(.unexpectedKind, "a worker's control link does not take \(frame.header.kind)"))
        }
    }

    func linkDidClose(_ link: Link, reason: TransportError) {
        worker.logger.info("link closed", metadata: ["peer": "\(link.peerNode)", "reason": "\(reason)"])
    }

    private func answerHeartbeat(_ frame: ReceivedFrame, _ reply: FrameReply) {
        do {
            reply.send(worker.counters.reply(to: try Heartbeat(payload: frame.payload)))
        } catch {
            reply.refuse(Refusal(.malformedPayload, error.description))
        }
    }

    private func assign(_ frame: ReceivedFrame, _ reply: FrameReply) {
        let throttle = ProgressThrottle()
        do {
            let assign = try Assign(payload: frame.payload)
            try worker.assign(assign) { progress in
                if throttle.lets(progress) { reply.send(progress, isLast: false) }
            } onEnd: { result in
                switch result {
                case .failure(let refusal): reply.refuse(refusal)
                case .success(let progress): reply.send(progress)
                }
            }
        } catch let refusal as Refusal {
            reply.refuse(refusal)
        } catch {
            reply.refuse(Refusal(.malformedPayload, "\(error)"))
        }
    }
}

/// Lets through progress reports no closer than a hundredth of the whole.
private final class ProgressThrottle: Sendable {
    private let lastBytes = Mutex<UInt64>(0)

    func lets(_ progress: AssignProgress) -> Bool {
        lastBytes.withLock { last in
            guard progress.bytesLoaded >= last + max(1, progress.bytesTotal / 100) else { return false }
            last = progress.bytesLoaded
            return true
        }
    }
}
