public import Wire

/// A frame that arrived: header and payload were checked against all limits. The payload lies at a multiple of 64 in
/// memory, where kernels may read it, and is not changed as long as the frame lives.
public final class ReceivedFrame: Sendable {
    /// What it says about itself.
    public let header: FrameHeader
    private let block: BufferPool.Block

    /// Takes memory for the payload; whoever made the frame fills it before anyone else sees it.
    init(header: FrameHeader) {
        self.header = header
        block = BufferPool.shared.take(header.payloadByteCount)
    }

    deinit { BufferPool.shared.give(block) }

    /// What the payload is.
    public var kind: MessageKind { header.kind }

    /// Whether no more answers to the same request follow.
    public var isLast: Bool { header.flags.contains(.last) }

    /// The payload; valid as long as the frame lives, so keep the frame while you use it.
    public var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: block.base, count: header.payloadByteCount)
    }

    var mutablePayload: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: block.base, count: header.payloadByteCount)
    }

    /// The payload as a message.
    public func decode<Message: WireMessage>(_ type: Message.Type = Message.self) throws(TransportError) -> Message {
        guard kind == Message.kind else { throw .unexpectedReply(kind: kind) }
        do {
            return try Message(payload: payload, version: header.version)
        } catch {
            throw .payloadMalformed(kind: kind, reason: error.description)
        }
    }

    /// Gives access to the payload of a `dispatch`.
    public func withDispatch<Result>(_ body: (DispatchView) -> Result) throws(TransportError) -> Result {
        guard kind == .dispatch else { throw .unexpectedReply(kind: kind) }
        let view: DispatchView
        do {
            view = try DispatchView(decoding: payload, version: header.version)
        } catch {
            throw .payloadMalformed(kind: kind, reason: error.description)
        }
        return withExtendedLifetime(self) { body(view) }
    }

    /// Gives access to the payload of a `combine`.
    public func withCombine<Result>(_ body: (CombineView) -> Result) throws(TransportError) -> Result {
        guard kind == .combine else { throw .unexpectedReply(kind: kind) }
        let view: CombineView
        do {
            view = try CombineView(decoding: payload, version: header.version)
        } catch {
            throw .payloadMalformed(kind: kind, reason: error.description)
        }
        return withExtendedLifetime(self) { body(view) }
    }
}
