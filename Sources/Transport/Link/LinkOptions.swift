public import Wire

/// How a link behaves.
public struct LinkOptions: Sendable, Hashable {
    /// Before a thread that receives goes to sleep it looks for data for so many microseconds; 0: never. What is gained
    /// is the time that a processor needs to wake up (20 to 40 µs), what is lost is a processor that does nothing else
    /// meanwhile: never let more threads spin than there are processors.
    public var busyPollMicroseconds: Int
    /// A connection is made or given up after so long, for each address, in milliseconds.
    public var connectTimeoutMilliseconds: Int
    /// TLS handshake and exchange of `Hello` and `Welcome` take at most so long, in milliseconds.
    public var handshakeTimeoutMilliseconds: Int
    /// A peer that takes none of what is sent to it for so long is given up, in milliseconds. Too small closes links to
    /// peers that are merely busy, too big keeps senders waiting for dead ones.
    public var sendTimeoutMilliseconds: Int
    /// The versions of the protocol that this side says it speaks, all or fewer of those that it does: with fewer it
    /// behaves like a process that has not been upgraded yet.
    public var versions: ClosedRange<UInt16>

    /// What suits most links.
    public init(
        busyPollMicroseconds: Int = 0, connectTimeoutMilliseconds: Int = 5000,
        handshakeTimeoutMilliseconds: Int = 5000, sendTimeoutMilliseconds: Int = 10000,
        versions: ClosedRange<UInt16> = ProtocolVersion.supported
    ) {
        self.busyPollMicroseconds = busyPollMicroseconds
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.handshakeTimeoutMilliseconds = handshakeTimeoutMilliseconds
        self.sendTimeoutMilliseconds = sendTimeoutMilliseconds
        self.versions = versions
    }
}
