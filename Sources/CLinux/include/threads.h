// A pool of threads for short parallel loops: helpers spin for a while after the last work, then sleep on a futex.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct colony_thread_pool colony_thread_pool;

/// What a loop runs per task; `thread` is 0 for the caller, 1 and up for the helpers.
typedef void (*colony_thread_task)(void *context, size_t task, size_t thread);

/// Most tasks of one loop.
#define COLONY_THREAD_TASKS_MAX 0x7fffffffu

/// Starts `thread_count - 1` helpers, fewer if the system refuses; null without memory.
colony_thread_pool *colony_thread_pool_create(size_t thread_count, uint32_t spin_microseconds);

/// How many threads take part, the caller included.
size_t colony_thread_pool_size(const colony_thread_pool *pool);

/// Runs tasks 0 to count - 1 on the caller and the helpers and returns when all are done. Callers on several threads
/// take turns; a call from within a task runs its tasks inline.
void colony_thread_pool_run(colony_thread_pool *pool, size_t count, colony_thread_task task, void *context);

/// Ends and joins the helpers. No loop may be running.
void colony_thread_pool_destroy(colony_thread_pool *pool);
