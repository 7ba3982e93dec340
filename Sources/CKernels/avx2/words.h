// 16 words of 32 bits (64 bytes) in two registers: AVX2.
#pragma once

#include "lanes.h"

typedef struct words {
    __m256i low, high;
} words;

INLINE words words_of(__m256i low, __m256i high) { return (words){low, high}; }

INLINE words words_load(const void *source) {
    const __m256i *halves = source;
    return words_of(_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1));
}

INLINE words words_load_bytes(const void *source) {
    const unsigned char *bytes = source;
    return words_of(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)),
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(bytes + 8))));
}

INLINE words words_load_halves(const void *source) {
    const __m128i *halves = source;
    return words_of(_mm256_cvtepu16_epi32(_mm_loadu_si128(halves)), _mm256_cvtepu16_epi32(_mm_loadu_si128(halves + 1)));
}

INLINE words words_splat(uint32_t x) { return words_of(_mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x)); }

INLINE words words_and(words a, uint32_t mask) {
    const __m256i m = _mm256_set1_epi32((int)mask);
    return words_of(_mm256_and_si256(a.low, m), _mm256_and_si256(a.high, m));
}

INLINE words words_or(words a, words b) {
    return words_of(_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high));
}

INLINE words words_xor(words a, uint32_t mask) {
    const __m256i m = _mm256_set1_epi32((int)mask);
    return words_of(_mm256_xor_si256(a.low, m), _mm256_xor_si256(a.high, m));
}

INLINE words words_add(words a, int32_t addend) {
    const __m256i b = _mm256_set1_epi32(addend);
    return words_of(_mm256_add_epi32(a.low, b), _mm256_add_epi32(a.high, b));
}

INLINE words words_sum(words a, words b) {
    return words_of(_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high));
}

INLINE words words_right(words a, int bits) {
    return words_of(_mm256_srli_epi32(a.low, bits), _mm256_srli_epi32(a.high, bits));
}

INLINE words words_right_signed(words a, int bits) {
    return words_of(_mm256_srai_epi32(a.low, bits), _mm256_srai_epi32(a.high, bits));
}

INLINE words words_left(words a, int bits) {
    return words_of(_mm256_slli_epi32(a.low, bits), _mm256_slli_epi32(a.high, bits));
}

/// Every byte, 0 to 15, replaced by that entry of the table.
INLINE words words_lookup(words a, const uint8_t *table) {
    const __m256i entries = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return words_of(_mm256_shuffle_epi8(entries, a.low), _mm256_shuffle_epi8(entries, a.high));
}

INLINE lanes words_to_lanes(words a) { return lanes_of(_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)); }
INLINE lanes words_as_lanes(words a) { return lanes_of(_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)); }

INLINE __m256i add_pairs(__m256i sum, __m256i unsigned_bytes, __m256i signed_bytes) {
    __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/// sum + dot product of the 4 codes of every word with 4 activations. Codes are below 128: a sum of two products then
/// fits 16 bits.
INLINE words words_dot(words sum, words codes, int32_t activations) {
    const __m256i a = _mm256_set1_epi32(activations);
    return words_of(add_pairs(sum.low, codes.low, a), add_pairs(sum.high, codes.high, a));
}

INLINE __m256i add_signed_pairs(__m256i sum, __m256i codes, __m256i activations) {
    __m256i weights = _mm256_xor_si256(codes, _mm256_set1_epi8((char)0x80));
    return add_pairs(sum, _mm256_abs_epi8(weights), _mm256_sign_epi8(activations, weights));
}

/// The same for codes that use all 8 bits: 128 is taken off, and the sign moved to the activation, so that a sum of two
/// products (at most 2 x 128 x 127) fits 16 bits.
INLINE words words_dot_full(words sum, words codes, int32_t activations) {
    const __m256i a = _mm256_set1_epi32(activations);
    return words_of(add_signed_pairs(sum.low, codes.low, a), add_signed_pairs(sum.high, codes.high, a));
}

/// Nothing to make up for: `words_dot_full` takes the 128 off itself.
INLINE int32_t words_full_start(int32_t activation_sum) {
    (void)activation_sum;
    return 0;
}
