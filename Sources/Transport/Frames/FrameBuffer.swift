public import Wire

/// An outgoing frame: room for the header and, from a multiple of 64 on, the payload. Both lie together, so that a
/// small frame is one TLS record and one system call.
///
/// It may be sent as often as one likes, on any links, but not by two threads at once: the header is written on
/// sending.
public struct FrameBuffer: Sendable {
    private let storage: Storage

    /// A frame whose payload is written with `withPayload`; until then it holds whatever was in memory.
    public init(payloadByteCount: Int) {
        precondition(payloadByteCount >= 0, "a payload has at least 0 bytes")
        storage = Storage(payloadByteCount: payloadByteCount)
    }

    /// A frame with these bytes.
    public init(payload: some Collection<UInt8>) {
        self.init(payloadByteCount: payload.count)
        withPayload { $0.copyBytes(from: payload) }
    }

    /// A frame with a message, for a link that speaks `version`; fails if the message passes a limit.
    public init<Message: WireMessage>(
        _ message: Message, version: UInt16 = ProtocolVersion.newest
    ) throws(TransportError) {
        do {
            self.init(payload: try message.payload(version: version))
        } catch {
            throw .payloadMalformed(kind: Message.kind, reason: error.description)
        }
    }

    /// A frame without a payload.
    public static var empty: FrameBuffer { FrameBuffer(payloadByteCount: 0) }

    /// Bytes of the payload.
    public var payloadByteCount: Int { storage.payloadByteCount }

    /// Gives access to the payload, which begins at a multiple of 64 in memory.
    public func withPayload<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(start: storage.base + Storage.payloadOffset, count: payloadByteCount))
    }

    /// The whole frame, after its header was written.
    func withFrame<Result, Failure: Error>(
        _ header: FrameHeader, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let start = storage.base + (Storage.payloadOffset - FrameHeader.byteCount)
        let frame = UnsafeMutableRawBufferPointer(start: start, count: FrameHeader.byteCount + payloadByteCount)
        header.encode(into: frame)
        return try body(UnsafeRawBufferPointer(frame))
    }

    /// `@unchecked Sendable`: the memory belongs to whoever holds the frame, see above.
    private final class Storage: @unchecked Sendable {
        static let payloadOffset = 64
        let payloadByteCount: Int
        private let block: BufferPool.Block
        var base: UnsafeMutableRawPointer { block.base }

        init(payloadByteCount: Int) {
            self.payloadByteCount = payloadByteCount
            block = BufferPool.shared.take(Self.payloadOffset + payloadByteCount)
        }

        deinit { BufferPool.shared.give(block) }
    }
}
