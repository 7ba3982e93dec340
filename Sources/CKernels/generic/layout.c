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

/// Columns [column, column + count) of one panel; strides in weights.
static void pack_tile_2(
    const unsigned char *source, uint16_t *panel, size_t rows, size_t row_stride, size_t column_stride, size_t column,
    size_t count) {
    for (size_t row = 0; row < COLONY_LANES; row++) {
        for (size_t k = column; k < column + count; k++) {
            const unsigned char *from = source + (row * row_stride + k * column_stride) * sizeof(uint16_t);
            uint16_t weight = 0;
            if (row < rows) __builtin_memcpy(&weight, from, sizeof weight);
            panel[k * COLONY_LANES + row] = weight;
        }
    }
}

static void pack_tile_4(
    const unsigned char *source, uint32_t *panel, size_t rows, size_t row_stride, size_t column_stride, size_t column,
    size_t count) {
    for (size_t row = 0; row < COLONY_LANES; row++) {
        for (size_t k = column; k < column + count; k++) {
            const unsigned char *from = source + (row * row_stride + k * column_stride) * sizeof(uint32_t);
            uint32_t weight = 0;
            if (row < rows) __builtin_memcpy(&weight, from, sizeof weight);
            panel[k * COLONY_LANES + row] = weight;
        }
    }
}

void colony_pack_panels(
    const void *source, void *panels, size_t rows, size_t columns, size_t row_stride, size_t column_stride,
    size_t weight_bytes) {
    for (size_t first = 0; first < rows; first += COLONY_LANES) {
        const size_t present = rows - first < COLONY_LANES ? rows - first : COLONY_LANES;
        const unsigned char *from = (const unsigned char *)source + first * row_stride * weight_bytes;
        for (size_t k = 0; k < columns; k += PACK_COLUMNS) {
            const size_t count = columns - k < PACK_COLUMNS ? columns - k : PACK_COLUMNS;
            if (weight_bytes == sizeof(uint16_t)) {
                uint16_t *panel = (uint16_t *)panels + first * columns;
                pack_tile_2(from, panel, present, row_stride, column_stride, k, count);
            } else {
                uint32_t *panel = (uint32_t *)panels + first * columns;
                pack_tile_4(from, panel, present, row_stride, column_stride, k, count);
            }
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
