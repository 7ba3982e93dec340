import Basics
import Dispatch
import Engine
import Logging
import Scheduling
import Synchronization
import Transport
import Wire

/// Answers what gateways and operators send over their control link.
///
/// The engine reports on its own thread, which must never wait for a slow gateway: answers go through a queue of the
/// link, and a link that does not take them in time is closed by its send time-out.
final class ClientHandler: LinkHandler {
    private struct State {
        /// The open requests; nil until the engine has given the sequence its name.
        var sequences: [UInt64: SequenceID?] = [:]
        var isClosed = false
    }

    private let coordinator: Coordinator
    private let hello: Hello
    private let state = Mutex(State())
    private let sender: DispatchQueue

    /// Answers the side that introduced itself with `hello`.
    init(coordinator: Coordinator, hello: Hello) {
        self.coordinator = coordinator
        self.hello = hello
        sender = DispatchQueue(label: "colony.send.\(hello.node)")
    }

    /// Gateways are nodes of the cluster; operators are not.
    func linkDidOpen(_ link: Link) {
        if hello.role == .gateway { coordinator.gateways.linkDidOpen(link, listenAddress: hello.listenAddress) }
    }

    func link(_ link: Link, didReceive frame: ReceivedFrame) {
        let reply = FrameReply(to: frame, on: link)
        switch frame.header.kind {
        case .cancel: cancel(frame.header.requestID)
        case .echo: reply.send(.echoReply, FrameBuffer(payload: frame.payload))
        case .generate: generate(frame, reply)
        case .heartbeat: answerHeartbeat(frame, reply)
        case .modelFilesRequest: sendModelFiles(reply)
        case .statusRequest: reply.send(coordinator.status)
        default: reply.refuse(Refusal(.unexpectedKind, "a coordinator does not take \(frame.header.kind) here"))
        }
    }

    /// The gateway is gone: so are its clients.
    func linkDidClose(_ link: Link, reason: TransportError) {
        coordinator.gateways.linkDidClose(link)
        let orphans = state.withLock { state in
            state.isClosed = true
            return state.sequences.values.compactMap { $0 }
        }
        for sequence in orphans { coordinator.cancel(sequence) }
        coordinator.logger.info("link closed", metadata: ["peer": "\(link.peerNode)", "reason": "\(reason)"])
    }

    private func generate(_ frame: ReceivedFrame, _ reply: FrameReply) {
        let requestID = frame.header.requestID
        do {
            let request = try Generate(payload: frame.payload, version: frame.header.version)
            state.withLock { $0.sequences[requestID] = .some(nil) }
            let sequence = try coordinator.submit(request) { [weak self] event in
                self?.pass(event, of: requestID, reply)
            }
            let isOrphan = state.withLock { state in
                // A short request may have ended already; its entry is gone then.
                if state.sequences[requestID] != nil { state.sequences[requestID] = sequence }
                return state.isClosed
            }
            if isOrphan { coordinator.cancel(sequence) }
        } catch let refusal as Refusal {
            forget(requestID)
            sender.async { reply.refuse(refusal) }
        } catch {
            reply.refuse(Refusal(.malformedPayload, "\(error)"))
        }
    }

    private func pass(_ event: GenerationEvent, of requestID: UInt64, _ reply: FrameReply) {
        switch event {
        case .failed(let refusal):
            forget(requestID)
            sender.async { reply.refuse(refusal) }
        case .progress(let generated):
            let isLast = generated.finish != nil
            if isLast { forget(requestID) }
            sender.async { reply.send(generated, isLast: isLast) }
        }
    }

    private func cancel(_ requestID: UInt64) {
        guard let sequence = state.withLock({ $0.sequences[requestID] ?? nil }) else { return }
        coordinator.cancel(sequence)
    }

    private func forget(_ requestID: UInt64) {
        state.withLock { _ = $0.sequences.removeValue(forKey: requestID) }
    }

    private func answerHeartbeat(_ frame: ReceivedFrame, _ reply: FrameReply) {
        do {
            reply.send(coordinator.heartbeatReply(to: try Heartbeat(payload: frame.payload)))
        } catch {
            reply.refuse(Refusal(.malformedPayload, error.description))
        }
    }

    private func sendModelFiles(_ reply: FrameReply) {
        do {
            reply.send(try coordinator.modelFiles())
        } catch {
            reply.refuse(Refusal(.internalError, "the model's files cannot be read: \(error)"))
        }
    }
}
