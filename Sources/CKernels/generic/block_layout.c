// Packing of block formats: each field of 16 rows' blocks side by side, so that a vector holds one word (4 codes, or 4
// scales) of each row. Nothing is decoded and nothing grows: a block of 16 rows has 16 times the bytes of one.
#include "CKernels.h"

#define FIELDS_MAX 4

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

/// What a stored word looks like in a panel.
static uint32_t packed_word(int format, size_t field, uint32_t word) {
    if (format == COLONY_BLOCK_Q8_0) return word ^ 0x80808080;
    if ((format == COLONY_BLOCK_Q5_0 || format == COLONY_BLOCK_Q5_1) && field == 1) return spread_fifth_bits(word);
    return word;
}

static void pack_element(
    int format, size_t field, size_t bytes, const unsigned char *source, unsigned char *target) {
    if (bytes != sizeof(uint32_t)) {
        __builtin_memcpy(target, source, bytes);
        return;
    }
    uint32_t word;
    __builtin_memcpy(&word, source, sizeof word);
    word = packed_word(format, field, word);
    __builtin_memcpy(target, &word, sizeof word);
}

/// One block of up to 16 rows, `stride` bytes apart; absent rows are zeros.
static unsigned char *pack_block(
    int format, const block_layout *layout, const unsigned char *source, size_t rows, size_t stride,
    unsigned char *target) {
    static const unsigned char absent[4] = {0};
    for (size_t f = 0; f < FIELDS_MAX && layout->fields[f].count; f++) {
        const block_field field = layout->fields[f];
        for (size_t element = 0; element < field.count; element++) {
            const size_t offset = field.offset + element * field.bytes;
            for (size_t row = 0; row < COLONY_LANES; row++, target += field.bytes) {
                pack_element(format, f, field.bytes, row < rows ? source + row * stride + offset : absent, target);
            }
        }
    }
    return target;
}

void colony_pack_blocks(int format, const void *source, void *panels, size_t rows, size_t columns) {
    const block_layout *layout = &layouts[format];
    const size_t blocks = columns / layout->columns, stride = blocks * layout->bytes;
    unsigned char *target = panels;
    for (size_t first = 0; first < rows; first += COLONY_LANES) {
        const unsigned char *row = (const unsigned char *)source + first * stride;
        const size_t present = rows - first < COLONY_LANES ? rows - first : COLONY_LANES;
        for (size_t block = 0; block < blocks; block++) {
            target = pack_block(format, layout, row + block * layout->bytes, present, stride, target);
        }
    }
}
