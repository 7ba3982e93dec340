#define _GNU_SOURCE
#include "include/nodes.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BITS_PER_WORD (8 * sizeof(unsigned long))

int colony_get_processors(uint64_t *words, size_t count) {
    // The bare call: it answers how many bytes it wrote, the library's function would hide that.
    long written = syscall(SYS_sched_getaffinity, 0, count * sizeof *words, words);
    if (written < 0) return errno;
    memset((char *)words + written, 0, count * sizeof *words - (size_t)written);
    return 0;
}

int colony_set_processors(const uint64_t *words, size_t count) {
    return syscall(SYS_sched_setaffinity, 0, count * sizeof *words, words) < 0 ? errno : 0;
}

int colony_keep_off_processor(int thread, size_t processor) {
    uint64_t words[COLONY_PROCESSORS_MAX / 64];
    const size_t count = sizeof words / sizeof *words;
    const int error = colony_get_processors(words, count);
    if (error) return error;
    if (processor < COLONY_PROCESSORS_MAX) words[processor / 64] &= ~(UINT64_C(1) << processor % 64);
    uint64_t left = 0;
    for (size_t i = 0; i < count; i++) left |= words[i];
    if (!left) return EINVAL;
    return syscall(SYS_sched_setaffinity, thread, sizeof words, words) < 0 ? errno : 0;
}

int colony_prefer_memory_node(void *base, size_t byte_count, size_t node) {
    if (node >= COLONY_MEMORY_NODES_MAX) return EINVAL;
    unsigned long nodes[COLONY_MEMORY_NODES_MAX / BITS_PER_WORD] = {0};
    nodes[node / BITS_PER_WORD] = 1ul << node % BITS_PER_WORD;
    // The kernel takes one bit less than it is told.
    const unsigned long bits = COLONY_MEMORY_NODES_MAX + 1;
    return syscall(SYS_mbind, base, byte_count, MPOL_PREFERRED, nodes, bits, 0) < 0 ? errno : 0;
}

int colony_get_memory_nodes(const void *const *pages, size_t count, int *nodes) {
    return syscall(SYS_move_pages, 0, count, pages, NULL, nodes, 0) < 0 ? errno : 0;
}
