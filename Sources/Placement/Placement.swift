public import Basics

/// A worker as the planner sees it.
public struct PlacementNode: Hashable, Sendable {
    /// Its name.
    public let node: NodeID
    /// How many bytes of shards it may hold.
    public let memoryBudgetBytes: UInt64

    /// Describes a worker.
    public init(node: NodeID, memoryBudgetBytes: UInt64) {
        self.node = node
        self.memoryBudgetBytes = memoryBudgetBytes
    }
}

/// A shard and what it costs.
public struct ShardSize: Hashable, Sendable {
    /// The shard.
    public let shard: ShardID
    /// What it occupies on the worker that hosts it, in bytes.
    public let byteCount: UInt64

    /// Describes a shard.
    public init(shard: ShardID, byteCount: UInt64) {
        self.shard = shard
        self.byteCount = byteCount
    }
}

/// Who hosts which shard. Every shard has exactly one host.
public struct Placement: Hashable, Sendable {
    /// The shards of each node, sorted; a node without shards has an empty list.
    public let shards: [NodeID: [ShardID]]
    /// What the shards of each node occupy, in bytes.
    public let byteCounts: [NodeID: UInt64]

    /// The host of every shard.
    public var owners: [ShardID: NodeID] {
        var owners: [ShardID: NodeID] = [:]
        for (node, list) in shards {
            for shard in list { owners[shard] = node }
        }
        return owners
    }

    /// Places every shard on one node, none above its budget.
    ///
    /// A step of a layer ends when its slowest worker has answered, so the experts of *each* layer are spread in
    /// proportion to the budgets (which stand for the size of the machine), not just those of the whole model. What
    /// cannot be divided evenly within a layer goes to the nodes that are furthest behind over the layers so far.
    /// Within a layer, neighbouring experts get different hosts: experts that are often picked together tend to have
    /// nearby numbers.
    ///
    /// The result depends on nothing but the sets of shards and nodes: not on their order, not on chance.
    public static func plan(shards: [ShardSize], nodes: [PlacementNode]) throws(PlacementError) -> Placement {
        // Clamped, so that products of sizes stay within 128 bits whatever a worker claims.
        let nodes = nodes.sorted { $0.node < $1.node }.map { node in
            PlacementNode(
                node: node.node,
                memoryBudgetBytes: min(node.memoryBudgetBytes, Limits.Placement.nodeBudgetBytesMax))
        }
        let shards = shards.sorted { $0.shard < $1.shard }
        try check(shards: shards, nodes: nodes)
        var proportional = Planner(nodes: nodes)
        if proportional.placeByLayer(shards) { return proportional.placement() }
        // Tight budgets with shards of different sizes: give up the proportions, keep the budgets.
        var packing = Planner(nodes: nodes)
        if let stranded = packing.placeLargestFirst(shards) {
            throw .shardTooLarge(
                shard: stranded.shard, byteCount: stranded.byteCount, largestFreeByteCount: packing.largestFree,
                nodes: lacks(requiredByteCount: shards.reduce(0) { $0 + $1.byteCount }, nodes: nodes))
        }
        return packing.placement()
    }

    private static func check(shards: [ShardSize], nodes: [PlacementNode]) throws(PlacementError) {
        guard !nodes.isEmpty else { throw .nodesMissing }
        guard nodes.count <= Limits.Placement.nodesMax else {
            throw .nodesBeyondLimit(count: nodes.count, limit: Limits.Placement.nodesMax)
        }
        guard shards.count <= Limits.Placement.shardsMax else {
            throw .shardsBeyondLimit(count: shards.count, limit: Limits.Placement.shardsMax)
        }
        for (left, right) in zip(nodes, nodes.dropFirst()) where left.node == right.node {
            throw .nodeDuplicated(node: left.node)
        }
        for (left, right) in zip(shards, shards.dropFirst()) where left.shard == right.shard {
            throw .shardDuplicated(shard: left.shard)
        }
        let required = shards.reduce(UInt64(0)) { $0.addingSaturated($1.byteCount) }
        let budget = nodes.reduce(UInt64(0)) { $0 + $1.memoryBudgetBytes }
        guard required <= budget else {
            throw .budgetsTooSmall(
                requiredByteCount: required, budgetByteCount: budget, lackingByteCount: required - budget,
                nodes: lacks(requiredByteCount: required, nodes: nodes))
        }
    }

    /// What each node would have to hold of `requiredByteCount`, in proportion to its budget, and lacks for that.
    private static func lacks(requiredByteCount: UInt64, nodes: [PlacementNode]) -> [PlacementError.NodeLack] {
        let total = nodes.reduce(Int128(0)) { $0 + Int128($1.memoryBudgetBytes) }
        return nodes.map { node in
            let share =
                total == 0
                ? Int128(requiredByteCount) / Int128(nodes.count)
                : (Int128(requiredByteCount) * Int128(node.memoryBudgetBytes) + total - 1) / total
            let shareByteCount = UInt64(clamping: share)
            return PlacementError.NodeLack(
                node: node.node, budgetByteCount: node.memoryBudgetBytes, shareByteCount: shareByteCount,
                lackingByteCount: shareByteCount > node.memoryBudgetBytes
                    ? shareByteCount - node.memoryBudgetBytes : 0)
        }
    }
}

extension UInt64 {
    /// The sum, or the largest number if the sum is beyond it.
    fileprivate func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
