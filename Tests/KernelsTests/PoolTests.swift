import Foundation
import Kernels
import Synchronization
import Testing

@Suite(.serialized) struct PoolTests {
    @Test(arguments: [1, 2, 3, 8])
    func everyTaskRunsOnce(threadCount: Int) {
        let pool = ComputePool(threadCount: threadCount, spinMicroseconds: 20)
        #expect(pool.threadCount == threadCount)
        for taskCount in [0, 1, 2, 3, 17, 1000] {
            let runs = Counters(taskCount)
            pool.run(taskCount) { runs.add($0) }
            #expect(runs.values == [Int](repeating: 1, count: taskCount))
        }
    }

    @Test(arguments: [0, 5, 1000])
    func manySmallLoops(spinMicroseconds: Int) {
        let pool = ComputePool(threadCount: 4, spinMicroseconds: spinMicroseconds)
        let total = Counters(1)
        for _ in 0..<5000 { pool.run(5) { _ in total.add(0) } }
        #expect(total.values == [25000])
    }

    @Test func callersTakeTurns() {
        let pool = ComputePool(threadCount: 3, spinMicroseconds: 30)
        let total = Counters(1)
        let threads = (0..<4).map { _ in
            Joinable { for _ in 0..<1000 { pool.run(7) { _ in total.add(0) } } }
        }
        for thread in threads { thread.join() }
        #expect(total.values == [28000])
    }

    @Test func aLoopWithinATaskRunsInline() {
        let pool = ComputePool(threadCount: 3, spinMicroseconds: 30)
        let total = Counters(1)
        pool.run(8) { _ in pool.run(8) { _ in total.add(0) } }
        #expect(total.values == [64])
    }

    @Test func endsWhileAsleepAndWhileAwake() {
        for spinMicroseconds in [0, 1000, 200_000] {
            for _ in 0..<20 {
                let pool = ComputePool(threadCount: 4, spinMicroseconds: spinMicroseconds)
                let total = Counters(1)
                pool.run(16) { _ in total.add(0) }
                #expect(total.values == [16])
            }
        }
    }

    @Test func crowdedPoolsFinish() {
        let total = Counters(1)
        let threads = (0..<4).map { _ in
            Joinable {
                let pool = ComputePool(threadCount: 4, spinMicroseconds: 1000)
                for _ in 0..<300 { pool.run(8) { _ in total.add(0) } }
            }
        }
        for thread in threads { thread.join() }
        #expect(total.values == [4 * 300 * 8])
    }

    @Test func refusesUnsupportedInstructionsAndThreadCounts() {
        for instructionSet in InstructionSet.allCases where !instructionSet.isSupported {
            #expect(throws: KernelError.self) { try Compute(instructionSet: instructionSet, threadCount: 1) }
        }
        #expect(throws: KernelError.threadCountOutOfRange(count: 0, limit: 1024)) {
            try Compute(instructionSet: .generic, threadCount: 0)
        }
        #expect(InstructionSet.best.isSupported)
        #expect(InstructionSet.available.contains(.generic))
    }
}

/// Counts per task, from any thread.
private final class Counters: Sendable {
    private let counts: Mutex<[Int]>

    init(_ count: Int) { counts = Mutex([Int](repeating: 0, count: count)) }

    func add(_ index: Int) { counts.withLock { $0[index] += 1 } }

    var values: [Int] { counts.withLock { $0 } }
}

/// A thread of its own that can be waited for.
private final class Joinable: Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        let done = done
        Thread.detachNewThread {
            body()
            done.signal()
        }
    }

    func join() { done.wait() }
}
