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
        let runs = Counters(5)
        for _ in 0..<5000 { pool.run(5) { runs.add($0) } }
        #expect(runs.values == [Int](repeating: 5000, count: 5))
    }

    @Test func callersTakeTurns() {
        let pool = ComputePool(threadCount: 3, spinMicroseconds: 30)
        let runs = Counters(7)
        let threads = (0..<4).map { _ in
            Joinable { for _ in 0..<1000 { pool.run(7) { runs.add($0) } } }
        }
        for thread in threads { thread.join() }
        #expect(runs.values == [Int](repeating: 4000, count: 7))
    }

    @Test func aLoopWithinATaskRunsInline() {
        let pool = ComputePool(threadCount: 3, spinMicroseconds: 30)
        let runs = Counters(64)
        pool.run(8) { outer in pool.run(8) { inner in runs.add(8 * outer + inner) } }
        #expect(runs.values == [Int](repeating: 1, count: 64))
    }

    @Test func endsWhileAsleepAndWhileAwake() {
        for spinMicroseconds in [0, 1000, 200_000] {
            for _ in 0..<20 {
                let pool = ComputePool(threadCount: 4, spinMicroseconds: spinMicroseconds)
                let runs = Counters(16)
                pool.run(16) { runs.add($0) }
                #expect(runs.values == [Int](repeating: 1, count: 16))
            }
        }
    }

    @Test func crowdedPoolsFinish() {
        let runs = (0..<4).map { _ in Counters(8) }
        let threads = runs.map { runs in
            Joinable {
                let pool = ComputePool(threadCount: 4, spinMicroseconds: 1000)
                for _ in 0..<300 { pool.run(8) { runs.add($0) } }
            }
        }
        for thread in threads { thread.join() }
        for runs in runs { #expect(runs.values == [Int](repeating: 300, count: 8)) }
    }

    @Test(.enabled(if: Processors.allowed().count > 1))
    func sleepingHelpersAreKeptOffTheCallersProcessor() {
        let pool = ComputePool(threadCount: 2, spinMicroseconds: 0)
        let all = Processors.allowed()
        let caller = pthread_self()
        let allowed = Mutex(all)
        // The first loops may come before the helper sleeps, or before it runs at all.
        for _ in 0..<1000 where allowed.withLock({ $0 == all }) {
            let arrivals = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
            pool.run(2) { task in
                arrivals[task].signal()
                arrivals[1 - task].wait()
                if pthread_equal(pthread_self(), caller) == 0 { allowed.withLock { $0 = Processors.allowed() } }
            }
        }
        let ofHelper = allowed.withLock(\.self)
        #expect(ofHelper.count == all.count - 1 && Set(ofHelper).isSubset(of: all))
        #expect(Processors.allowed() == all)
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

/// Counts per task in plain memory: what a task writes, the caller of the loop and later loops must see. The pool
/// itself is what orders the accesses, which the thread sanitizer can therefore check.
private final class Counters: @unchecked Sendable {
    private let counts: UnsafeMutableBufferPointer<Int>

    init(_ count: Int) {
        counts = .allocate(capacity: count)
        counts.initialize(repeating: 0)
    }

    deinit { counts.deallocate() }

    func add(_ task: Int) { counts[task] += 1 }

    var values: [Int] { Array(counts) }
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
