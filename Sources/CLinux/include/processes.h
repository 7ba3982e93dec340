// The life of child processes.
#pragma once

/// Asks the kernel to send this process SIGTERM when the thread that started it ends. Returns 0 or an error number.
int colony_end_with_parent(void);
