// How a loop is shared out.
//
//   ticket   = end of the tasks << 32 | next task. A helper takes a task by adding 1 and looks at both halves of what
//              was there before: a helper that comes late finds next >= end and has taken nothing, so the caller need
//              not wait for helpers that never came. There is a ticket per queue: one, or one for each node of the
//              memory. The fields of the loop are written while every ticket is exhausted.
//   pending  = tasks that are not finished; the caller waits for 0, spinning first, then asleep.
//   round    = grows by one per loop; helpers wait for it to change, spinning first, then asleep.
//
// Sleepers announce themselves before they look a last time, and who changes a word looks for sleepers afterwards; both
// sequentially consistent, so that one of the two always sees the other.
#define _GNU_SOURCE
#include "include/nodes.h"
#include "include/threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// Spinning without giving way; beyond it every look also yields, so that a crowded machine does not collapse.
#define PURE_SPIN_NANOSECONDS 20000
/// How long the caller spins and yields for the last task of a helper before it sleeps.
#define CALLER_SPIN_NANOSECONDS 200000
#define PAUSES_PER_LOOK 16
/// Pools with more helpers leave their places to the system: a call for each would take longer than it saves.
#define STEERED_HELPERS_MAX 16

typedef struct helper {
    colony_thread_pool *pool;
    pthread_t thread;
    size_t index;
    /// As the system numbers threads; 0 until it runs.
    _Atomic int number;
} helper;

typedef struct queue {
    alignas(64) _Atomic uint64_t ticket;
} queue;

struct colony_thread_pool {
    alignas(64) _Atomic uint32_t pending;
    _Atomic uint32_t caller_asleep;
    alignas(64) _Atomic uint32_t round;
    _Atomic uint32_t helpers_asleep;
    _Atomic uint32_t stopping;
    alignas(64) colony_thread_task task;
    void *context;
    uint64_t spin_nanoseconds;
    pthread_mutex_t turn;
    size_t helper_count;
    helper *helpers;
    /// Per thread, null where there is one queue or where no thread is bound.
    size_t *queue_of_thread;
    uint64_t *processors;
    size_t processor_words;
    /// Which pool this is, of all that there ever were.
    uint64_t number;
    /// The processor that helpers are kept off, -1 if none; belongs to the caller whose turn it is.
    int avoided;
    size_t queue_count;
    queue queues[];
};

/// The pool whose task this thread is running, and as which of its threads.
static _Thread_local colony_thread_pool *inside;
static _Thread_local size_t inside_as;
/// The number of the pool that bound this thread last.
static _Thread_local uint64_t bound_by;
static _Atomic uint64_t pools_made;

static uint64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void pause_processor(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, size_t count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count < INT_MAX ? (int)count : INT_MAX, NULL, NULL, 0);
}

/// Waits until the word leaves `value`; answers 0 if it is still there after the given time.
static int spin_while(_Atomic uint32_t *word, uint32_t value, uint64_t limit_nanoseconds) {
    const uint64_t start = now_nanoseconds();
    for (;;) {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value) return 1;
            pause_processor();
        }
        uint64_t elapsed = now_nanoseconds() - start;
        if (elapsed >= limit_nanoseconds) return 0;
        if (elapsed >= PURE_SPIN_NANOSECONDS) sched_yield();
    }
}

static void finish_task(colony_thread_pool *pool) {
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_asleep)) futex_wake(&pool->pending, 1);
}

/// Takes tasks of a queue until none is left.
static void drain(colony_thread_pool *pool, queue *queue, size_t thread) {
    // A look before the addition keeps idle helpers from dirtying the line, and the counter from ever running over.
    uint64_t ticket = atomic_load_explicit(&queue->ticket, memory_order_acquire);
    if ((uint32_t)ticket >= (uint32_t)(ticket >> 32)) return;
    for (;;) {
        ticket = atomic_fetch_add_explicit(&queue->ticket, 1, memory_order_acq_rel);
        if ((uint32_t)ticket >= (uint32_t)(ticket >> 32)) return;
        pool->task(pool->context, (uint32_t)ticket, thread);
        finish_task(pool);
    }
}

/// Takes tasks until none is left anywhere, those of the thread's own queue first.
static void work(colony_thread_pool *pool, size_t thread) {
    const size_t own = pool->queue_of_thread ? pool->queue_of_thread[thread] : 0;
    drain(pool, &pool->queues[own], thread);
    for (size_t i = 1; i < pool->queue_count; i++) drain(pool, &pool->queues[(own + i) % pool->queue_count], thread);
}

/// Binds the calling thread, which is this one of the pool, if the pool binds any. A failure costs speed, no more.
static void bind(const colony_thread_pool *pool, size_t thread) {
    if (!pool->processors || bound_by == pool->number) return;
    bound_by = pool->number;
    colony_set_processors(pool->processors + thread * pool->processor_words, pool->processor_words);
}

static void *helper_main(void *argument) {
    helper *self = argument;
    colony_thread_pool *pool = self->pool;
    inside = pool;
    inside_as = self->index;
    bind(pool, self->index);
    atomic_store(&self->number, gettid());
    uint32_t seen = atomic_load(&pool->round);
    while (!atomic_load(&pool->stopping)) {
        work(pool, self->index);
        if (!spin_while(&pool->round, seen, pool->spin_nanoseconds)) {
            atomic_fetch_add(&pool->helpers_asleep, 1);
            while (atomic_load(&pool->round) == seen) futex_wait(&pool->round, seen);
            atomic_fetch_sub(&pool->helpers_asleep, 1);
        }
        seen = atomic_load(&pool->round);
    }
    return NULL;
}

static void next_round(colony_thread_pool *pool, size_t helpers_wanted) {
    atomic_fetch_add(&pool->round, 1);
    if (atomic_load(&pool->helpers_asleep)) futex_wake(&pool->round, helpers_wanted);
}

/// Copies what the pool needs of a layout; answers 0 without memory.
static int take_layout(colony_thread_pool *pool, const colony_thread_layout *layout, size_t thread_count) {
    if (layout->queue_count > 1) {
        const size_t bytes = thread_count * sizeof *layout->queues;
        if (!(pool->queue_of_thread = malloc(bytes))) return 0;
        memcpy(pool->queue_of_thread, layout->queues, bytes);
    }
    if (layout->processors) {
        const size_t bytes = thread_count * layout->processor_words * sizeof *layout->processors;
        if (!(pool->processors = malloc(bytes))) return 0;
        memcpy(pool->processors, layout->processors, bytes);
        pool->processor_words = layout->processor_words;
    }
    return 1;
}

static void free_pool(colony_thread_pool *pool) {
    pthread_mutex_destroy(&pool->turn);
    free(pool->helpers);
    free(pool->queue_of_thread);
    free(pool->processors);
    free(pool);
}

colony_thread_pool *colony_thread_pool_create(
    size_t thread_count, uint32_t spin_microseconds, const colony_thread_layout *layout) {
    const size_t queue_count = layout ? layout->queue_count : 1;
    colony_thread_pool *pool = aligned_alloc(64, sizeof *pool + queue_count * sizeof(queue));
    if (!pool) return NULL;
    *pool = (colony_thread_pool){
        .spin_nanoseconds = (uint64_t)spin_microseconds * 1000,
        .number = atomic_fetch_add(&pools_made, 1) + 1,
        .avoided = -1,
        .queue_count = queue_count,
    };
    for (size_t i = 0; i < queue_count; i++) atomic_init(&pool->queues[i].ticket, 0);
    pthread_mutex_init(&pool->turn, NULL);
    if (layout && !take_layout(pool, layout, thread_count)) {
        free_pool(pool);
        return NULL;
    }
    if (thread_count < 2) return pool;
    pool->helpers = calloc(thread_count - 1, sizeof *pool->helpers);
    if (!pool->helpers) return pool;
    // Signals are for the threads that expect them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i + 1 < thread_count; i++) {
        pool->helpers[i] = (helper){.pool = pool, .index = i + 1};
        if (pthread_create(&pool->helpers[i].thread, NULL, helper_main, &pool->helpers[i])) break;
        pthread_setname_np(pool->helpers[i].thread, "colony-compute");
        pool->helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pool;
}

size_t colony_thread_pool_size(const colony_thread_pool *pool) { return pool->helper_count + 1; }

static void wait_for_helpers(colony_thread_pool *pool) {
    uint32_t pending = atomic_load(&pool->pending);
    const uint64_t start = pending ? now_nanoseconds() : 0;
    while (pending) {
        if (!spin_while(&pool->pending, pending, CALLER_SPIN_NANOSECONDS)
            || now_nanoseconds() - start >= CALLER_SPIN_NANOSECONDS) {
            atomic_store(&pool->caller_asleep, 1);
            pending = atomic_load(&pool->pending);
            if (pending) futex_wait(&pool->pending, pending);
            atomic_store(&pool->caller_asleep, 0);
        }
        pending = atomic_load(&pool->pending);
    }
}

/// Keeps helpers off the caller's processor. Systems like to wake a thread where its waker runs, Linux above all in
/// virtual machines, where an idle processor seems taken: the helper then waits for the caller to finish, with a
/// processor idle beside them. One that has given way may wait there too.
static void steer(colony_thread_pool *pool) {
    if (pool->processors || pool->helper_count > STEERED_HELPERS_MAX) return;
    const int here = sched_getcpu();
    if (here < 0 || here == pool->avoided) return;
    pool->avoided = here;
    for (size_t i = 0; i < pool->helper_count; i++) {
        const int number = atomic_load(&pool->helpers[i].number);
        if (number) colony_keep_off_processor(number, (size_t)here);
        // It does not run yet: once more the next time.
        else pool->avoided = -1;
    }
}

/// `ends` as for `colony_thread_pool_run_queues`; null puts every task into the first queue.
static void run(
    colony_thread_pool *pool, size_t count, const size_t *ends, colony_thread_task task, void *context) {
    const int nested = inside == pool;
    if (nested || pool->helper_count == 0 || count < 2) {
        if (!nested) bind(pool, 0);
        // Without helpers there is nothing to take turns for: callers work side by side.
        for (size_t i = 0; i < count; i++) task(context, i, nested ? inside_as : 0);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    bind(pool, 0);
    colony_thread_pool *outer = inside;
    const size_t outer_as = inside_as;
    inside = pool;
    inside_as = 0;
    pool->task = task;
    pool->context = context;
    atomic_store_explicit(&pool->pending, (uint32_t)count, memory_order_relaxed);
    for (size_t i = 0, begin = 0; i < pool->queue_count; i++) {
        const size_t end = ends ? ends[i] : count;
        atomic_store_explicit(&pool->queues[i].ticket, (uint64_t)end << 32 | begin, memory_order_release);
        begin = end;
    }
    steer(pool);
    next_round(pool, count - 1);
    work(pool, 0);
    wait_for_helpers(pool);
    inside = outer;
    inside_as = outer_as;
    pthread_mutex_unlock(&pool->turn);
}

void colony_thread_pool_run(colony_thread_pool *pool, size_t count, colony_thread_task task, void *context) {
    run(pool, count, NULL, task, context);
}

void colony_thread_pool_run_queues(
    colony_thread_pool *pool, const size_t *ends, colony_thread_task task, void *context) {
    run(pool, ends[pool->queue_count - 1], ends, task, context);
}

void colony_thread_pool_bind_caller(colony_thread_pool *pool) { bind(pool, 0); }

void colony_thread_pool_destroy(colony_thread_pool *pool) {
    atomic_store(&pool->stopping, 1);
    next_round(pool, pool->helper_count);
    for (size_t i = 0; i < pool->helper_count; i++) pthread_join(pool->helpers[i].thread, NULL);
    free_pool(pool);
}
