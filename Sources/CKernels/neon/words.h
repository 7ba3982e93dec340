// 16 words of 32 bits (64 bytes) in four registers: NEON of every 64-bit ARM.
#pragma once

#include "lanes.h"

typedef struct words {
    uint32x4_t at[4];
} words;

INLINE words words_load(const void *source) {
    words r;
    EACH r.at[i] = vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)source + 16 * i));
    return r;
}

INLINE words words_load_bytes(const void *source) {
    const uint8x16_t bytes = vld1q_u8(source);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    words r;
    r.at[0] = vmovl_u16(vget_low_u16(low));
    r.at[1] = vmovl_u16(vget_high_u16(low));
    r.at[2] = vmovl_u16(vget_low_u16(high));
    r.at[3] = vmovl_u16(vget_high_u16(high));
    return r;
}

INLINE words words_load_halves(const void *source) {
    words r;
    EACH {
        const uint8x8_t bytes = vld1_u8((const uint8_t *)source + 8 * i);
        r.at[i] = vmovl_u16(vreinterpret_u16_u8(bytes));
    }
    return r;
}

INLINE words words_splat(uint32_t x) { words r; EACH r.at[i] = vdupq_n_u32(x); return r; }
INLINE words words_and(words a, uint32_t mask) { EACH a.at[i] = vandq_u32(a.at[i], vdupq_n_u32(mask)); return a; }
INLINE words words_or(words a, words b) { EACH a.at[i] = vorrq_u32(a.at[i], b.at[i]); return a; }
INLINE words words_xor(words a, uint32_t mask) { EACH a.at[i] = veorq_u32(a.at[i], vdupq_n_u32(mask)); return a; }

INLINE words words_add(words a, int32_t addend) {
    EACH a.at[i] = vaddq_u32(a.at[i], vdupq_n_u32((uint32_t)addend));
    return a;
}

INLINE words words_sum(words a, words b) { EACH a.at[i] = vaddq_u32(a.at[i], b.at[i]); return a; }

INLINE words words_right(words a, int bits) { EACH a.at[i] = vshlq_u32(a.at[i], vdupq_n_s32(-bits)); return a; }
INLINE words words_left(words a, int bits) { EACH a.at[i] = vshlq_u32(a.at[i], vdupq_n_s32(bits)); return a; }

INLINE words words_right_signed(words a, int bits) {
    EACH a.at[i] = vreinterpretq_u32_s32(vshlq_s32(vreinterpretq_s32_u32(a.at[i]), vdupq_n_s32(-bits)));
    return a;
}

/// Every byte, 0 to 15, replaced by that entry of the table.
INLINE words words_lookup(words a, const uint8_t *table) {
    const uint8x16_t entries = vld1q_u8(table);
    EACH a.at[i] = vreinterpretq_u32_u8(vqtbl1q_u8(entries, vreinterpretq_u8_u32(a.at[i])));
    return a;
}

INLINE lanes words_to_lanes(words a) {
    lanes r;
    EACH r.at[i] = vcvtq_f32_s32(vreinterpretq_s32_u32(a.at[i]));
    return r;
}

INLINE lanes words_as_lanes(words a) { lanes r; EACH r.at[i] = vreinterpretq_f32_u32(a.at[i]); return r; }

/// sum + dot product of the 4 signed bytes of every word with 4 activations; products of 128 x 127 fit 16 bits.
INLINE words words_dot(words sum, words codes, int32_t activations) {
    const int8x16_t a = vreinterpretq_s8_s32(vdupq_n_s32(activations));
    EACH {
        const int8x16_t weights = vreinterpretq_s8_u32(codes.at[i]);
        const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(a));
        const int16x8_t high = vmull_s8(vget_high_s8(weights), vget_high_s8(a));
        const int32x4_t added = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
        sum.at[i] = vaddq_u32(sum.at[i], vreinterpretq_u32_s32(added));
    }
    return sum;
}

/// The same for codes that use all 8 bits: 128 is taken off first.
INLINE words words_dot_full(words sum, words codes, int32_t activations) {
    return words_dot(sum, words_xor(codes, 0x80808080), activations);
}

/// Nothing to make up for: `words_dot_full` takes the 128 off itself.
INLINE int32_t words_full_start(int32_t activation_sum) {
    (void)activation_sum;
    return 0;
}
