#define _GNU_SOURCE
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/eventfd.h>
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

int colony_bell_open(void) {
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell >= 0 ? bell : -errno;
}

void colony_bell_ring(int bell) {
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written;
}

void colony_bell_clear(int bell) {
    uint64_t count;
    ssize_t taken = read(bell, &count, sizeof count);
    (void)taken;
}

void colony_bell_wait(int bell, int socket, int timeout_milliseconds) {
    // A negative descriptor is passed over by poll.
    struct pollfd waits[2] = {{.fd = bell, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
    poll(waits, 2, timeout_milliseconds);
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
