public import Basics

/// Which traffic a link carries: one TLS connection per pair of processes and class, so that activations never queue
/// behind anything else.
public enum LinkClass: UInt8, CaseIterable, Sendable {
    /// Heartbeats, assignments, requests of gateways and operators.
    case control = 1
    /// `dispatch` and `combine` only.
    case activations = 2
}

/// The first frame of a link, from the side that dialled.
public struct Hello: Hashable, Sendable {
    /// The name in the sender's certificate.
    public var node: NodeID
    /// The role in the sender's certificate.
    public var role: Role
    /// Oldest protocol version that the sender speaks.
    public var versionMin: UInt16
    /// Newest protocol version that the sender speaks.
    public var versionMax: UInt16
    /// What this link is for.
    public var linkClass: LinkClass
    /// The model that the sender serves; nil if it serves none (operators) or does not know it yet (gateways).
    public var modelDigest: ModelDigest?
    /// Where the sender serves clients of its own, `host:port`; empty if it does not.
    public var listenAddress: String

    /// Describes the dialling side.
    public init(
        node: NodeID, role: Role, versionMin: UInt16, versionMax: UInt16, linkClass: LinkClass,
        modelDigest: ModelDigest?, listenAddress: String = ""
    ) {
        self.node = node
        self.role = role
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.linkClass = linkClass
        self.modelDigest = modelDigest
        self.listenAddress = listenAddress
    }
}

/// The answer to `Hello`, from the side that was dialled.
public struct Welcome: Hashable, Sendable {
    /// The name in the sender's certificate.
    public var node: NodeID
    /// The role in the sender's certificate.
    public var role: Role
    /// The protocol version that this link speaks from now on.
    public var version: UInt16
    /// The model that the sender serves.
    public var modelDigest: ModelDigest?
    /// Memory that the sender offers for shards, in bytes; 0 for all but workers.
    public var memoryBudgetBytes: UInt64
    /// Compute threads of the sender; 0 for all but workers and coordinators.
    public var threadCount: UInt32
    /// The instruction set of the sender's kernels, e.g. `avx512`; empty for gateways.
    public var instructionSet: String
    /// The placement that the sender hosts; epoch 0 if none.
    public var epoch: PlacementEpoch
    /// The shards that the sender hosts already, in order.
    public var shards: [ShardID]

    /// Describes the side that was dialled.
    public init(
        node: NodeID, role: Role, version: UInt16, modelDigest: ModelDigest?, memoryBudgetBytes: UInt64 = 0,
        threadCount: UInt32 = 0, instructionSet: String = "", epoch: PlacementEpoch = PlacementEpoch(0),
        shards: [ShardID] = []
    ) {
        self.node = node
        self.role = role
        self.version = version
        self.modelDigest = modelDigest
        self.memoryBudgetBytes = memoryBudgetBytes
        self.threadCount = threadCount
        self.instructionSet = instructionSet
        self.epoch = epoch
        self.shards = shards
    }
}
