import Synchronization

/// What a link has carried since it was made.
public struct LinkStatistics: Sendable, Hashable {
    /// Frames sent.
    public var framesSent: UInt64 = 0
    /// Frames received, also refused ones.
    public var framesReceived: UInt64 = 0
    /// Bytes of frames sent, before encryption.
    public var bytesSent: UInt64 = 0
    /// Bytes of frames received, after decryption.
    public var bytesReceived: UInt64 = 0
    /// Frames of the other side that this side refused.
    public var refusalsSent: UInt64 = 0
    /// Refusals by the other side.
    public var refusalsReceived: UInt64 = 0
    /// Answers for which nobody waited any more.
    public var lateReplies: UInt64 = 0
}

/// The counters behind `LinkStatistics`.
final class LinkCounters: Sendable {
    let framesSent = Atomic<UInt64>(0)
    let framesReceived = Atomic<UInt64>(0)
    let bytesSent = Atomic<UInt64>(0)
    let bytesReceived = Atomic<UInt64>(0)
    let refusalsSent = Atomic<UInt64>(0)
    let refusalsReceived = Atomic<UInt64>(0)
    let lateReplies = Atomic<UInt64>(0)

    var snapshot: LinkStatistics {
        LinkStatistics(
            framesSent: framesSent.load(ordering: .relaxed), framesReceived: framesReceived.load(ordering: .relaxed),
            bytesSent: bytesSent.load(ordering: .relaxed), bytesReceived: bytesReceived.load(ordering: .relaxed),
            refusalsSent: refusalsSent.load(ordering: .relaxed),
            refusalsReceived: refusalsReceived.load(ordering: .relaxed),
            lateReplies: lateReplies.load(ordering: .relaxed))
    }

    static func add(_ count: Int, to counter: borrowing Atomic<UInt64>) {
        counter.wrappingAdd(UInt64(count), ordering: .relaxed)
    }
}
