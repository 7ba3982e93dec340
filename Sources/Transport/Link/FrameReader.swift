import Basics
import Wire

/// Takes frames off a channel. It stops where data ends, in the middle of a frame too, and goes on from there: whoever
/// calls next need not be the same thread.
///
/// `@unchecked Sendable`: one thread at a time, by the rules of the link.
final class FrameReader: @unchecked Sendable {
    /// What came.
    enum Outcome: Sendable {
        /// A frame that passed all checks.
        case frame(ReceivedFrame)
        /// A frame that did not; the next one can be read.
        case refused(Refusal, requestID: UInt64)
        /// A frame after which nothing can be read.
        case broken(Refusal, requestID: UInt64)
    }

    private enum Phase {
        /// Where the next frame begins is not known.
        case broken
        case header(received: Int)
        case payload(ReceivedFrame, received: Int)
        case skipping(left: Int, then: Outcome)
    }

    private let channel: SecureChannel
    private let sender: Role
    private let linkClass: LinkClass
    private let counters: LinkCounters?
    private var phase = Phase.header(received: 0)
    private var storage = InlineArray<5, UInt64>(repeating: 0)

    /// - Parameters:
    ///   - sender: the other side's role.
    ///   - counters: count what comes; nil: nobody does.
    init(channel: SecureChannel, sender: Role, linkClass: LinkClass, counters: LinkCounters?) {
        self.channel = channel
        self.sender = sender
        self.linkClass = linkClass
        self.counters = counters
    }

    /// The next frame, for which it blocks.
    func next(_ deadline: Deadline) throws(TransportError) -> Outcome {
        while true {
            if let outcome = try poll() { return outcome }
            try channel.receiveCiphertext(deadline)
        }
    }

    /// The next frame, if all of it was received; nil: more ciphertext is needed. Memory for a payload is taken only
    /// after its header passed all checks.
    func poll() throws(TransportError) -> Outcome? {
        while true {
            switch phase {
            case .broken: return nil
            case .header(let received):
                guard try receiveHeader(received) else { return nil }
                if let outcome = examineHeader() { return outcome }
            case .payload(let frame, let received):
                let count = try receive(into: frame.mutablePayload, received)
                guard count == frame.header.payloadByteCount else {
                    phase = .payload(frame, received: count)
                    return nil
                }
                phase = .header(received: 0)
                return .frame(frame)
            case .skipping(let left, let outcome):
                let rest = try skip(left)
                guard rest == 0 else {
                    phase = .skipping(left: rest, then: outcome)
                    return nil
                }
                phase = .header(received: 0)
                return outcome
            }
        }
    }

    /// Goes on filling a buffer; how far it came.
    private func receive(
        into buffer: UnsafeMutableRawBufferPointer, _ received: Int
    ) throws(TransportError) -> Int {
        var offset = received
        while offset < buffer.count {
            let count = try channel.readSome(into: UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]))
            guard count > 0 else { break }
            offset += count
        }
        return offset
    }

    /// Whether the header is complete.
    private func receiveHeader(_ received: Int) throws(TransportError) -> Bool {
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            Result { () throws(TransportError) -> Int in try receive(into: bytes, received) }
        }
        let count = try result.get()
        phase = .header(received: count)
        return count == FrameHeader.byteCount
    }

    /// Decides what comes next; the outcome if that is the end of the frame.
    private func examineHeader() -> Outcome? {
        let header: FrameHeader
        switch decodeHeader() {
        case .success(let decoded): header = decoded
        case .failure(let refusal):
            count(refusal.skippedByteCount ?? 0)
            guard let byteCount = refusal.skippedByteCount else {
                phase = .broken
                return .broken(refusal.refusal, requestID: refusal.requestID)
            }
            phase = .skipping(left: byteCount, then: .refused(refusal.refusal, requestID: refusal.requestID))
            return nil
        }
        count(header.payloadByteCount)
        if let objection = header.kind.objection(sender: sender, linkClass: linkClass) {
            // The number of a refused answer is one of ours: it must not look like the answer to a request of theirs.
            let requestID = header.kind.isReply ? 0 : header.requestID
            phase = .skipping(left: header.payloadByteCount, then: .refused(objection, requestID: requestID))
            return nil
        }
        phase = .payload(ReceivedFrame(header: header), received: 0)
        return nil
    }

    private func decodeHeader() -> Result<FrameHeader, HeaderRefusal> {
        withUnsafeBytes(of: &storage) { bytes in
            Result { () throws(HeaderRefusal) -> FrameHeader in try FrameHeader(decoding: bytes) }
        }
    }

    /// Reads on without keeping anything; how much is left to skip.
    private func skip(_ byteCount: Int) throws(TransportError) -> Int {
        let block = BufferPool.shared.take(min(byteCount, 64 << 10))
        defer { BufferPool.shared.give(block) }
        var left = byteCount
        while left > 0 {
            let place = UnsafeMutableRawBufferPointer(start: block.base, count: min(left, block.byteCount))
            let count = try channel.readSome(into: place)
            guard count > 0 else { break }
            left -= count
        }
        return left
    }

    private func count(_ payloadByteCount: Int) {
        guard let counters else { return }
        LinkCounters.add(1, to: counters.framesReceived)
        LinkCounters.add(FrameHeader.byteCount + payloadByteCount, to: counters.bytesReceived)
    }
}
