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

/// Waits for the event: spins for `spin_nanoseconds`, then sleeps until `timeout_nanoseconds` have passed since the
/// call (negative: for ever). Returns whether it happened.
bool colony_event_wait(colony_event *event, uint64_t spin_nanoseconds, int64_t timeout_nanoseconds);

/// A bell that one thread waits for, alone or together with a socket: a descriptor, or a negative error number.
int colony_bell_open(void);

/// Rings; it goes on ringing until it is cleared.
void colony_bell_ring(int bell);

/// Silences the bell; to be called before one looks whether there is something to do.
void colony_bell_clear(int bell);

/// Waits until the bell rings, or something can be read from the socket (negative: there is none), or the time has
/// passed (negative: for ever).
void colony_bell_wait(int bell, int socket, int timeout_milliseconds);

/// Tells the processor that this is a spinning loop.
void colony_pause(void);

/// Lets another thread that is ready run on this processor.
void colony_yield(void);
