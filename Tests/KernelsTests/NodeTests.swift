import Foundation
import Kernels
import Synchronization
import Testing

/// Machines with several nodes of memory, simulated: threads and processors are this machine's, and node 0 is all the
/// memory that there is.
private enum Simulated {
    /// Processors per node, as places among those of this machine; nodes may share them.
    static func topology(_ counts: [Int], ids: [Int]? = nil) -> MachineTopology {
        let allowed = Processors.allowed()
        var next = 0
        return MachineTopology(
            nodes: counts.enumerated().map { node, count in
                defer { next += count }
                let processors = (next..<next + count).map { allowed[$0 % allowed.count] }
                return MachineTopology.Node(id: MemoryNodeID(ids?[node] ?? 0), processors: processors)
            })
    }

    /// Two nodes, three, unequal ones; more threads than processors and fewer threads than nodes.
    static let placements = [
        (2, [1, 1]), (3, [2, 1]), (8, [2, 2]), (1, [1, 1]), (2, [1, 1, 1]), (3, [1, 1, 1]), (5, [1, 2, 1]),
    ].map { ThreadPlacement(count: $0, pinning: .node, topology: topology($1)) }
}

@Suite(.serialized) struct NodeLoopTests {
    @Test(arguments: Simulated.placements)
    func everyTaskOfEveryNodeRunsOnce(placement: ThreadPlacement) {
        onOwnThread {
            let pool = ComputePool(threads: placement, spinMicroseconds: 20)
            for lengths in [[1, 0, 3], [0, 0, 7], [200, 1, 0], [0, 0, 0], [1, 0, 0], [40, 40, 40]] {
                let counts = Array(lengths.prefix(placement.cut.count))
                let ends = counts.indices.map { counts[...$0].reduce(0, +) }
                let runs = Mutex([Int](repeating: 0, count: ends.last ?? 0))
                for _ in 0..<50 {
                    ends.withUnsafeBufferPointer { pool.run(ends: $0) { task in runs.withLock { $0[task] += 1 } } }
                }
                #expect(runs.withLock { $0.allSatisfy { $0 == 50 } })
            }
        }
    }

    @Test(arguments: Simulated.placements, [1, 40])
    func everyStepOfEveryNodeRunsOnce(placement: ThreadPlacement, tokenCount: Int) throws {
        let compute = try Compute(instructionSet: .generic, threads: placement, spinMicroseconds: 20)
        onOwnThread {
            for work in [1, 1 << 30] {
                for counts in [[12, 12, 12], [1, 0, 5], [0, 33, 0], [100, 3, 7]] {
                    let runs = Mutex(counts.map { [Int](repeating: 0, count: $0) })
                    compute.runSteps({ counts[$0] }, tokenCount: tokenCount, work: work) { node, steps in
                        runs.withLock { runs in for step in steps { runs[node][step] += 1 } }
                    }
                    let seen = runs.withLock { $0.prefix(placement.cut.count) }
                    #expect(seen.allSatisfy { $0.allSatisfy { $0 == 1 } }, "\(seen)")
                }
            }
        }
    }

    /// Each of two tasks waits for the other, so that two threads run them: that of each node its own.
    @Test func threadsTakeTheTasksOfTheirNodeFirst() {
        let topology = Simulated.topology([1, 1])
        let placement = ThreadPlacement(count: 2, pinning: .node, topology: topology)
        onOwnThread {
            let pool = ComputePool(threads: placement, spinMicroseconds: 20)
            for _ in 0..<100 {
                let meeting = Meeting(2)
                let processors = Mutex([[ProcessorID]](repeating: [], count: 2))
                [1, 2].withUnsafeBufferPointer { ends in
                    pool.run(ends: ends) { task in
                        meeting.meet()
                        processors.withLock { $0[task] = Processors.allowed() }
                    }
                }
                #expect(processors.withLock { $0 } == topology.nodes.map(\.processors))
            }
        }
    }

    @Test(arguments: [ThreadPinning.node, .processor], [[2], [1, 1], [2, 2], [1, 1, 1]])
    func threadsAreBound(pinning: ThreadPinning, processorCounts: [Int]) {
        for count in 1...4 {
            let placement = ThreadPlacement(
                count: count, pinning: pinning, topology: Simulated.topology(processorCounts))
            let expected = (0..<count).map { Set(placement.processors(ofThread: $0)) }
            // Callers take turns, all as thread 0; a second pool binds the same thread anew.
            onOwnThread {
                for _ in 0..<2 {
                    #expect(bindings(of: placement) == sorted(expected))
                    #expect(Set(Processors.allowed()) == expected[0], "the caller is thread 0")
                }
            }
        }
    }

    /// Helpers of a small pool keep off the processor that their caller runs on, and off no other.
    @Test func littleIsBoundWithoutPinning() {
        let placement = ThreadPlacement(count: 3, pinning: .none, topology: Simulated.topology([1, 1]))
        let all = Set(Processors.allowed())
        onOwnThread {
            for _ in 0..<20 {
                for binding in bindings(of: placement) {
                    #expect(binding.isSubset(of: all) && binding.count >= max(1, all.count - 1))
                }
                #expect(Set(Processors.allowed()) == all, "the caller is not bound")
            }
        }
    }

    @Test func nothingIsBoundInLargePoolsWithoutPinning() {
        let placement = ThreadPlacement(count: 18, pinning: .none, topology: Simulated.topology([1, 1]))
        let all = Set(Processors.allowed())
        onOwnThread { #expect(bindings(of: placement) == [Set<ProcessorID>](repeating: all, count: 18)) }
    }

    /// The processors of every thread of a pool.
    private func bindings(of placement: ThreadPlacement) -> [Set<ProcessorID>] {
        let pool = ComputePool(threads: placement, spinMicroseconds: 20)
        let meeting = Meeting(placement.count)
        let found = Mutex<[Set<ProcessorID>]>([])
        pool.run(placement.count) { _ in
            meeting.meet()
            found.withLock { $0.append(Set(Processors.allowed())) }
        }
        return sorted(found.withLock { $0 })
    }

    private func sorted(_ sets: [Set<ProcessorID>]) -> [Set<ProcessorID>] {
        sets.sorted { "\($0.sorted())" < "\($1.sorted())" }
    }
}

/// A node's memory changes where weights lie, not what comes out.
@Suite struct NodeWeightTests {
    @Test(arguments: Simulated.placements)
    func packedBytesAreTheSame(placement: ThreadPlacement) throws {
        for rows in [1, 16, 40, 250, 1000] {
            for format in [WeightFormat.bf16, .q4K] {
                let weights = weights(rows: rows, columns: 256, format, seed: rows)
                var (plain, placed): ([UInt8], [UInt8]) = ([], [])
                try weights.packed().withPackedBytes { plain += $0 }
                try weights.packed(WeightPlacement(threads: placement)).withPackedBytes { placed += $0 }
                #expect(plain == placed)
            }
        }
    }

    @Test(arguments: Simulated.placements, [WeightFormat.f32, .q80, .q4K])
    func linearGivesTheSameBits(placement: ThreadPlacement, format: WeightFormat) throws {
        let alone = try Compute(instructionSet: .best, threadCount: 1)
        let compute = try Compute(instructionSet: .best, threads: placement, spinMicroseconds: 20)
        for rows in [10, 250, 776] {
            let weights = weights(rows: rows, columns: 512, format, seed: rows)
            let plain = try weights.packed()
            let placed = try weights.packed(WeightPlacement(threads: placement))
            var numbers = TestNumbers(seed: 5)
            for tokens in [1, 3, 12, 40] {
                let input = Rows.of(numbers.floats(tokens * 512), width: 512)
                let bias = numbers.floats(rows)
                let expected = Rows(capacity: tokens, width: rows)
                alone.linear(plain, input: input.view, output: expected.view, bias: bias)
                for matrix in [plain, placed] {
                    let output = Rows(capacity: tokens, width: rows)
                    onOwnThread { compute.linear(matrix, input: input.view, output: output.view, bias: bias) }
                    #expect(bits(output.values) == bits(expected.values), "\(placement), \(rows) rows, \(tokens)")
                }
            }
        }
    }

    @Test(arguments: Simulated.placements, [WeightFormat.bf16, .q80, .q4K])
    func gatedExpertsGiveTheSameBits(placement: ThreadPlacement, format: WeightFormat) throws {
        let alone = try Compute(instructionSet: .best, threadCount: 1)
        let compute = try Compute(instructionSet: .best, threads: placement, spinMicroseconds: 20)
        // A small expert beside others: nodes without a panel of it.
        let widths = [512, 256, 768]
        var numbers = TestNumbers(seed: 6)
        for tokensPerExpert in [1, 5, 20] {
            let input = Rows.of(numbers.floats(tokensPerExpert * 256), width: 256)
            let scales = numbers.floats(tokensPerExpert)
            func output(_ compute: Compute, _ placement: WeightPlacement) throws -> [UInt32] {
                let batches = try widths.enumerated().map { index, width in
                    ExpertBatch(
                        weights: ExpertWeights(
                            gate: try weights(rows: width, columns: 256, format, seed: index).packed(placement),
                            up: try weights(rows: width, columns: 256, format, seed: index + 9).packed(placement),
                            down: try weights(rows: 256, columns: width, format, seed: index + 99).packed(placement)),
                        inputRows: Array(0..<tokensPerExpert),
                        outputRows: (0..<tokensPerExpert).map { $0 + index * tokensPerExpert }, scales: scales)
                }
                let output = Rows(capacity: widths.count * tokensPerExpert, width: 256)
                onOwnThread {
                    var scratch = ExpertScratch()
                    compute.gatedExperts(
                        ExpertAssignments(batches), input: input.view, output: output.view, scratch: &scratch)
                }
                return bits(output.values)
            }
            let expected = try output(alone, .anywhere)
            #expect(try output(compute, .anywhere) == expected, "\(placement)")
            #expect(try output(compute, WeightPlacement(threads: placement)) == expected, "\(placement)")
        }
    }

    /// A node that this machine does not have: nothing fails, and what lies elsewhere is told if the system tells.
    @Test func aNodeThatCannotBeHadIsNoError() throws {
        let topology = Simulated.topology([1, 1], ids: [0, 63])
        let placement = WeightPlacement(
            threads: ThreadPlacement(count: 2, pinning: .node, topology: topology), hasHugePages: false)
        #expect(placement.bytesOutside == 0 && placement.logEntries["bytesInOtherNodes"] == nil)
        let before = Processors.allowed()
        let weights = weights(rows: 64, columns: 256, .bf16, seed: 1)
        let matrix = try weights.packed(placement)
        #expect(Processors.allowed() == before, "the thread that packs is bound for the moment only")
        #expect([0, matrix.byteCount / 2].contains(placement.bytesOutside))
        #expect(placement.logEntries["hugePages"] == "off")
        #expect(placement.logEntries["threads"] == "2 (1 at node 0, 1 at node 63; pinned to nodes)")
    }

    private func weights(rows: Int, columns: Int, _ format: WeightFormat, seed: Int) -> TestWeights {
        format.isPlain
            ? TestWeights(rows: rows, columns: columns, format: format, seed: seed)
            : TestWeights(blockRows: rows, columns: columns, format: format, seed: seed)
    }
}

/// Runs `body` on a thread of its own: pools bind the threads that lead their loops.
private func onOwnThread(_ body: () -> Void) {
    withoutActuallyEscaping(body) { body in
        let done = DispatchSemaphore(value: 0)
        let work = BorrowedWork(body)
        Thread.detachNewThread {
            work.run()
            done.signal()
        }
        done.wait()
    }
}

/// `@unchecked Sendable`: whoever made it waits until the body has returned, and was let go of.
private final class BorrowedWork: @unchecked Sendable {
    private var body: (() -> Void)?

    init(_ body: @escaping () -> Void) { self.body = body }

    func run() {
        body?()
        body = nil
    }
}

/// Where some threads wait until all of them are there.
private final class Meeting: Sendable {
    private let missing: Atomic<Int>

    init(_ count: Int) { missing = Atomic(count) }

    func meet() {
        missing.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        while missing.load(ordering: .acquiring) > 0 { sched_yield() }
    }
}
