public import Basics

/// The shards that a worker has to host from now on; what it hosts beyond them it drops.
public struct Assign: Hashable, Sendable {
    /// The placement that this belongs to (also in the frame's header).
    public var epoch: PlacementEpoch
    /// The model that the shards are cut from; a worker with other weights refuses.
    public var modelDigest: ModelDigest
    /// The shards, in order, without repetition.
    public var shards: [ShardID]

    /// Assigns shards.
    public init(epoch: PlacementEpoch, modelDigest: ModelDigest, shards: [ShardID]) {
        self.epoch = epoch
        self.modelDigest = modelDigest
        self.shards = shards
    }
}

/// How far a worker is with an assignment. A failure is answered with `Refusal` (`loadFailed`) instead.
public struct AssignProgress: Hashable, Sendable {
    /// Bytes of weights read and packed so far.
    public var bytesLoaded: UInt64
    /// Bytes of weights of the whole assignment.
    public var bytesTotal: UInt64
    /// Whether this is the last answer: everything is loaded, dispatches may come.
    public var isComplete: Bool

    /// Reports progress.
    public init(bytesLoaded: UInt64, bytesTotal: UInt64, isComplete: Bool) {
        self.bytesLoaded = bytesLoaded
        self.bytesTotal = bytesTotal
        self.isComplete = isComplete
    }
}
