// Formats with one f16 scale per 32 columns: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL; and MXFP4 with its power of two.
// Word v of a 4-bit format holds the columns 4v to 4v + 3 in its low halves of bytes, those of word v + 4 in the high.
#pragma once

INLINE words nibbles(const unsigned char *block, const int vector) {
    return words_and(words_right(words_load(block + vector % 4 * 64), vector / 4 * 4), 0x0f0f0f0f);
}

INLINE words q8_0_codes(const unsigned char *block, const int vector) { return words_load(block + vector * 64); }

/// The fifth bits of a row fill one word; packing puts those of vector v at bit v of each byte.
INLINE words q5_0_codes(const unsigned char *block, const int vector) {
    words fifth = words_and(words_right(words_load(block + 256), vector), 0x01010101);
    return words_or(nibbles(block, vector), words_left(fifth, 4));
}

/// The values of IQ4_NL and IQ4_XS, plus 128.
static const uint8_t iq4_values[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

INLINE words iq4_nl_codes(const unsigned char *block, const int vector) {
    return words_lookup(nibbles(block, vector), iq4_values);
}

/// Twice the values of e2m1, plus 12.
static const uint8_t mxfp4_values[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

INLINE words mxfp4_codes(const unsigned char *block, const int vector) {
    return words_lookup(nibbles(block, vector), mxfp4_values);
}

/// How many times 2^-128 the two subnormal scales are, by whether e > 0 (bit 0) and e > 1 (bit 1).
static const uint8_t mxfp4_subnormals[16] = {1, 2, 0, 0};

/// 2^(e - 128): the exponent e - 1 for e of 2 or more, else a subnormal number.
INLINE lanes mxfp4_scale(const unsigned char *block) {
    const words e = words_load_bytes(block + 256);
    const words above_0 = words_right(words_add(e, 255), 8), above_1 = words_right(words_add(e, 254), 8);
    const words times = words_lookup(words_or(above_0, words_left(above_1, 1)), mxfp4_subnormals);
    const words subnormal = words_left(words_and(times, 3), 21);
    const words exponent = words_add(words_or(e, words_xor(above_0, 1)), -1);
    return words_as_lanes(words_or(words_left(exponent, 23), subnormal));
}
