// 16 lanes in one register: AVX-512.
#pragma once
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "CKernels.h"

#define KERNEL __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE KERNEL static inline __attribute__((always_inline, unused))
#define LINEAR_PANELS_MAX 4
#define LINEAR_PANELS_TILE 2
#define LINEAR_TOKENS_MAX 8
#define LINEAR_PREFETCH_TOKENS_MAX 4
#define HAS_E4M3_PAIR
#define BLOCK_TOKENS_MAX 8
#define ATTENTION_SCORE_TILE 8
#define ATTENTION_VALUE_HEADS 4
#define DELTA_PARTS 2
#define ATTENTION_VALUE_PARTS 4
#define ATTENTION_IN_KEYS_HEADS 4
#define ATTENTION_IN_KEYS_DIMS 4

typedef __m512 lanes;

INLINE lanes lanes_splat(float x) { return _mm512_set1_ps(x); }
INLINE lanes lanes_load(const float *source) { return _mm512_loadu_ps(source); }
INLINE void lanes_store(float *target, lanes x) { _mm512_storeu_ps(target, x); }
INLINE lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes lanes_subtract(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes lanes_multiply(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
INLINE lanes lanes_divide(lanes a, lanes b) { return _mm512_div_ps(a, b); }
INLINE lanes lanes_root(lanes x) { return _mm512_sqrt_ps(x); }
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
// The instruction answers its second operand when the two are equal or one is a NaN.
INLINE lanes lanes_greater(lanes a, lanes b) { return _mm512_max_ps(a, b); }
INLINE lanes lanes_at_least(lanes x, float bound) { return _mm512_max_ps(_mm512_set1_ps(bound), x); }
INLINE lanes lanes_at_most(lanes x, float bound) { return _mm512_min_ps(_mm512_set1_ps(bound), x); }

INLINE lanes lanes_zero_where_less(lanes result, lanes x, float bound) {
    __mmask16 less = _mm512_cmp_ps_mask(x, _mm512_set1_ps(bound), _CMP_LT_OQ);
    return _mm512_mask_mov_ps(result, less, _mm512_setzero_ps());
}

INLINE lanes lanes_scale_by_power(lanes p, lanes rounded) {
    const __m512i bias = _mm512_set1_epi32(127);
    __m512i n = _mm512_sub_epi32(_mm512_castps_si512(rounded), _mm512_set1_epi32(0x4b400000));
    __m512i half = _mm512_srai_epi32(n, 1);
    __m512i first = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    __m512i second = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(n, half), bias), 23);
    p = _mm512_mul_ps(p, _mm512_castsi512_ps(first));
    return _mm512_mul_ps(p, _mm512_castsi512_ps(second));
}

INLINE float lanes_tree_sum(lanes x) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE float lanes_greatest_of(lanes x) {
    return _mm512_reduce_max_ps(_mm512_max_ps(x, _mm512_set1_ps(-__builtin_inff())));
}

INLINE lanes lanes_load_f32(const void *source) { return _mm512_loadu_ps(source); }

INLINE lanes lanes_load_bf16(const void *source) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)source));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE lanes lanes_load_f16(const void *source) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)source));
}

INLINE lanes lanes_load_e4m3(const void *source) {
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)source));
    // The sign was copied into what becomes the exponent's first bit.
    return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16((short)0xbf80)));
}

INLINE void lanes_load_e4m3_pair(const void *source, lanes *columns) {
    const __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)source));
    const __m512i half = _mm512_and_si512(_mm512_slli_epi16(wide, 7), _mm512_set1_epi16((short)0xbf80));
    columns[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(half));
    columns[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(half, 1));
}

INLINE lanes lanes_load_int8(const void *source) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)source)));
}

INLINE void lanes_store_f16(void *target, lanes x) {
    _mm256_storeu_si256((__m256i *)target, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

INLINE void lanes_store_bf16(void *target, lanes x) {
    const __m512i bits = _mm512_castps_si512(x), cut = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(cut, _mm512_set1_epi32(1));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, cut, _mm512_set1_epi32(0x40));
    _mm256_storeu_si256((__m256i *)target, _mm512_cvtepi32_epi16(rounded));
}

INLINE void lanes_store_int8(int8_t *target, lanes x) {
    _mm_storeu_si128((__m128i *)(void *)target, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
