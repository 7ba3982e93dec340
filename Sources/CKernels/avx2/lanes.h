// 16 lanes in two registers: AVX2 with FMA and F16C.
#pragma once
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "CKernels.h"

#define KERNEL __attribute__((target("avx2,fma,f16c")))
#define INLINE KERNEL static inline __attribute__((always_inline, unused))
#define LINEAR_PANELS_MAX 4
#define LINEAR_PANELS_TILE 1
#define LINEAR_TOKENS_MAX 6
#define LINEAR_PREFETCH_TOKENS_MAX 4
#define BLOCK_TOKENS_MAX 4
#define ATTENTION_SCORE_TILE 4
#define ATTENTION_VALUE_HEADS 2
#define DELTA_PARTS 1
#define ATTENTION_VALUE_PARTS 2
#define ATTENTION_IN_KEYS_HEADS 2
#define ATTENTION_IN_KEYS_DIMS 2

typedef struct lanes {
    __m256 low, high;
} lanes;

INLINE lanes lanes_of(__m256 low, __m256 high) { return (lanes){low, high}; }
INLINE lanes lanes_splat(float x) { return lanes_of(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
INLINE lanes lanes_load(const float *source) { return lanes_of(_mm256_loadu_ps(source), _mm256_loadu_ps(source + 8)); }

INLINE void lanes_store(float *target, lanes x) {
    _mm256_storeu_ps(target, x.low);
    _mm256_storeu_ps(target + 8, x.high);
}

INLINE lanes lanes_add(lanes a, lanes b) {
    return lanes_of(_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high));
}

INLINE lanes lanes_subtract(lanes a, lanes b) {
    return lanes_of(_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high));
}

INLINE lanes lanes_multiply(lanes a, lanes b) {
    return lanes_of(_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high));
}

INLINE lanes lanes_divide(lanes a, lanes b) {
    return lanes_of(_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high));
}

INLINE lanes lanes_root(lanes x) { return lanes_of(_mm256_sqrt_ps(x.low), _mm256_sqrt_ps(x.high)); }

INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    return lanes_of(_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high));
}

// The instruction answers its second operand when the two are equal or one is a NaN.
INLINE lanes lanes_greater(lanes a, lanes b) {
    return lanes_of(_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high));
}

INLINE lanes lanes_at_least(lanes x, float bound) { return lanes_greater(lanes_splat(bound), x); }

INLINE lanes lanes_at_most(lanes x, float bound) {
    const __m256 most = _mm256_set1_ps(bound);
    return lanes_of(_mm256_min_ps(most, x.low), _mm256_min_ps(most, x.high));
}

INLINE lanes lanes_zero_where_less(lanes result, lanes x, float bound) {
    const __m256 least = _mm256_set1_ps(bound);
    __m256 low = _mm256_cmp_ps(x.low, least, _CMP_LT_OQ), high = _mm256_cmp_ps(x.high, least, _CMP_LT_OQ);
    return lanes_of(_mm256_andnot_ps(low, result.low), _mm256_andnot_ps(high, result.high));
}

INLINE __m256 scale_by_power(__m256 p, __m256 rounded) {
    const __m256i bias = _mm256_set1_epi32(127);
    __m256i n = _mm256_sub_epi32(_mm256_castps_si256(rounded), _mm256_set1_epi32(0x4b400000));
    __m256i half = _mm256_srai_epi32(n, 1);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23);
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(first));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(second));
}

INLINE lanes lanes_scale_by_power(lanes p, lanes rounded) {
    return lanes_of(scale_by_power(p.low, rounded.low), scale_by_power(p.high, rounded.high));
}

INLINE float lanes_tree_sum(lanes x) {
    __m256 eight = _mm256_add_ps(x.low, x.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE float lanes_greatest_of(lanes x) {
    const lanes numbers = lanes_greater(x, lanes_splat(-__builtin_inff()));
    __m256 eight = _mm256_max_ps(numbers.low, numbers.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

INLINE lanes lanes_load_f32(const void *source) { return lanes_load(source); }

INLINE __m256 load_bf16(const __m128i *source) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(source));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

INLINE lanes lanes_load_bf16(const void *source) {
    const __m128i *halves = source;
    return lanes_of(load_bf16(halves), load_bf16(halves + 1));
}

INLINE lanes lanes_load_f16(const void *source) {
    const __m128i *halves = source;
    return lanes_of(_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1)));
}

INLINE lanes lanes_load_e4m3(const void *source) {
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)source));
    // The sign was copied into what becomes the exponent's first bit.
    const __m256i half = _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16((short)0xbf80));
    return lanes_of(
        _mm256_cvtph_ps(_mm256_castsi256_si128(half)), _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)));
}

INLINE __m256 load_int8(const void *source) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)source)));
}

INLINE lanes lanes_load_int8(const void *source) {
    return lanes_of(load_int8(source), load_int8((const char *)source + 8));
}

INLINE void lanes_store_f16(void *target, lanes x) {
    __m128i *halves = target;
    _mm_storeu_si128(halves, _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT));
}

INLINE __m256i bf16_of_floats(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x), cut = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(cut, _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_or_si256(cut, _mm256_set1_epi32(0x40)), nan);
}

INLINE void lanes_store_bf16(void *target, lanes x) {
    const __m256i pairs = _mm256_packus_epi32(bf16_of_floats(x.low), bf16_of_floats(x.high));
    _mm256_storeu_si256((__m256i *)target, _mm256_permute4x64_epi64(pairs, 0xd8));
}

INLINE void lanes_store_int8(int8_t *target, lanes x) {
    __m256i pairs = _mm256_packs_epi32(_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high));
    pairs = _mm256_permute4x64_epi64(pairs, 0xd8);
    __m128i codes = _mm_packs_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    _mm_storeu_si128((__m128i *)(void *)target, codes);
}
