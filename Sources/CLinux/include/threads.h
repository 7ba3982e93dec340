// A pool of threads for short parallel loops: helpers spin for a while after the last work, then sleep on a futex.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct colony_thread_pool colony_thread_pool;

/// What a loop runs per task; `thread` is 0 for the caller, 1 and up for the helpers.
typedef void (*colony_thread_task)(void *context, size_t task, size_t thread);

/// Most tasks of one loop.
#define COLONY_THREAD_TASKS_MAX 0x7fffffffu

/// Where the threads of a pool belong on a machine whose memory has several nodes.
typedef struct {
    /// Queues of tasks, one per node; at least 1.
    size_t queue_count;
    /// Per thread, the queue that it takes tasks from first.
    const size_t *queues;
    /// Per thread, the processors that it stays on: `processor_words` words of bits. Null: the system decides.
    const uint64_t *processors;
    size_t processor_words;
} colony_thread_layout;

/// Starts `thread_count - 1` helpers, fewer if the system refuses; null without memory. `layout` is copied; null stands
/// for one queue, and processors that the system chooses.
colony_thread_pool *colony_thread_pool_create(
    size_t thread_count, uint32_t spin_microseconds, const colony_thread_layout *layout);

/// How many threads take part, the caller included.
size_t colony_thread_pool_size(const colony_thread_pool *pool);

/// Runs tasks 0 to count - 1 on the caller and the helpers and returns when all are done. Callers on several threads
/// take turns; a call from within a task runs its tasks inline.
void colony_thread_pool_run(colony_thread_pool *pool, size_t count, colony_thread_task task, void *context);

/// The same with each queue's tasks: those of queue 0 end before `ends[0]`, those of queue 1 follow and end before
/// `ends[1]`, and so on. A thread takes those of its own queue first and then helps with the others.
void colony_thread_pool_run_queues(
    colony_thread_pool *pool, const size_t *ends, colony_thread_task task, void *context);

/// Binds the calling thread to the processors of thread 0, once; what leads a loop does that by itself.
void colony_thread_pool_bind_caller(colony_thread_pool *pool);

/// Ends and joins the helpers. No loop may be running.
void colony_thread_pool_destroy(colony_thread_pool *pool);
