// Starting threads of our own.
#pragma once

/// Starts a detached thread that runs `body(argument)`; tools show `name` (at most 15 characters). Signals sent to the
/// process are not delivered to it: they are the main thread's. Returns 0 or an error number.
int colony_start_thread(const char *name, void (*body)(void *argument), void *argument);
