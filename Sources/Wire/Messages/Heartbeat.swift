/// "Are you alive?"
public struct Heartbeat: Hashable, Sendable {
    /// Counts up from 1 on each link.
    public var sequence: UInt64

    /// The heartbeat of this number.
    public init(sequence: UInt64) { self.sequence = sequence }
}

/// "Yes", and how the process is.
public struct HeartbeatReply: Hashable, Sendable {
    /// The number of the heartbeat that is answered.
    public var sequence: UInt64
    /// Memory that the process occupies, in bytes.
    public var residentBytes: UInt64
    /// Dispatches answered since the process started.
    public var dispatchCount: UInt64
    /// Time spent computing since the process started, in microseconds.
    public var computeMicroseconds: UInt64
    /// Rows that experts computed since the process started: one per token and expert; nil from a process that speaks
    /// version 1 of the protocol.
    public var expertRowCount: UInt64?

    /// Answers a heartbeat.
    public init(
        sequence: UInt64, residentBytes: UInt64, dispatchCount: UInt64, computeMicroseconds: UInt64,
        expertRowCount: UInt64?
    ) {
        self.sequence = sequence
        self.residentBytes = residentBytes
        self.dispatchCount = dispatchCount
        self.computeMicroseconds = computeMicroseconds
        self.expertRowCount = expertRowCount
    }
}
