public import Basics

/// Why shards could not be placed.
public enum PlacementError: Error, Hashable, Sendable {
    /// What one node would have to hold, and cannot.
    public struct NodeLack: Hashable, Sendable {
        /// The node.
        public let node: NodeID
        /// What the node may hold, in bytes.
        public let budgetByteCount: UInt64
        /// Its share of the model: in proportion to its budget, in bytes.
        public let shareByteCount: UInt64
        /// How much budget it lacks for its share, in bytes.
        public let lackingByteCount: UInt64

        /// Describes a node's lack.
        public init(node: NodeID, budgetByteCount: UInt64, shareByteCount: UInt64, lackingByteCount: UInt64) {
            self.node = node
            self.budgetByteCount = budgetByteCount
            self.shareByteCount = shareByteCount
            self.lackingByteCount = lackingByteCount
        }
    }

    /// All budgets together are smaller than the model.
    case budgetsTooSmall(
        requiredByteCount: UInt64, budgetByteCount: UInt64, lackingByteCount: UInt64, nodes: [NodeLack])
    /// Two nodes have the same name.
    case nodeDuplicated(node: NodeID)
    /// There is nobody to place shards on.
    case nodesMissing
    /// More nodes than the limit.
    case nodesBeyondLimit(count: Int, limit: Int)
    /// The same shard was given twice.
    case shardDuplicated(shard: ShardID)
    /// More shards than the limit.
    case shardsBeyondLimit(count: Int, limit: Int)
    /// The budgets suffice in sum, but shards are whole and this one fits into what is left nowhere.
    case shardTooLarge(shard: ShardID, byteCount: UInt64, largestFreeByteCount: UInt64, nodes: [NodeLack])
}

extension PlacementError: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        switch self {
        case .budgetsTooSmall(let required, let budget, let lacking, let nodes):
            "the experts need \(readable(required)) and the workers may hold \(readable(budget)): "
                + "\(readable(lacking)) are lacking (\(PlacementError.list(nodes)))"
        case .nodeDuplicated(let node):
            "node \(node) occurs twice"
        case .nodesMissing:
            "there is no worker to place experts on"
        case .nodesBeyondLimit(let count, let limit):
            "\(count) nodes are beyond the limit of \(limit)"
        case .shardDuplicated(let shard):
            "\(PlacementError.name(shard)) occurs twice"
        case .shardsBeyondLimit(let count, let limit):
            "\(count) shards are beyond the limit of \(limit)"
        case .shardTooLarge(let shard, let byteCount, let largestFree, let nodes):
            "\(PlacementError.name(shard)) needs \(readable(byteCount)) and the most that any worker has left is "
                + "\(readable(largestFree)) (\(PlacementError.list(nodes)))"
        }
    }

    private static func list(_ nodes: [NodeLack]) -> String {
        nodes.map { lack in
            let share = "\(lack.node): budget \(readable(lack.budgetByteCount)), share \(readable(lack.shareByteCount))"
            return lack.lackingByteCount > 0 ? share + ", lacks \(readable(lack.lackingByteCount))" : share
        }.joined(separator: "; ")
    }

    private static func name(_ shard: ShardID) -> String {
        switch shard {
        case .expert(let layer, let expert): "expert \(expert) of layer \(layer)"
        }
    }
}

/// A size for people: exact below 1 MiB, else with two decimals.
private func readable(_ byteCount: UInt64) -> String {
    let units: [(String, UInt64)] = [("GiB", 1 << 30), ("MiB", 1 << 20)]
    guard let (unit, size) = units.first(where: { byteCount >= $0.1 }) else { return "\(byteCount) bytes" }
    let hundredths = UInt64((Double(byteCount) / Double(size) * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) \(unit)"
}
