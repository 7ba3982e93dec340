// 16 lanes as an array, in plain C: what the other instruction sets are measured against.
#pragma once
#pragma STDC FP_CONTRACT OFF

#include "CKernels.h"

#define KERNEL
#define INLINE static inline __attribute__((always_inline, unused))
// Loops over arrays are left to the compiler, and block formats told apart at run time: it is small, not fast.
#define UNROLL
#define BLOCK_INLINE static __attribute__((noinline, unused))
#define LINEAR_PANELS_MAX 1
#define LINEAR_PANELS_TILE 1
#define LINEAR_TOKENS_MAX 4
#define LINEAR_PREFETCH_TOKENS_MAX 1
#define BLOCK_TOKENS_MAX 1
#define ATTENTION_SCORE_TILE 4
#define ATTENTION_VALUE_HEADS 1
#define DELTA_PARTS 1
#define ATTENTION_VALUE_PARTS 1
#define ATTENTION_IN_KEYS_HEADS 1
#define ATTENTION_IN_KEYS_DIMS 1

typedef struct lanes {
    float at[COLONY_LANES];
} lanes;

#define EACH for (int i = 0; i < COLONY_LANES; i++)

INLINE lanes lanes_splat(float x) { lanes r; EACH r.at[i] = x; return r; }
INLINE lanes lanes_load(const float *source) { lanes r; __builtin_memcpy(&r, source, sizeof r); return r; }
INLINE void lanes_store(float *target, lanes x) { __builtin_memcpy(target, &x, sizeof x); }
INLINE lanes lanes_add(lanes a, lanes b) { EACH a.at[i] = a.at[i] + b.at[i]; return a; }
INLINE lanes lanes_subtract(lanes a, lanes b) { EACH a.at[i] = a.at[i] - b.at[i]; return a; }
INLINE lanes lanes_multiply(lanes a, lanes b) { EACH a.at[i] = a.at[i] * b.at[i]; return a; }
INLINE lanes lanes_divide(lanes a, lanes b) { EACH a.at[i] = a.at[i] / b.at[i]; return a; }
INLINE lanes lanes_root(lanes x) { EACH x.at[i] = __builtin_sqrtf(x.at[i]); return x; }

INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    EACH c.at[i] = __builtin_fmaf(a.at[i], b.at[i], c.at[i]);
    return c;
}

INLINE lanes lanes_greater(lanes a, lanes b) { EACH b.at[i] = a.at[i] > b.at[i] ? a.at[i] : b.at[i]; return b; }
INLINE lanes lanes_at_least(lanes x, float bound) { EACH x.at[i] = x.at[i] < bound ? bound : x.at[i]; return x; }
INLINE lanes lanes_at_most(lanes x, float bound) { EACH x.at[i] = x.at[i] > bound ? bound : x.at[i]; return x; }

INLINE lanes lanes_zero_where_less(lanes result, lanes x, float bound) {
    EACH result.at[i] = x.at[i] < bound ? 0 : result.at[i];
    return result;
}

INLINE float float_of_bits(uint32_t bits) { float x; __builtin_memcpy(&x, &bits, sizeof x); return x; }
INLINE uint32_t bits_of_float(float x) { uint32_t bits; __builtin_memcpy(&bits, &x, sizeof bits); return bits; }

INLINE lanes lanes_scale_by_power(lanes p, lanes rounded) {
    EACH {
        uint32_t n = bits_of_float(rounded.at[i]) - 0x4b400000u;
        uint32_t half = (uint32_t)((int32_t)n >> 1);
        p.at[i] = (p.at[i] * float_of_bits((half + 127) << 23)) * float_of_bits((n - half + 127) << 23);
    }
    return p;
}

INLINE float lanes_tree_sum(lanes x) {
    for (int distance = COLONY_LANES / 2; distance > 0; distance /= 2) {
        for (int i = 0; i < distance; i++) x.at[i] = x.at[i] + x.at[i + distance];
    }
    return x.at[0];
}

INLINE float lanes_greatest_of(lanes x) {
    float greatest = -__builtin_inff();
    EACH greatest = x.at[i] > greatest ? x.at[i] : greatest;
    return greatest;
}

INLINE lanes lanes_load_f32(const void *source) { return lanes_load(source); }

INLINE lanes lanes_load_bf16(const void *source) {
    uint16_t stored[COLONY_LANES];
    __builtin_memcpy(stored, source, sizeof stored);
    lanes r;
    EACH r.at[i] = float_of_bits((uint32_t)stored[i] << 16);
    return r;
}

/// Exact for every value: a subnormal is an integer multiple of 2^-24.
INLINE float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) return float_of_bits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    if (magnitude >= 0x0400) return float_of_bits(sign | (magnitude + 0x1c000) << 13);
    return float_of_bits(sign | bits_of_float((float)magnitude * 0x1p-24f));
}

INLINE lanes lanes_load_f16(const void *source) {
    uint16_t stored[COLONY_LANES];
    __builtin_memcpy(stored, source, sizeof stored);
    lanes r;
    EACH r.at[i] = float_of_half(stored[i]);
    return r;
}

/// 2^-8 times the value of e4m3: a half with the same fields.
INLINE lanes lanes_load_e4m3(const void *source) {
    const uint8_t *codes = source;
    lanes r;
    EACH r.at[i] = float_of_half((uint16_t)((codes[i] & 0x80) << 8 | (codes[i] & 0x7f) << 7));
    return r;
}

INLINE lanes lanes_load_int8(const void *source) {
    const int8_t *codes = source;
    lanes r;
    EACH r.at[i] = codes[i];
    return r;
}

/// To the nearest, ties to even; numbers must not be too large.
INLINE uint16_t half_of_float(float x) {
    const uint32_t bits = bits_of_float(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    // The sum has a last place of 2^-24, that of a subnormal half.
    if (magnitude < 0x38800000) return (uint16_t)(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | ((magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13));
}

INLINE void lanes_store_f16(void *target, lanes x) {
    uint16_t halves[COLONY_LANES];
    EACH halves[i] = half_of_float(x.at[i]);
    __builtin_memcpy(target, halves, sizeof halves);
}

INLINE uint16_t bf16_of_float(float x) {
    const uint32_t bits = bits_of_float(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

INLINE void lanes_store_bf16(void *target, lanes x) {
    uint16_t stored[COLONY_LANES];
    EACH stored[i] = bf16_of_float(x.at[i]);
    __builtin_memcpy(target, stored, sizeof stored);
}

INLINE void lanes_store_int8(int8_t *target, lanes x) { EACH target[i] = (int8_t)x.at[i]; }
