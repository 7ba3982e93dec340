// Which processors a thread runs on, and which node of a machine's memory an address lies in.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Processors are bits of 64-bit words, the lowest first. No kernel is built for more than this many.
#define COLONY_PROCESSORS_MAX 8192

/// Writes which processors the calling thread may run on into `count` words; returns 0 or an error number.
int colony_get_processors(uint64_t *words, size_t count);

/// Lets the calling thread run on these processors only; returns 0 or an error number.
int colony_set_processors(const uint64_t *words, size_t count);

/// Lets another thread, by the system's number, run on the processors of the calling one but this; returns 0 or an
/// error number, EINVAL where none is left.
int colony_keep_off_processor(int thread, size_t processor);

/// Nodes are numbered below this.
#define COLONY_MEMORY_NODES_MAX 1024

/// Asks for the pages of a mapping, none of which was touched yet, to come from a node, or from another one where that
/// is full; `base` is at a page's start. Returns 0 or an error number.
int colony_prefer_memory_node(void *base, size_t byte_count, size_t node);

/// Writes the node of each page, or a negative error number for one that is nowhere; returns 0 or an error number.
int colony_get_memory_nodes(const void *const *pages, size_t count, int *nodes);
