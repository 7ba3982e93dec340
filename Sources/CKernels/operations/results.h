// Rows that experts give, in the forms in which they travel to where they are added up:
//   f32      as they are;
//   bf16     to the nearest, ties to even; a NaN stays one, made quiet;
//   int8     in blocks of 32 columns as in quantise.h: the codes of all blocks, the last one's padded with zeros, then
//            an f32 scale for each. A number is scale * code, rounded once.
#pragma STDC FP_CONTRACT OFF

INLINE size_t result_block_count(size_t width) {
    return (width + COLONY_BLOCK_COLUMNS - 1) / COLONY_BLOCK_COLUMNS;
}

/// The first `count` of 16 stored numbers, the others 0; all 16 if there are so many.
INLINE lanes result_load_bf16(const uint16_t *source, size_t count) {
    if (count >= COLONY_LANES) return lanes_load_bf16(source);
    uint16_t stored[COLONY_LANES] = {0};
    for (size_t i = 0; i < count; i++) stored[i] = source[i];
    return lanes_load_bf16(stored);
}

/// Columns [first, first + count) of a row, which are the `count` numbers at `columns`.
KERNEL static void store_result_f32(const float *columns, void *target, size_t first, size_t count, size_t width) {
    (void)width;
    float *numbers = (float *)target + first;
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes_store_some(numbers + i, lanes_load_some(columns + i, count - i, 0), count - i);
    }
}

KERNEL static void store_result_bf16(const float *columns, void *target, size_t first, size_t count, size_t width) {
    (void)width;
    uint16_t *numbers = (uint16_t *)target + first;
    size_t i = 0;
    for (; i + COLONY_LANES <= count; i += COLONY_LANES) lanes_store_bf16(numbers + i, lanes_load(columns + i));
    if (i == count) return;
    uint16_t last[COLONY_LANES];
    lanes_store_bf16(last, lanes_load_some(columns + i, count - i, 0));
    for (size_t j = 0; i + j < count; j++) numbers[i + j] = last[j];
}

KERNEL static void store_result_int8(const float *columns, void *target, size_t first, size_t count, size_t width) {
    unsigned char *codes = (unsigned char *)target;
    unsigned char *scales = codes + result_block_count(width) * COLONY_BLOCK_COLUMNS;
    for (size_t i = first; i < first + count; i += COLONY_BLOCK_COLUMNS) {
        const size_t present = first + count - i;
        colony_activation_block block;
        quantise(columns + (i - first), &block, present < COLONY_BLOCK_COLUMNS ? present : COLONY_BLOCK_COLUMNS);
        __builtin_memcpy(codes + i, block.codes, COLONY_BLOCK_COLUMNS);
        __builtin_memcpy(scales + i / COLONY_BLOCK_COLUMNS * sizeof(float), &block.scale, sizeof(float));
    }
}

/// sum = ((sum + first addend) + second addend) + …
KERNEL static void add_f32(const void *const *addends, size_t addend_count, float *sum, size_t width) {
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes s = lanes_load_some(sum + i, width - i, 0);
        for (size_t a = 0; a < addend_count; a++) {
            s = lanes_add(s, lanes_load_some((const float *)addends[a] + i, width - i, 0));
        }
        lanes_store_some(sum + i, s, width - i);
    }
}

/// The same for rows of bf16.
KERNEL static void add_bf16(const void *const *addends, size_t addend_count, float *sum, size_t width) {
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes s = lanes_load_some(sum + i, width - i, 0);
        for (size_t a = 0; a < addend_count; a++) {
            s = lanes_add(s, result_load_bf16((const uint16_t *)addends[a] + i, width - i));
        }
        lanes_store_some(sum + i, s, width - i);
    }
}

/// The same for rows of 8-bit integers, which are padded to whole blocks.
KERNEL static void add_int8(const void *const *addends, size_t addend_count, float *sum, size_t width) {
    const size_t scales = result_block_count(width) * COLONY_BLOCK_COLUMNS;
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes s = lanes_load_some(sum + i, width - i, 0);
        for (size_t a = 0; a < addend_count; a++) {
            const unsigned char *row = addends[a];
            float scale;
            __builtin_memcpy(&scale, row + scales + i / COLONY_BLOCK_COLUMNS * sizeof scale, sizeof scale);
            s = lanes_add(s, lanes_multiply(lanes_splat(scale), lanes_load_int8(row + i)));
        }
        lanes_store_some(sum + i, s, width - i);
    }
}
