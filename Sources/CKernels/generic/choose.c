// Which positions a row looks at, and their keys beside each other: comparisons and copies only, and therefore the same
// on every instruction set.
#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

#define DIGIT_BITS 8
#define DIGITS (1 << DIGIT_BITS)

/// An integer that is greater where the value is; both zeros are one, and NaNs are least of all.
static uint32_t order_of(float value) {
    uint32_t bits;
    if (value != value) return 0;
    if (value == 0) value = 0;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

/// The `chosen`-th greatest order, digit by digit; sets how many of those equal to it are among the `chosen`.
static uint32_t least_chosen_order(const float *values, size_t count, size_t chosen, size_t *equal_count) {
    uint32_t prefix = 0;
    for (int shift = 32 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
        size_t counts[DIGITS] = {0};
        for (size_t i = 0; i < count; i++) {
            const uint32_t order = order_of(values[i]);
            const int is_candidate = shift == 32 - DIGIT_BITS || order >> (shift + DIGIT_BITS) == prefix;
            counts[order >> shift & (DIGITS - 1)] += (size_t)is_candidate;
        }
        uint32_t digit = DIGITS - 1;
        for (; digit > 0 && counts[digit] < chosen; digit--) chosen -= counts[digit];
        prefix = prefix << DIGIT_BITS | digit;
    }
    *equal_count = chosen;
    return prefix;
}

void colony_choose_greatest(const float *values, size_t count, size_t chosen, uint32_t *indices) {
    size_t equal_count = 0;
    const uint32_t least = least_chosen_order(values, count, chosen, &equal_count);
    for (size_t i = 0; i < count; i++) {
        const uint32_t order = order_of(values[i]);
        if (order < least || (order == least && equal_count == 0)) continue;
        if (order == least) equal_count--;
        *indices++ = (uint32_t)i;
    }
}

/// One key's numbers of `number_bytes` each, every 16th of both sides.
static void copy_lane(
    const unsigned char *source, unsigned char *target, size_t key_dim, const size_t number_bytes) {
    const size_t stride = COLONY_LANES * number_bytes;
    for (size_t d = 0; d < key_dim; d++) __builtin_memcpy(target + d * stride, source + d * stride, number_bytes);
}

void colony_gather_keys(
    const colony_key_value_layout *l, size_t number_bytes, void *const *blocks, const uint32_t *positions, size_t count,
    void *target, size_t target_positions, size_t first) {
    const size_t panel_bytes = l->key_dim * COLONY_LANES * number_bytes;
    for (size_t i = 0; i < count; i++) {
        const size_t position = positions[i] % l->positions, place = first + i;
        const unsigned char *block = blocks[positions[i] / l->positions];
        const unsigned char *source =
            block + position / COLONY_LANES * panel_bytes + position % COLONY_LANES * number_bytes;
        unsigned char *key =
            (unsigned char *)target + place / COLONY_LANES * panel_bytes + place % COLONY_LANES * number_bytes;
        if (number_bytes == 4) copy_lane(source, key, l->key_dim, 4);
        if (number_bytes == 2) copy_lane(source, key, l->key_dim, 2);
        if (number_bytes != 1) continue;
        copy_lane(source, key, l->key_dim, 1);
        __builtin_memcpy(
            (unsigned char *)target + target_positions * l->key_dim + place * sizeof(float),
            block + l->positions * l->key_dim + position * sizeof(float), sizeof(float));
    }
}
