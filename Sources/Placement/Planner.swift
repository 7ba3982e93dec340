import Basics

/// The state of one planning attempt: who holds what so far. All arithmetic is in whole numbers (128 bits hold a
/// product of two sizes), so that every machine plans the same.
struct Planner {
    private struct Host {
        let node: NodeID
        let budget: UInt64
        var used: UInt64 = 0
        var shards: [ShardID] = []

        var free: UInt64 { budget - used }
    }

    private var hosts: [Host]
    private let budgetTotal: Int128
    /// Bytes of all layers that were begun: what the shares are shares of.
    private var bytesSoFar: Int128 = 0

    /// Starts with empty nodes; `nodes` must be sorted by name.
    init(nodes: [PlacementNode]) {
        hosts = nodes.map { Host(node: $0.node, budget: $0.memoryBudgetBytes) }
        budgetTotal = nodes.reduce(0) { $0 + Int128($1.memoryBudgetBytes) }
    }

    /// The most that any node has left, in bytes.
    var largestFree: UInt64 { hosts.map(\.free).max() ?? 0 }

    func placement() -> Placement {
        Placement(
            shards: Dictionary(uniqueKeysWithValues: hosts.map { ($0.node, $0.shards.sorted()) }),
            byteCounts: Dictionary(uniqueKeysWithValues: hosts.map { ($0.node, $0.used) }))
    }

    /// Places sorted shards layer by layer in proportion to the budgets; false if a layer did not fit that way.
    mutating func placeByLayer(_ shards: [ShardSize]) -> Bool {
        var start = 0
        while start < shards.count {
            let layer = Planner.layer(of: shards[start])
            let end = shards[start...].firstIndex { Planner.layer(of: $0) != layer } ?? shards.count
            guard let quotas = quotas(for: shards[start..<end]) else { return false }
            interleave(shards[start..<end], quotas: quotas)
            start = end
        }
        return true
    }

    /// Places the largest shards first, each where most is free; gives the first shard that fits nowhere.
    mutating func placeLargestFirst(_ shards: [ShardSize]) -> ShardSize? {
        for shard in shards.sorted(by: { ($1.byteCount, $0.shard) < ($0.byteCount, $1.shard) }) {
            // The first of equals: `max(by:)` would take the last.
            var best = 0
            for index in hosts.indices where hosts[index].free > hosts[best].free { best = index }
            guard hosts[best].free >= shard.byteCount else { return shard }
            give(shard, to: best)
        }
        return nil
    }

    private static func layer(of shard: ShardSize) -> LayerIndex {
        switch shard.shard {
        case .expert(let layer, _): layer
        }
    }

    private mutating func give(_ shard: ShardSize, to index: Int) {
        hosts[index].used += shard.byteCount
        hosts[index].shards.append(shard.shard)
    }

    /// How many shards of one layer each node gets: the whole part of its share, then one more for those that are
    /// furthest behind, as long as there is room. Nil if there is no room for all.
    private mutating func quotas(for layer: ArraySlice<ShardSize>) -> [Int]? {
        let count = layer.count
        let layerBytes = layer.reduce(Int128(0)) { $0 + Int128($1.byteCount) }
        let largest = layer.reduce(UInt64(0)) { max($0, $1.byteCount) }
        bytesSoFar += layerBytes
        let capacities = hosts.map { host in
            largest == 0 ? count : Int(clamping: host.free / largest)
        }
        var quotas = hosts.indices.map { index in
            let share = budgetTotal == 0 ? 0 : Int128(count) * Int128(hosts[index].budget) / budgetTotal
            return min(Int(share), capacities[index])
        }
        var rest = count - quotas.reduce(0, +)
        // How far behind its share a node is, in bytes times `budgetTotal`, counting its quota at the mean size.
        let deficits = hosts.indices.map { index in
            bytesSoFar * Int128(hosts[index].budget)
                - (Int128(hosts[index].used) + Int128(quotas[index]) * layerBytes / Int128(count)) * budgetTotal
        }
        let order = hosts.indices.sorted { (deficits[$1], $0) < (deficits[$0], $1) }
        while rest > 0 {
            var progressed = false
            for index in order where rest > 0 && quotas[index] < capacities[index] {
                quotas[index] += 1
                rest -= 1
                progressed = true
            }
            guard progressed else { return nil }
        }
        return quotas
    }

    /// Hands out the shards of one layer in turn, each to the node that has received the smallest part of its quota.
    private mutating func interleave(_ layer: ArraySlice<ShardSize>, quotas: [Int]) {
        var given = [Int](repeating: 0, count: hosts.count)
        let count = layer.count
        for (position, shard) in layer.enumerated() {
            var best: (index: Int, lead: Int)?
            for index in hosts.indices where given[index] < quotas[index] {
                let lead = quotas[index] * (position + 1) - given[index] * count
                if best.map({ lead > $0.lead }) ?? true { best = (index, lead) }
            }
            guard let best else { preconditionFailure("the quotas of a layer do not add up to its shards") }
            give(shard, to: best.index)
            given[best.index] += 1
        }
    }
}
