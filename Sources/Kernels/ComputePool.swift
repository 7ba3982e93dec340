import Basics
import CLinux

/// Threads for short parallel loops. The caller of a loop takes part; helpers spin for `spinMicroseconds` after the
/// last work and then sleep, so that back-to-back steps cost no wake-up and an idle process costs no processor.
///
/// `@unchecked Sendable`: the pool behind the pointer does its own locking.
public final class ComputePool: @unchecked Sendable {
    private let pool: OpaquePointer?
    /// How many threads take part in a loop, the caller included.
    public let threadCount: Int
    /// Whether the caller may do a loop alone without asking the pool: one thread, which is not bound to anything.
    let isCallerAlone: Bool

    /// Starts `threads.count - 1` helpers; fewer when the system refuses more threads (`threadCount` then says so).
    /// Helpers are bound as `threads` says, and whoever leads a loop is bound as thread 0: callers share its place.
    public init(threads: ThreadPlacement, spinMicroseconds: Int) {
        let count = min(max(threads.count, 1), Limits.Kernels.threadCountMax)
        let spin = min(max(spinMicroseconds, 0), Limits.Kernels.spinMicrosecondsMax)
        let places = (0..<count).map { threads.processors(ofThread: $0) }
        let isBound = threads.pinning != .none
        let queues = threads.shares.enumerated().flatMap { share in share.element.threads.map { _ in share.offset } }
        let wordCount = Processors.wordCount(of: places.joined())
        let masks = places.flatMap { Processors.mask(of: $0, wordCount: wordCount) }
        pool = queues.withUnsafeBufferPointer { queues in
            masks.withUnsafeBufferPointer { masks in
                var layout = colony_thread_layout(
                    queue_count: threads.shares.count, queues: queues.baseAddress,
                    processors: isBound ? masks.baseAddress : nil, processor_words: wordCount)
                return colony_thread_pool_create(count, UInt32(spin), &layout)
            }
        }
        threadCount = pool.map { colony_thread_pool_size($0) } ?? 1
        isCallerAlone = threadCount == 1 && !isBound
    }

    /// `threadCount` threads anywhere.
    public convenience init(threadCount: Int, spinMicroseconds: Int) {
        self.init(threads: ThreadPlacement(count: threadCount), spinMicroseconds: spinMicroseconds)
    }

    deinit {
        if let pool { colony_thread_pool_destroy(pool) }
    }

    /// Runs `body` for every task 0 to `taskCount` - 1, in any order, and returns when all are done. Callers on
    /// several threads take turns; a call from within a task runs inline.
    public func run(_ taskCount: Int, _ body: (_ task: Int) -> Void) {
        runOnThreads(taskCount) { task, _ in body(task) }
    }

    /// As `run`; tells the task which thread (0 to `threadCount` - 1) runs it, for scratch memory of its own.
    func runOnThreads(_ taskCount: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
        precondition(taskCount >= 0 && taskCount <= Int(COLONY_THREAD_TASKS_MAX))
        guard let pool, threadCount > 1, taskCount > 1 else {
            if let pool, !isCallerAlone { colony_thread_pool_bind_caller(pool) }
            for task in 0..<taskCount { body(task, 0) }
            return
        }
        withoutActuallyEscaping(body) { escapable in
            var loop = Loop(body: escapable)
            withUnsafeMutablePointer(to: &loop) { pointer in
                colony_thread_pool_run(pool, taskCount, runTask, pointer)
            }
        }
    }
}

extension ComputePool {
    /// As `run`, for tasks that belong to nodes: those of the first end before `ends[0]`, those of the second follow
    /// and end before `ends[1]`, and so on, one end for each share of the threads. Threads take those of their own node
    /// first and then help with the others: else one thread that is late would leave a whole node waiting.
    package func run(ends: UnsafeBufferPointer<Int>, _ body: (_ task: Int) -> Void) {
        let taskCount = ends.last ?? 0
        precondition(taskCount >= 0 && taskCount <= Int(COLONY_THREAD_TASKS_MAX))
        guard let pool, let base = ends.baseAddress else { return runOnThreads(taskCount) { task, _ in body(task) } }
        withoutActuallyEscaping(body) { escapable in
            var loop = Loop { task, _ in escapable(task) }
            withUnsafeMutablePointer(to: &loop) { colony_thread_pool_run_queues(pool, base, runTask, $0) }
        }
    }
}

/// A closure at an address, for the way through C.
private struct Loop {
    let body: (Int, Int) -> Void
}

private func runTask(context: UnsafeMutableRawPointer?, task: Int, thread: Int) {
    context?.assumingMemoryBound(to: Loop.self).pointee.body(task, thread)
}
