import Basics
import Synchronization

/// Where packed weights lie, and in what kind of memory: those that threads of a node read, in that node.
public final class WeightPlacement: Sendable {
    /// The threads that will read them.
    public let threads: ThreadPlacement
    /// Whether they lie in huge pages where the system has some.
    public let hasHugePages: Bool
    private let outside = Atomic<Int>(0)

    /// For these threads.
    public init(threads: ThreadPlacement = ThreadPlacement(count: 1), hasHugePages: Bool = true) {
        self.threads = threads
        self.hasHugePages = hasHugePages
    }

    /// In huge pages where the system puts them.
    public static let anywhere = WeightPlacement()

    /// Whether parts of each matrix have nodes to lie in, so that what is mapped from a file does not do.
    package var hasNodes: Bool { threads.shares.contains { $0.node != nil } }

    /// Bytes that should lie in one node and lie in another, because that one was full or the system does not place.
    public var bytesOutside: Int { outside.load(ordering: .relaxed) }

    /// What a log line says of threads and memory: `threads`, and what is not the rule.
    public var logEntries: [String: String] {
        var entries = ["threads": threads.description]
        if !hasHugePages { entries["hugePages"] = "off" }
        if bytesOutside > 0 { entries["bytesInOtherNodes"] = ReadableBytes.text(UInt64(bytesOutside)) }
        return entries
    }

    /// Memory for one share's part of a matrix, written by `fill`; nil if the system has none.
    func memory(
        of share: ThreadPlacement.Share, byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> WeightMemory? {
        let kind = WeightMemory.Kind(node: share.node, hasHugePages: hasHugePages)
        guard let memory = WeightMemory.allocate(byteCount: byteCount, kind: kind) else { return nil }
        let bytes = UnsafeMutableRawBufferPointer(start: memory.base, count: byteCount)
        guard let node = share.node else {
            fill(bytes)
            return memory
        }
        // Without a policy a page comes from the node of the thread that writes it first.
        if memory.hasPolicy { fill(bytes) } else { Processors.onProcessors(share.processors) { fill(bytes) } }
        outside.wrappingAdd(memory.bytesOutside(node), ordering: .relaxed)
        return memory
    }
}
