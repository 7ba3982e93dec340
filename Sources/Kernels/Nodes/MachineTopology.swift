import Basics
import Foundation

/// A node of a machine's memory (NUMA), as Linux numbers them.
public struct MemoryNodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    public let value: Int

    /// Names node `value`.
    public init(_ value: Int) { self.value = value }

    /// Orders nodes by number.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// Which memory is near which processors: one node on most machines, one or more per socket on servers.
public struct MachineTopology: Hashable, Sendable {
    /// Memory and the processors that reach it fastest.
    public struct Node: Hashable, Sendable {
        /// Its number.
        public let id: MemoryNodeID
        /// Its processors, in the order in which threads take them: one of each core before the second of any.
        public let processors: [ProcessorID]

        /// Memory with its processors.
        public init(id: MemoryNodeID, processors: [ProcessorID]) {
            self.id = id
            self.processors = processors
        }
    }

    /// The nodes that have processors which may be used; at least one.
    public let nodes: [Node]

    /// A machine of these nodes, each with processors. No node at all stands for one processor with all memory.
    public init(nodes: [Node]) {
        let usable = nodes.filter { !$0.processors.isEmpty }
        self.nodes = usable.isEmpty ? [Node(id: MemoryNodeID(0), processors: [ProcessorID(0)])] : usable
    }

    /// This machine, as far as the calling thread may use it.
    public static func ofThisMachine() -> MachineTopology {
        read(directory: "/sys/devices/system", allowed: Processors.allowed())
    }

    /// Reads what the kernel tells in `directory` (`/sys/devices/system`) of the processors `allowed`; one node where
    /// it tells nothing. The processors of nodes without memory count to the nearest node that has some, those of no
    /// node to the first.
    public static func read(directory: String, allowed: [ProcessorID]) -> MachineTopology {
        let files = SystemFiles(directory: directory)
        let online = files.numbers("node/online") ?? []
        let withMemory = Set(files.numbers("node/has_memory") ?? online)
        var processorsByNode: [Int: [ProcessorID]] = [:]
        var rest = Set(allowed)
        for node in online {
            let own = (files.numbers("node/node\(node)/cpulist") ?? []).map { ProcessorID($0) }.filter(rest.contains)
            rest.subtract(own)
            let home = withMemory.contains(node) ? node : files.nearest(to: node, of: online, in: withMemory) ?? node
            processorsByNode[home, default: []] += own
        }
        let first = processorsByNode.filter { !$0.value.isEmpty }.keys.min() ?? 0
        processorsByNode[first, default: []] += rest
        return MachineTopology(
            nodes: processorsByNode.sorted { $0.key < $1.key }.map { node, processors in
                Node(id: MemoryNodeID(node), processors: files.spreadOverCores(processors))
            })
    }
}

/// Small files in which the kernel describes the machine.
private struct SystemFiles {
    let directory: String

    private func text(_ name: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: directory + "/" + name) else { return nil }
        defer { try? file.close() }
        return (try? file.read(upToCount: Limits.Kernels.systemFileBytesMax))
            .flatMap { String(bytes: $0, encoding: .utf8) }
    }

    func numbers(_ name: String) -> [Int]? {
        text(name).flatMap { NumberList.parse($0, limit: Limits.Kernels.processorsMax) }
    }

    /// The node of `candidates` with the smallest distance from `node`; distances stand in the order of `online`.
    func nearest(to node: Int, of online: [Int], in candidates: Set<Int>) -> Int? {
        let distances = text("node/node\(node)/distance")?.split(whereSeparator: \.isWhitespace).map { Int($0) } ?? []
        let known = zip(online, distances).filter { candidates.contains($0.0) && $0.1 != nil }
        return known.min { ($0.1 ?? 0, $0.0) < ($1.1 ?? 0, $1.0) }?.0 ?? candidates.min()
    }

    /// Processors that share a core stand apart, so that a few threads have cores of their own.
    func spreadOverCores(_ processors: [ProcessorID]) -> [ProcessorID] {
        let ranked = processors.map { processor in
            let siblings = numbers("cpu/cpu\(processor)/topology/thread_siblings_list") ?? []
            return (rank: siblings.firstIndex(of: processor.value) ?? 0, processor: processor)
        }
        return ranked.sorted { ($0.rank, $0.processor) < ($1.rank, $1.processor) }.map(\.processor)
    }
}
