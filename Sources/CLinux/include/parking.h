// Waiting for one event: spin for a while, then sleep on a futex. Also the clock and the hints that belong to spinning.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// An event that happens once. Zero it before use; it holds no resources.
typedef struct {
    uint32_t state;
} colony_event;

/// Nanoseconds of a clock that only goes forward.
uint64_t colony_monotonic_nanoseconds(void);

/// Whether the event has happened; what was written before `colony_event_signal` is visible if so.
bool colony_event_is_set(const colony_event *event);

/// Makes the event happen and wakes all that wait for it.
void colony_event_signal(colony_event *event);

/// Waits for the event: spins for `spin_nanoseconds`, then sleeps until `timeout_nanoseconds` have passed since the call
/// (negative: for ever). Returns whether it happened.
bool colony_event_wait(colony_event *event, uint64_t spin_nanoseconds, int64_t timeout_nanoseconds);

/// Something that rings again and again for one thread. Zero it before use; it holds no resources.
typedef struct {
    uint32_t count;
} colony_bell;

/// How often it has rung; to be read before one looks whether there is something to do.
uint32_t colony_bell_count(const colony_bell *bell);

/// Rings, and wakes who waits.
void colony_bell_ring(colony_bell *bell);

/// Waits until it has rung more often than `count`, or the time has passed.
void colony_bell_wait(colony_bell *bell, uint32_t count, uint64_t timeout_nanoseconds);

/// Tells the processor that this is a spinning loop.
void colony_pause(void);

/// Lets another thread that is ready run on this processor.
void colony_yield(void);

/// Lets the calling thread run on this processor only; returns 0 or an error number.
int colony_pin_thread(int processor);
