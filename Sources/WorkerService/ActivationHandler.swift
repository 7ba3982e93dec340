import Basics
import ExpertParallel
import Kernels
import Synchronization
import Logging
import Models
import Transport
import Wire

/// The worker's hot path: the link's reader thread computes where the rows arrived and replies inline, without a hop.
final class ActivationHandler: LinkHandler {
    private let worker: Worker
    /// Used by the link's reader thread alone; the lock only says so to the compiler and never waits.
    private let runner: Mutex<DispatchRunner>

    init(worker: Worker) {
        self.worker = worker
        runner = Mutex(DispatchRunner(compute: worker.compute))
    }

    func link(_ link: Link, didReceive frame: ReceivedFrame) {
        let reply = FrameReply(to: frame, on: link)
        guard frame.header.kind == .dispatch else {
            return reply.refuse(
                Refusal(.unexpectedKind, "an activation link does not take \(frame.header.kind)"))
        }
        do {
            let answer = try runner.withLock { runner throws(Refusal) in
                try runner.run(frame, table: worker.table, hiddenSize: worker.description.hiddenSize)
            }
            worker.counters.count(
                computeMicroseconds: answer.computeMicroseconds, expertRows: answer.expertRowCount)
            reply.send(.combine, answer.frame)
        } catch {
            reply.refuse(error)
        }
    }

    func linkDidClose(_ link: Link, reason: TransportError) {
        worker.logger.info("link closed", metadata: ["peer": "\(link.peerNode)", "reason": "\(reason)"])
    }
}
