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

    /// Starts `threadCount - 1` helpers; fewer when the system refuses more threads (`threadCount` then says so).
    public init(threadCount: Int, spinMicroseconds: Int) {
        let threads = min(max(threadCount, 1), Limits.Kernels.threadCountMax)
        let spin = min(max(spinMicroseconds, 0), Limits.Kernels.spinMicrosecondsMax)
        pool = colony_thread_pool_create(threads, UInt32(spin))
        self.threadCount = pool.map { colony_thread_pool_size($0) } ?? 1
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

/// A closure at an address, for the way through C.
private struct Loop {
    let body: (Int, Int) -> Void
}

private func runTask(context: UnsafeMutableRawPointer?, task: Int, thread: Int) {
    context?.assumingMemoryBound(to: Loop.self).pointee.body(task, thread)
}
