import Basics

/// How tightly compute threads are bound.
public enum ThreadPinning: String, Hashable, Sendable, CaseIterable {
    /// `node` on machines with several nodes of memory, `none` on others.
    case auto
    /// The system moves threads as it likes, and weights lie where it puts them.
    case none
    /// Each thread stays on the processors of one node.
    case node
    /// Each thread stays on one processor.
    case processor
}

/// Which thread of a pool computes at which node of the machine's memory.
///
/// ```
/// nodes      |      0      |      1      |     each has a share of the threads in proportion to its processors,
/// threads    | 0  1  2  3  | 4  5  6  7  |     thread 0 being the one that leads a loop,
/// panels     | 0 …      23 | 24 …     47 |     and of each matrix in proportion to its threads
/// ```
public struct ThreadPlacement: Hashable, Sendable, CustomStringConvertible {
    /// The threads of one node.
    struct Share: Hashable, Sendable {
        /// Where their weights lie; nil where the system decides.
        let node: MemoryNodeID?
        let threads: Range<Int>
        let processors: [ProcessorID]
    }

    /// How many threads.
    public let count: Int
    /// How they are bound: never `auto`.
    public let pinning: ThreadPinning
    /// At least one, each with threads.
    let shares: [Share]
    /// How panels are cut among the shares.
    package let cut: PanelCut

    /// `count` threads anywhere.
    public init(count: Int) {
        self.init(count: count, pinning: .none, topology: MachineTopology(nodes: []))
    }

    /// Spreads `count` threads over the nodes of a machine.
    public init(count: Int, pinning: ThreadPinning, topology: MachineTopology) {
        let nodes = topology.nodes
        self.count = count
        self.pinning = pinning != .auto ? pinning : nodes.count > 1 ? .node : .none
        let threadCount = max(1, count)
        guard self.pinning != .none else {
            shares = [Share(node: nil, threads: 0..<threadCount, processors: [])]
            cut = PanelCut(threadCounts: [threadCount])
            return
        }
        var shares: [Share] = []
        var first = 0
        for (node, threads) in zip(nodes, Self.apportion(threadCount, by: nodes.map(\.processors.count)))
        where threads > 0 {
            shares.append(
                Share(
                    node: nodes.count > 1 ? node.id : nil, threads: first..<first + threads,
                    processors: node.processors))
            first += threads
        }
        self.shares = shares
        cut = PanelCut(threadCounts: shares.map(\.threads.count))
    }

    /// Shares of `count` in proportion to `weights`; what does not divide goes to the largest remainders.
    private static func apportion(_ count: Int, by weights: [Int]) -> [Int] {
        let total = weights.reduce(0, +)
        var parts = weights.map { count * $0 / total }
        let order = weights.indices.sorted { (count * weights[$1] % total, $0) < (count * weights[$0] % total, $1) }
        for index in order.prefix(count - parts.reduce(0, +)) { parts[index] += 1 }
        return parts
    }

    /// The processors that a thread stays on; empty where the system decides.
    package func processors(ofThread thread: Int) -> [ProcessorID] {
        guard let share = shares.first(where: { $0.threads.contains(thread) }) else { return [] }
        guard pinning == .processor else { return share.processors }
        return [share.processors[(thread - share.threads.lowerBound) % share.processors.count]]
    }

    /// For people: `8`, or `8 (4 at node 0, 4 at node 1; pinned to nodes)`.
    public var description: String {
        var details: [String] = []
        let placed = shares.compactMap { share in share.node.map { "\(share.threads.count) at node \($0)" } }
        if !placed.isEmpty { details.append(placed.joined(separator: ", ")) }
        switch pinning {
        case .auto, .none: break
        case .node: details.append("pinned to nodes")
        case .processor: details.append("pinned to processors")
        }
        return details.isEmpty ? "\(count)" : "\(count) (\(details.joined(separator: "; ")))"
    }
}

/// How the panels of each matrix are cut among nodes: in proportion to their threads, one part behind the other.
package struct PanelCut: Hashable, Sendable {
    /// Threads of each node, at least 1.
    package let threadCounts: [Int]
    private let firstThreads: [Int]

    /// A part is whole blocks of this many panels: so many hold the 32 rows that are rounded to 8 bits together.
    private static let panelsPerBlock = 2

    package init(threadCounts: [Int]) {
        precondition(!threadCounts.isEmpty && threadCounts.allSatisfy { $0 > 0 })
        self.threadCounts = threadCounts
        firstThreads = threadCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }

    /// How many parts there are.
    package var count: Int { threadCounts.count }

    /// The panels of a part; together the parts are all panels, each once. Small matrices have empty parts.
    package func panels(part: Int, of panelCount: Int) -> Range<Int> {
        if count == 1 { return 0..<panelCount }
        let blocks = (panelCount + Self.panelsPerBlock - 1) / Self.panelsPerBlock
        func begin(_ part: Int) -> Int {
            min(blocks * firstThreads[part] / firstThreads[count] * Self.panelsPerBlock, panelCount)
        }
        return begin(part)..<(part + 1 == count ? panelCount : begin(part + 1))
    }
}
