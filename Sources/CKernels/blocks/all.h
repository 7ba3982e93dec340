// The block formats behind one face: codes and scales of a format that is a constant where these are inlined.
//
// weight = scale * (code - zero) + minimum, each operation rounded on its own: exactly what the format means.
#pragma once

#include "simple.h"

#include "super.h"

#include "groups.h"

typedef struct block_shape {
    int subs; // sub-blocks of 32 columns
    int bytes; // of a block of 16 rows
    int halves; // scales per sub-block: one, or one for each 16 columns
    int has_minimum;
    int zero; // what codes have too much
    int is_full; // whether codes use all 8 bits
} block_shape;

static const block_shape block_shapes[COLONY_BLOCK_FORMAT_COUNT] = {
    [COLONY_BLOCK_Q8_0] = {1, 16 * 34, 1, 0, 128, 1},  [COLONY_BLOCK_Q4_0] = {1, 16 * 18, 1, 0, 8, 0},
    [COLONY_BLOCK_Q4_1] = {1, 16 * 20, 1, 1, 0, 0},    [COLONY_BLOCK_Q5_0] = {1, 16 * 22, 1, 0, 16, 0},
    [COLONY_BLOCK_Q5_1] = {1, 16 * 24, 1, 1, 0, 0},    [COLONY_BLOCK_Q2_K] = {8, 16 * 84, 2, 1, 0, 0},
    [COLONY_BLOCK_Q3_K] = {8, 16 * 110, 2, 0, 4, 0},   [COLONY_BLOCK_Q4_K] = {8, 16 * 144, 1, 1, 0, 0},
    [COLONY_BLOCK_Q5_K] = {8, 16 * 176, 1, 1, 0, 0},   [COLONY_BLOCK_Q6_K] = {8, 16 * 210, 2, 0, 32, 0},
    [COLONY_BLOCK_IQ4_NL] = {1, 16 * 18, 1, 0, 128, 1}, [COLONY_BLOCK_IQ4_XS] = {8, 16 * 136, 1, 0, 128, 1},
    [COLONY_BLOCK_MXFP4] = {1, 16 * 17, 1, 0, 12, 0},   [COLONY_BLOCK_INT4] = {1, 16 * 16, 1, 0, 8, 0},
    [COLONY_BLOCK_INT4_ZEROS] = {1, 16 * 16, 1, 0, 8, 0}, [COLONY_BLOCK_INT8] = {1, 16 * 32, 1, 0, 128, 1},
    [COLONY_BLOCK_INT8_ZEROS] = {1, 16 * 32, 1, 0, 128, 1},
};

/// Whether scales lie at the start of a panel, see `groups.h`, instead of in each block.
INLINE int block_is_grouped(const int format) { return format >= COLONY_BLOCK_INT4; }

/// Codes of columns 4 vector to 4 vector + 3 of a sub-block, one word per row.
INLINE words block_codes(const int format, const unsigned char *block, const int sub, const int vector) {
    switch (format) {
    case COLONY_BLOCK_INT8:
    case COLONY_BLOCK_INT8_ZEROS:
    case COLONY_BLOCK_Q8_0: return q8_0_codes(block, vector);
    case COLONY_BLOCK_INT4:
    case COLONY_BLOCK_INT4_ZEROS:
    case COLONY_BLOCK_Q4_0:
    case COLONY_BLOCK_Q4_1: return nibbles(block, vector);
    case COLONY_BLOCK_Q5_0:
    case COLONY_BLOCK_Q5_1: return q5_0_codes(block, vector);
    case COLONY_BLOCK_Q2_K: return q2_k_codes(block, sub, vector);
    case COLONY_BLOCK_Q3_K: return q3_k_codes(block, sub, vector);
    case COLONY_BLOCK_Q4_K: return q4_k_codes(block, sub, vector);
    case COLONY_BLOCK_Q5_K: return q5_k_codes(block, sub, vector);
    case COLONY_BLOCK_Q6_K: return q6_k_codes(block, sub, vector);
    case COLONY_BLOCK_IQ4_NL: return iq4_nl_codes(block, vector);
    case COLONY_BLOCK_IQ4_XS: return iq4_xs_codes(block, sub, vector);
    default: return mxfp4_codes(block, vector);
    }
}

INLINE lanes block_scale(const int format, const unsigned char *block, const int sub, const int half) {
    switch (format) {
    case COLONY_BLOCK_Q8_0: return lanes_load_f16(block + 512);
    case COLONY_BLOCK_Q4_0:
    case COLONY_BLOCK_Q4_1:
    case COLONY_BLOCK_IQ4_NL: return lanes_load_f16(block + 256);
    case COLONY_BLOCK_Q5_0:
    case COLONY_BLOCK_Q5_1: return lanes_load_f16(block + 320);
    case COLONY_BLOCK_Q2_K: return q2_k_scale(block, sub, half);
    case COLONY_BLOCK_Q3_K: return q3_k_scale(block, sub, half);
    case COLONY_BLOCK_Q4_K: return q4_k_scale(block, sub);
    case COLONY_BLOCK_Q5_K: return q5_k_scale(block, sub);
    case COLONY_BLOCK_Q6_K: return q6_k_scale(block, sub, half);
    case COLONY_BLOCK_IQ4_XS: return iq4_xs_scale(block, sub);
    default: return mxfp4_scale(block);
    }
}

/// What is added to every weight; formats that subtract it answer its negative, which is as exact.
INLINE lanes block_minimum(const int format, const unsigned char *block, const int sub, const int half) {
    const lanes nothing = lanes_splat(-0.0f);
    switch (format) {
    case COLONY_BLOCK_Q4_1: return lanes_load_f16(block + 288);
    case COLONY_BLOCK_Q5_1: return lanes_load_f16(block + 352);
    case COLONY_BLOCK_Q2_K: return lanes_subtract(nothing, q2_k_minimum(block, sub, half));
    case COLONY_BLOCK_Q4_K: return lanes_subtract(nothing, q4_k_minimum(block, sub));
    case COLONY_BLOCK_Q5_K: return lanes_subtract(nothing, q5_k_minimum(block, sub));
    default: return nothing;
    }
}
