// 16 words of 32 bits (64 bytes) as an array, in plain C.
#pragma once

#include "lanes.h"

typedef struct words {
    uint32_t at[COLONY_LANES];
} words;

INLINE words words_load(const void *source) { words r; __builtin_memcpy(&r, source, sizeof r); return r; }
INLINE words words_load_bytes(const void *source) { words r; EACH r.at[i] = ((const uint8_t *)source)[i]; return r; }

INLINE words words_load_halves(const void *source) {
    uint16_t stored[COLONY_LANES];
    __builtin_memcpy(stored, source, sizeof stored);
    words r;
    EACH r.at[i] = stored[i];
    return r;
}

INLINE words words_splat(uint32_t x) { words r; EACH r.at[i] = x; return r; }
INLINE words words_and(words a, uint32_t mask) { EACH a.at[i] &= mask; return a; }
INLINE words words_or(words a, words b) { EACH a.at[i] |= b.at[i]; return a; }
INLINE words words_xor(words a, uint32_t mask) { EACH a.at[i] ^= mask; return a; }
INLINE words words_add(words a, int32_t addend) { EACH a.at[i] += (uint32_t)addend; return a; }
INLINE words words_sum(words a, words b) { EACH a.at[i] += b.at[i]; return a; }
INLINE words words_right(words a, int bits) { EACH a.at[i] >>= bits; return a; }
INLINE words words_right_signed(words a, int bits) { EACH a.at[i] = (uint32_t)((int32_t)a.at[i] >> bits); return a; }
INLINE words words_left(words a, int bits) { EACH a.at[i] <<= bits; return a; }

/// Every byte, 0 to 15, replaced by that entry of the table.
INLINE words words_lookup(words a, const uint8_t *table) {
    EACH {
        uint32_t r = 0;
        for (int byte = 0; byte < 4; byte++) r |= (uint32_t)table[a.at[i] >> (8 * byte) & 15] << (8 * byte);
        a.at[i] = r;
    }
    return a;
}

INLINE lanes words_to_lanes(words a) { lanes r; EACH r.at[i] = (float)(int32_t)a.at[i]; return r; }
INLINE lanes words_as_lanes(words a) { lanes r; __builtin_memcpy(&r, &a, sizeof r); return r; }

/// sum + dot product of the 4 codes of every word with 4 activations.
INLINE words words_dot(words sum, words codes, int32_t activations) {
    EACH {
        for (int byte = 0; byte < 4; byte++) {
            int32_t code = (int32_t)(codes.at[i] >> (8 * byte) & 255);
            sum.at[i] += (uint32_t)(code * (int8_t)((uint32_t)activations >> (8 * byte)));
        }
    }
    return sum;
}

/// The same for codes that use all 8 bits; the sum must have begun at `words_full_start`.
INLINE words words_dot_full(words sum, words codes, int32_t activations) {
    return words_dot(sum, codes, activations);
}

/// What makes up for the 128 that codes of all 8 bits have too much.
INLINE int32_t words_full_start(int32_t activation_sum) { return -128 * activation_sum; }
