#define _GNU_SOURCE
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// States of an event. Only the step from waiting to parked is taken by waiters; nothing leads away from set.
enum { event_waiting = 0, event_parked = 1, event_set = 2 };

uint64_t colony_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void colony_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

void colony_yield(void) { sched_yield(); }

int colony_pin_thread(int processor) {
    if (processor < 0 || processor >= CPU_SETSIZE) return EINVAL;
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(processor, &processors);
    return sched_setaffinity(0, sizeof processors, &processors) == 0 ? 0 : errno;
}

bool colony_event_is_set(const colony_event *event) {
    return __atomic_load_n(&event->state, __ATOMIC_ACQUIRE) == event_set;
}

void colony_event_signal(colony_event *event) {
    uint32_t before = __atomic_exchange_n(&event->state, event_set, __ATOMIC_ACQ_REL);
    // Nobody to wake, and so no system call, where the waiter was still spinning.
    if (before == event_parked) {
        syscall(SYS_futex, &event->state, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
}

uint32_t colony_bell_count(const colony_bell *bell) { return __atomic_load_n(&bell->count, __ATOMIC_ACQUIRE); }

void colony_bell_ring(colony_bell *bell) {
    __atomic_add_fetch(&bell->count, 1, __ATOMIC_ACQ_REL);
    syscall(SYS_futex, &bell->count, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void colony_bell_wait(colony_bell *bell, uint32_t count, uint64_t timeout_nanoseconds) {
    struct timespec rest = {
        .tv_sec = (time_t)(timeout_nanoseconds / 1000000000u), .tv_nsec = (long)(timeout_nanoseconds % 1000000000u)};
    syscall(SYS_futex, &bell->count, FUTEX_WAIT_PRIVATE, count, &rest, NULL, 0);
}

bool colony_event_wait(colony_event *event, uint64_t spin_nanoseconds, int64_t timeout_nanoseconds) {
    if (colony_event_is_set(event)) return true;
    uint64_t start = colony_monotonic_nanoseconds();
    uint64_t now = start;
    if (timeout_nanoseconds >= 0 && spin_nanoseconds > (uint64_t)timeout_nanoseconds) {
        spin_nanoseconds = (uint64_t)timeout_nanoseconds;
    }
    while (now - start < spin_nanoseconds) {
        for (int round = 0; round < 32; round++) {
            if (colony_event_is_set(event)) return true;
            colony_pause();
        }
        now = colony_monotonic_nanoseconds();
    }
    while (true) {
        uint32_t expected = event_waiting;
        bool is_parked = __atomic_compare_exchange_n(
            &event->state, &expected, event_parked, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (!is_parked && expected == event_set) return true;
        struct timespec rest = {0, 0};
        if (timeout_nanoseconds >= 0) {
            uint64_t elapsed = colony_monotonic_nanoseconds() - start;
            if (elapsed >= (uint64_t)timeout_nanoseconds) return colony_event_is_set(event);
            uint64_t left = (uint64_t)timeout_nanoseconds - elapsed;
            rest.tv_sec = (time_t)(left / 1000000000u);
            rest.tv_nsec = (long)(left % 1000000000u);
        }
        syscall(
            SYS_futex, &event->state, FUTEX_WAIT_PRIVATE, event_parked, timeout_nanoseconds >= 0 ? &rest : NULL, NULL,
            0);
    }
}
