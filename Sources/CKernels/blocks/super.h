// Formats of 256 columns: Q2_K to Q6_K and IQ4_XS. Sub-block `sub` is the columns 32 sub to 32 sub + 31, word `vector`
// of it four of them; scales of 16 columns are asked for by `half`. A word holds the bytes that a row has there, so
// that the shifts are those of the published formats.
#pragma once

/// Bits `bit` and up of word `index` of the field at `offset`.
INLINE words field(const unsigned char *block, const int offset, const int index, const int bit, const uint32_t mask) {
    return words_and(words_right(words_load(block + offset + index * 64), bit), mask);
}

// Q2_K: 16 words of codes, 4 of scales (low halves) and minimums (high halves), factors of both.
INLINE words q2_k_codes(const unsigned char *block, const int sub, const int vector) {
    return field(block, 0, sub / 4 * 8 + vector, sub % 4 * 2, 0x03030303);
}
INLINE lanes q2_k_scale(const unsigned char *block, const int sub, const int half) {
    const int index = sub * 2 + half;
    words scale = field(block, 1024, index / 4, index % 4 * 8, 15);
    return lanes_multiply(lanes_load_f16(block + 1280), words_to_lanes(scale));
}
INLINE lanes q2_k_minimum(const unsigned char *block, const int sub, const int half) {
    const int index = sub * 2 + half;
    words minimum = field(block, 1024, index / 4, index % 4 * 8 + 4, 15);
    return lanes_multiply(lanes_load_f16(block + 1312), words_to_lanes(minimum));
}

// Q3_K: 8 words of third bits, 16 of low bits, 3 of scales (4 + 4 + 2 bits), the factor.
INLINE words q3_k_codes(const unsigned char *block, const int sub, const int vector) {
    words low = field(block, 512, sub / 4 * 8 + vector, sub % 4 * 2, 0x03030303);
    return words_or(low, words_left(field(block, 0, vector, sub, 0x01010101), 2));
}
INLINE lanes q3_k_scale(const unsigned char *block, const int sub, const int half) {
    const int index = sub * 2 + half, byte = index % 4 * 8;
    words low = field(block, 1536, index / 4 % 2, byte + index / 8 * 4, 15);
    words high = field(block, 1536, 2, byte + index / 4 * 2, 3);
    words scale = words_add(words_or(low, words_left(high, 4)), -32);
    return lanes_multiply(lanes_load_f16(block + 1728), words_to_lanes(scale));
}

/// The 6-bit scale (`kind` 0) or minimum (1) of a sub-block of Q4_K and Q5_K, from three words at `offset`.
INLINE lanes q4_k_six_bits(const unsigned char *block, const int offset, const int sub, const int kind) {
    const int byte = sub % 4 * 8;
    if (sub < 4) return words_to_lanes(field(block, offset, kind, byte, 63));
    words high = words_left(field(block, offset, kind, byte + 6, 3), 4);
    return words_to_lanes(words_or(field(block, offset, 2, byte + 4 * kind, 15), high));
}

// Q4_K: 32 words of codes, 3 of scales and minimums, factors of both.
INLINE words q4_k_codes(const unsigned char *block, const int sub, const int vector) {
    return field(block, 0, sub / 2 * 8 + vector, sub % 2 * 4, 0x0f0f0f0f);
}
INLINE lanes q4_k_scale(const unsigned char *block, const int sub) {
    return lanes_multiply(lanes_load_f16(block + 2240), q4_k_six_bits(block, 2048, sub, 0));
}
INLINE lanes q4_k_minimum(const unsigned char *block, const int sub) {
    return lanes_multiply(lanes_load_f16(block + 2272), q4_k_six_bits(block, 2048, sub, 1));
}

// Q5_K: 32 words of low bits, 8 of fifth bits, 3 of scales and minimums, factors of both.
INLINE words q5_k_codes(const unsigned char *block, const int sub, const int vector) {
    return words_or(q4_k_codes(block, sub, vector), words_left(field(block, 2048, vector, sub, 0x01010101), 4));
}
INLINE lanes q5_k_scale(const unsigned char *block, const int sub) {
    return lanes_multiply(lanes_load_f16(block + 2752), q4_k_six_bits(block, 2560, sub, 0));
}
INLINE lanes q5_k_minimum(const unsigned char *block, const int sub) {
    return lanes_multiply(lanes_load_f16(block + 2784), q4_k_six_bits(block, 2560, sub, 1));
}

// Q6_K: 32 words of low bits, 16 of high bits, 4 of scales, the factor.
INLINE words q6_k_codes(const unsigned char *block, const int sub, const int vector) {
    words low = field(block, 0, sub / 4 * 16 + sub % 2 * 8 + vector, sub % 4 / 2 * 4, 0x0f0f0f0f);
    return words_or(low, words_left(field(block, 2048, sub / 4 * 8 + vector, sub % 4 * 2, 0x03030303), 4));
}
INLINE lanes q6_k_scale(const unsigned char *block, const int sub, const int half) {
    const int index = sub * 2 + half;
    words scale = words_left(words_load(block + 3072 + index / 4 * 64), 24 - index % 4 * 8);
    return lanes_multiply(lanes_load_f16(block + 3328), words_to_lanes(words_right_signed(scale, 24)));
}

// IQ4_XS: 32 words of codes, 1 of the scales' low bits, then their high bits as 16-bit numbers, then the factor.
INLINE words iq4_xs_codes(const unsigned char *block, const int sub, const int vector) {
    return words_lookup(
        field(block, 0, sub * 4 + vector % 4, vector / 4 * 4, 0x0f0f0f0f), iq4_values);
}
INLINE lanes iq4_xs_scale(const unsigned char *block, const int sub) {
    words low = field(block, 2048, 0, sub * 4, 15);
    words high = words_and(words_right(words_load_halves(block + 2112), sub * 2), 3);
    words scale = words_add(words_or(low, words_left(high, 4)), -32);
    return lanes_multiply(lanes_load_f16(block + 2144), words_to_lanes(scale));
}
