// 16 lanes in four registers: NEON of every 64-bit ARM.
#pragma once
#pragma STDC FP_CONTRACT OFF

#include <arm_neon.h>

#include "CKernels.h"

#define KERNEL
#define INLINE static inline __attribute__((always_inline, unused))
#define LINEAR_PANELS_MAX 4
#define LINEAR_PANELS_TILE 1
#define LINEAR_TOKENS_MAX 5
#define LINEAR_PREFETCH_TOKENS_MAX 4
#define BLOCK_TOKENS_MAX 4
#define ATTENTION_SCORE_TILE 4
#define ATTENTION_VALUE_HEADS 2
#define DELTA_PARTS 1
#define ATTENTION_VALUE_PARTS 2
#define ATTENTION_IN_KEYS_HEADS 2
#define ATTENTION_IN_KEYS_DIMS 2

typedef struct lanes {
    float32x4_t at[4];
} lanes;

#define EACH for (int i = 0; i < 4; i++)

INLINE lanes lanes_splat(float x) { lanes r; EACH r.at[i] = vdupq_n_f32(x); return r; }
INLINE lanes lanes_load(const float *source) { lanes r; EACH r.at[i] = vld1q_f32(source + 4 * i); return r; }
INLINE void lanes_store(float *target, lanes x) { EACH vst1q_f32(target + 4 * i, x.at[i]); }
INLINE lanes lanes_add(lanes a, lanes b) { EACH a.at[i] = vaddq_f32(a.at[i], b.at[i]); return a; }
INLINE lanes lanes_subtract(lanes a, lanes b) { EACH a.at[i] = vsubq_f32(a.at[i], b.at[i]); return a; }
INLINE lanes lanes_multiply(lanes a, lanes b) { EACH a.at[i] = vmulq_f32(a.at[i], b.at[i]); return a; }
INLINE lanes lanes_divide(lanes a, lanes b) { EACH a.at[i] = vdivq_f32(a.at[i], b.at[i]); return a; }
INLINE lanes lanes_root(lanes x) { EACH x.at[i] = vsqrtq_f32(x.at[i]); return x; }
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { EACH c.at[i] = vfmaq_f32(c.at[i], a.at[i], b.at[i]); return c; }

// Comparison and selection, because the maximum instruction of this architecture prefers a NaN.
INLINE lanes lanes_greater(lanes a, lanes b) {
    EACH b.at[i] = vbslq_f32(vcgtq_f32(a.at[i], b.at[i]), a.at[i], b.at[i]);
    return b;
}

INLINE lanes lanes_at_least(lanes x, float bound) { return lanes_greater(lanes_splat(bound), x); }

INLINE lanes lanes_at_most(lanes x, float bound) {
    const float32x4_t most = vdupq_n_f32(bound);
    EACH x.at[i] = vbslq_f32(vcgtq_f32(x.at[i], most), most, x.at[i]);
    return x;
}

INLINE lanes lanes_zero_where_less(lanes result, lanes x, float bound) {
    const float32x4_t least = vdupq_n_f32(bound), zero = vdupq_n_f32(0);
    EACH result.at[i] = vbslq_f32(vcltq_f32(x.at[i], least), zero, result.at[i]);
    return result;
}

INLINE lanes lanes_scale_by_power(lanes p, lanes rounded) {
    const int32x4_t bias = vdupq_n_s32(127), rounder = vdupq_n_s32(0x4b400000);
    EACH {
        int32x4_t n = vsubq_s32(vreinterpretq_s32_f32(rounded.at[i]), rounder);
        int32x4_t half = vshrq_n_s32(n, 1);
        int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
        int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(n, half), bias), 23);
        p.at[i] = vmulq_f32(vmulq_f32(p.at[i], vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
    }
    return p;
}

INLINE float lanes_tree_sum(lanes x) {
    float32x4_t four = vaddq_f32(vaddq_f32(x.at[0], x.at[2]), vaddq_f32(x.at[1], x.at[3]));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

INLINE float lanes_greatest_of(lanes x) {
    const lanes numbers = lanes_greater(x, lanes_splat(-__builtin_inff()));
    return vmaxvq_f32(vmaxq_f32(
        vmaxq_f32(numbers.at[0], numbers.at[1]), vmaxq_f32(numbers.at[2], numbers.at[3])));
}

// Weights are loaded as bytes: a source from a file has any alignment.
INLINE uint16x4_t load_4_halves(const void *source, int part) {
    return vreinterpret_u16_u8(vld1_u8((const uint8_t *)source + 8 * part));
}

INLINE lanes lanes_load_f32(const void *source) {
    lanes r;
    EACH r.at[i] = vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)source + 16 * i));
    return r;
}

INLINE lanes lanes_load_bf16(const void *source) {
    lanes r;
    EACH r.at[i] = vreinterpretq_f32_u32(vshll_n_u16(load_4_halves(source, i), 16));
    return r;
}

INLINE lanes lanes_load_f16(const void *source) {
    lanes r;
    EACH r.at[i] = vcvt_f32_f16(vreinterpret_f16_u16(load_4_halves(source, i)));
    return r;
}

INLINE lanes lanes_load_e4m3(const void *source) {
    const int8x16_t codes = vreinterpretq_s8_u8(vld1q_u8(source));
    const int16x8_t wide[2] = {vmovl_s8(vget_low_s8(codes)), vmovl_s8(vget_high_s8(codes))};
    lanes r;
    for (int i = 0; i < 2; i++) {
        // The sign was copied into what becomes the exponent's first bit.
        const uint16x8_t half = vandq_u16(vreinterpretq_u16_s16(vshlq_n_s16(wide[i], 7)), vdupq_n_u16(0xbf80));
        r.at[2 * i] = vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(half)));
        r.at[2 * i + 1] = vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(half)));
    }
    return r;
}

INLINE lanes lanes_load_int8(const void *source) {
    const int8x16_t codes = vld1q_s8(source);
    const int16x8_t low = vmovl_s8(vget_low_s8(codes)), high = vmovl_s8(vget_high_s8(codes));
    lanes r;
    r.at[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    r.at[1] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
    r.at[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    r.at[3] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
    return r;
}

INLINE void lanes_store_f16(void *target, lanes x) {
    EACH vst1_u8((uint8_t *)target + 8 * i, vreinterpret_u8_f16(vcvt_f16_f32(x.at[i])));
}

INLINE void lanes_store_bf16(void *target, lanes x) {
    EACH {
        const uint32x4_t bits = vreinterpretq_u32_f32(x.at[i]), cut = vshrq_n_u32(bits, 16);
        const uint32x4_t odd = vandq_u32(cut, vdupq_n_u32(1));
        const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff))), 16);
        const uint32x4_t number = vceqq_f32(x.at[i], x.at[i]);
        const uint32x4_t stored = vbslq_u32(number, rounded, vorrq_u32(cut, vdupq_n_u32(0x40)));
        vst1_u8((uint8_t *)target + 8 * i, vreinterpret_u8_u16(vmovn_u32(stored)));
    }
}

INLINE void lanes_store_int8(int8_t *target, lanes x) {
    int16x8_t low = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.at[0])), vmovn_s32(vcvtnq_s32_f32(x.at[1])));
    int16x8_t high = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.at[2])), vmovn_s32(vcvtnq_s32_f32(x.at[3])));
    vst1q_s8(target, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
