// What only moves numbers, and is therefore the same on every instruction set.
#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

#define PACK_COLUMNS 64

size_t colony_prefetch_bytes(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_is("amd")) return 0;
#endif
    return 8192;
}

/// Columns [column, column + count) of one panel.
static void pack_tile_2(
    const unsigned char *source, uint16_t *panel, size_t rows, size_t columns, size_t column, size_t count) {
    for (size_t row = 0; row < COLONY_LANES; row++) {
        for (size_t k = column; k < column + count; k++) {
            uint16_t weight = 0;
            if (row < rows) __builtin_memcpy(&weight, source + (row * columns + k) * sizeof weight, sizeof weight);
            panel[k * COLONY_LANES + row] = weight;
        }
    }
}

static void pack_tile_4(
    const unsigned char *source, uint32_t *panel, size_t rows, size_t columns, size_t column, size_t count) {
    for (size_t row = 0; row < COLONY_LANES; row++) {
        for (size_t k = column; k < column + count; k++) {
            uint32_t weight = 0;
            if (row < rows) __builtin_memcpy(&weight, source + (row * columns + k) * sizeof weight, sizeof weight);
            panel[k * COLONY_LANES + row] = weight;
        }
    }
}

void colony_pack_panels(const void *source, void *panels, size_t rows, size_t columns, size_t weight_bytes) {
    const unsigned char *bytes = source;
    for (size_t first = 0; first < rows; first += COLONY_LANES) {
        const size_t present = rows - first < COLONY_LANES ? rows - first : COLONY_LANES;
        const unsigned char *panel_source = bytes + first * columns * weight_bytes;
        for (size_t k = 0; k < columns; k += PACK_COLUMNS) {
            const size_t count = columns - k < PACK_COLUMNS ? columns - k : PACK_COLUMNS;
            if (weight_bytes == sizeof(uint16_t)) {
                pack_tile_2(panel_source, (uint16_t *)panels + first * columns, present, columns, k, count);
            } else {
                pack_tile_4(panel_source, (uint32_t *)panels + first * columns, present, columns, k, count);
            }
        }
    }
}

void colony_pack_transposed(
    const void *source, void *panels, size_t rows, size_t columns, size_t stride, size_t weight_bytes) {
    const size_t line = COLONY_LANES * weight_bytes;
    unsigned char *target = panels;
    for (size_t first = 0; first < rows; first += COLONY_LANES) {
        const size_t present = (rows - first < COLONY_LANES ? rows - first : COLONY_LANES) * weight_bytes;
        const unsigned char *start = (const unsigned char *)source + first * weight_bytes;
        for (size_t k = 0; k < columns; k++, target += line) {
            __builtin_memset(target, 0, line);
            __builtin_memcpy(target, start + k * stride * weight_bytes, present);
        }
    }
}

size_t colony_index_of_greatest(const float *values, size_t count) {
    size_t best = 0;
    float greatest = -__builtin_inff();
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        // The first -inf counts too, a NaN never does.
        if (values[i] > greatest || (!found && values[i] == greatest)) {
            greatest = values[i];
            best = i;
            found = 1;
        }
    }
    return best;
}
