import Basics

/// Which worker hosts which expert, in the form in which a step looks it up.
public struct ExpertOwners: Sendable {
    /// The placement that this is.
    public let epoch: PlacementEpoch
    /// The workers, in a fixed order; owners are indices into it.
    public let workers: [NodeID]
    private let owners: [LayerIndex: [Int32]]

    /// Reads a placement: for every worker the shards that it hosts. Every expert of `expertCounts` (experts of each
    /// layer that has some) must be hosted once.
    public init(epoch: PlacementEpoch, assignments: [NodeID: [ShardID]], expertCounts: [LayerIndex: Int]) {
        self.epoch = epoch
        workers = assignments.keys.sorted()
        var owners = expertCounts.mapValues { [Int32](repeating: -1, count: $0) }
        for (index, worker) in workers.enumerated() {
            for shard in assignments[worker] ?? [] {
                switch shard {
                case .expert(let layer, let expert): owners[layer]?[expert.value] = Int32(index)
                }
            }
        }
        precondition(owners.values.allSatisfy { !$0.contains(-1) }, "every expert has an owner")
        self.owners = owners
    }

    /// The index of the worker that hosts each expert of `layer`.
    public func owners(ofLayer layer: LayerIndex) -> [Int32] { owners[layer] ?? [] }
}
