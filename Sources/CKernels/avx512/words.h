// 16 words of 32 bits (64 bytes) in one register: AVX-512 with VNNI.
#pragma once

#include "lanes.h"

typedef __m512i words;

INLINE words words_load(const void *source) { return _mm512_loadu_si512(source); }
INLINE words words_load_bytes(const void *source) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(source)); }
INLINE words words_load_halves(const void *source) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256(source)); }
INLINE words words_splat(uint32_t x) { return _mm512_set1_epi32((int)x); }
INLINE words words_and(words a, uint32_t mask) { return _mm512_and_si512(a, words_splat(mask)); }
INLINE words words_or(words a, words b) { return _mm512_or_si512(a, b); }
INLINE words words_xor(words a, uint32_t mask) { return _mm512_xor_si512(a, words_splat(mask)); }
INLINE words words_add(words a, int32_t addend) { return _mm512_add_epi32(a, _mm512_set1_epi32(addend)); }
INLINE words words_sum(words a, words b) { return _mm512_add_epi32(a, b); }
INLINE words words_right(words a, const int bits) { return _mm512_srli_epi32(a, (unsigned)bits); }
INLINE words words_right_signed(words a, const int bits) { return _mm512_srai_epi32(a, (unsigned)bits); }
INLINE words words_left(words a, const int bits) { return _mm512_slli_epi32(a, (unsigned)bits); }

/// Every byte, 0 to 15, replaced by that entry of the table.
INLINE words words_lookup(words a, const uint8_t *table) {
    __m512i entries = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return _mm512_shuffle_epi8(entries, a);
}

INLINE lanes words_to_lanes(words a) { return _mm512_cvtepi32_ps(a); }
INLINE lanes words_as_lanes(words a) { return _mm512_castsi512_ps(a); }

/// sum + dot product of the 4 codes of every word with 4 activations.
INLINE words words_dot(words sum, words codes, int32_t activations) {
    return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(activations));
}

/// The same for codes that use all 8 bits; the sum must have begun at `words_full_start`.
INLINE words words_dot_full(words sum, words codes, int32_t activations) {
    return words_dot(sum, codes, activations);
}

/// What makes up for the 128 that codes of all 8 bits have too much.
INLINE int32_t words_full_start(int32_t activation_sum) { return -128 * activation_sum; }
