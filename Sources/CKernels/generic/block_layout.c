// Packing of block formats: each field of 16 rows' blocks side by side, so that a vector holds one word (4 codes, or 4
// scales) of each row. Nothing is decoded and nothing grows: a block of 16 rows has 16 times the bytes of one.
#include "CKernels.h"

#define FIELDS_MAX 4
#define BLOCK_BYTES_MAX 210

/// `count` elements of `bytes` each, from `offset` of a stored block on.
typedef struct block_field {
    unsigned char offset, bytes, count;
} block_field;

typedef struct block_layout {
    unsigned short columns, bytes;
    block_field fields[FIELDS_MAX]; // in the order in which they are packed; a count of 0 ends them
} block_layout;

static const block_layout layouts[COLONY_BLOCK_FORMAT_COUNT] = {
    [COLONY_BLOCK_Q8_0] = {32, 34, {{2, 4, 8}, {0, 2, 1}}},
    [COLONY_BLOCK_Q4_0] = {32, 18, {{2, 4, 4}, {0, 2, 1}}},
    [COLONY_BLOCK_Q4_1] = {32, 20, {{4, 4, 4}, {0, 2, 1}, {2, 2, 1}}},
    [COLONY_BLOCK_Q5_0] = {32, 22, {{6, 4, 4}, {2, 4, 1}, {0, 2, 1}}},
    [COLONY_BLOCK_Q5_1] = {32, 24, {{8, 4, 4}, {4, 4, 1}, {0, 2, 1}, {2, 2, 1}}},
    [COLONY_BLOCK_Q2_K] = {256, 84, {{16, 4, 16}, {0, 4, 4}, {80, 2, 1}, {82, 2, 1}}},
    [COLONY_BLOCK_Q3_K] = {256, 110, {{0, 4, 8}, {32, 4, 16}, {96, 4, 3}, {108, 2, 1}}},
    [COLONY_BLOCK_Q4_K] = {256, 144, {{16, 4, 32}, {4, 4, 3}, {0, 2, 1}, {2, 2, 1}}},
    [COLONY_BLOCK_Q5_K] = {256, 176, {{48, 4, 32}, {16, 4, 8}, {4, 4, 3}, {0, 2, 2}}},
    [COLONY_BLOCK_Q6_K] = {256, 210, {{0, 4, 32}, {128, 4, 16}, {192, 4, 4}, {208, 2, 1}}},
    [COLONY_BLOCK_IQ4_NL] = {32, 18, {{2, 4, 4}, {0, 2, 1}}},
    [COLONY_BLOCK_IQ4_XS] = {256, 136, {{8, 4, 32}, {4, 4, 1}, {2, 2, 1}, {0, 2, 1}}},
    [COLONY_BLOCK_MXFP4] = {32, 17, {{1, 4, 4}, {0, 1, 1}}},
};

/// The fifth bits of 32 codes, bit j for column j, to byte b bit v for column 4 v + b.
static uint32_t spread_fifth_bits(uint32_t bits) {
    uint32_t spread = 0;
    for (int column = 0; column < 32; column++) {
        spread |= (bits >> column & 1) << (column % 4 * 8 + column / 4);
    }
    return spread;
}

/// How stored words change on their way into a panel.
enum word_change { WORD_KEPT, WORD_FLIPPED, WORD_SPREAD };

static enum word_change change_of(int format, size_t field) {
    if (format == COLONY_BLOCK_Q8_0) return WORD_FLIPPED;
    if ((format == COLONY_BLOCK_Q5_0 || format == COLONY_BLOCK_Q5_1) && field == 1) return WORD_SPREAD;
    return WORD_KEPT;
}

/// `count` words of 16 rows, `stride` bytes apart. Inlined with a constant change, so that the loops do one thing.
static inline __attribute__((always_inline)) void pack_words(
    const unsigned char *source, size_t stride, size_t count, unsigned char *target, const enum word_change change) {
    for (size_t element = 0; element < count; element++) {
        for (size_t row = 0; row < COLONY_LANES; row++) {
            uint32_t word;
            __builtin_memcpy(&word, source + row * stride + element * sizeof word, sizeof word);
            if (change == WORD_FLIPPED) word ^= 0x80808080;
            if (change == WORD_SPREAD) word = spread_fifth_bits(word);
            __builtin_memcpy(target + (element * COLONY_LANES + row) * sizeof word, &word, sizeof word);
        }
    }
}

static void pack_halves(const unsigned char *source, size_t stride, size_t count, unsigned char *target) {
    for (size_t element = 0; element < count; element++) {
        for (size_t row = 0; row < COLONY_LANES; row++) {
            __builtin_memcpy(target + (element * COLONY_LANES + row) * 2, source + row * stride + element * 2, 2);
        }
    }
}

static void pack_bytes(const unsigned char *source, size_t stride, size_t count, unsigned char *target) {
    for (size_t element = 0; element < count; element++) {
        for (size_t row = 0; row < COLONY_LANES; row++) {
            target[element * COLONY_LANES + row] = source[row * stride + element];
        }
    }
}

/// One block of 16 rows, `stride` bytes apart.
static unsigned char *pack_block(
    int format, const block_layout *layout, const unsigned char *source, size_t stride, unsigned char *target) {
    for (size_t f = 0; f < FIELDS_MAX && layout->fields[f].count; f++) {
        const block_field field = layout->fields[f];
        const unsigned char *from = source + field.offset;
        if (field.bytes == 1) pack_bytes(from, stride, field.count, target);
        if (field.bytes == 2) pack_halves(from, stride, field.count, target);
        if (field.bytes == 4) {
            switch (change_of(format, f)) {
            case WORD_KEPT: pack_words(from, stride, field.count, target, WORD_KEPT); break;
            case WORD_FLIPPED: pack_words(from, stride, field.count, target, WORD_FLIPPED); break;
            case WORD_SPREAD: pack_words(from, stride, field.count, target, WORD_SPREAD); break;
            }
        }
        target += (size_t)field.bytes * field.count * COLONY_LANES;
    }
    return target;
}

/// One block of the last rows, fewer than 16: the absent ones are zeros.
static unsigned char *pack_last_block(
    int format, const block_layout *layout, const unsigned char *source, size_t rows, size_t stride,
    unsigned char *target) {
    unsigned char whole[COLONY_LANES * BLOCK_BYTES_MAX] = {0};
    for (size_t row = 0; row < rows; row++) {
        __builtin_memcpy(whole + row * layout->bytes, source + row * stride, layout->bytes);
    }
    return pack_block(format, layout, whole, layout->bytes, target);
}

void colony_pack_blocks(
    int format, const void *source, void *panels, size_t rows, size_t columns, size_t row_bytes) {
    const block_layout *layout = &layouts[format];
    const size_t blocks = columns / layout->columns;
    unsigned char *target = panels;
    for (size_t first = 0; first < rows; first += COLONY_LANES) {
        const unsigned char *row = (const unsigned char *)source + first * row_bytes;
        const size_t present = rows - first < COLONY_LANES ? rows - first : COLONY_LANES;
        for (size_t block = 0; block < blocks; block++) {
            const unsigned char *from = row + block * layout->bytes;
            target = present == COLONY_LANES
                ? pack_block(format, layout, from, row_bytes, target)
                : pack_last_block(format, layout, from, present, row_bytes, target);
        }
    }
}

void colony_pack_codes(const uint8_t *codes, void *target, size_t columns, int bits) {
    unsigned char *words = target;
    const size_t vectors = bits == 4 ? 4 : 8;
    for (size_t first = 0; first < columns; first += COLONY_BLOCK_COLUMNS, words += vectors * 4 * COLONY_LANES) {
        const uint8_t *block = codes + first * COLONY_LANES;
        for (size_t column = 0; column < vectors * 4; column++) {
            unsigned char *place = words + column / 4 * 4 * COLONY_LANES + column % 4;
            for (size_t row = 0; row < COLONY_LANES; row++) {
                unsigned code = block[column * COLONY_LANES + row];
                // Columns 16 to 31 of 4-bit codes lie in the high halves of columns 0 to 15.
                if (bits == 4) code = (code & 15) | (unsigned)(block[(column + 16) * COLONY_LANES + row] << 4);
                place[row * 4] = (unsigned char)code;
            }
        }
    }
}
