// Activations to 8-bit integers, 32 columns at a time (a row is padded with zeros to whole blocks):
// scale = max |x| / 127; code = x * (127 / max |x|), rounded to the nearest, ties to even; a block whose largest
// magnitude is below 2^-100 is all zeros. A block with an infinity or a NaN gets the scale NaN, whatever its codes.
#pragma STDC FP_CONTRACT OFF

#define QUANTISE_SMALLEST 0x1p-100f
/// Added to a small number and taken off again it leaves that number, rounded to the nearest integer.
#define QUANTISE_ROUNDER 0x1.8p23f

/// Codes of 16 columns; answers their sum, which f32 holds exactly.
INLINE int32_t quantise_half(lanes x, lanes inverse, int8_t *codes) {
    // The bound comes second, so that it replaces a NaN.
    lanes scaled = lanes_at_most(lanes_greater(lanes_multiply(x, inverse), lanes_splat(-127)), 127);
    const lanes rounder = lanes_splat(QUANTISE_ROUNDER);
    const lanes rounded = lanes_subtract(lanes_add(scaled, rounder), rounder);
    lanes_store_int8(codes, rounded);
    return (int32_t)lanes_tree_sum(rounded);
}

/// The scale of numbers whose largest magnitude is `most`, NaN where their products with 0 add up to a `defect`. Sets
/// `inverse`, by which they are multiplied.
INLINE float quantise_scale(float most, float defect, float *inverse) {
    const int is_nothing = !(most >= QUANTISE_SMALLEST);
    *inverse = is_nothing ? 0 : 127.0f / most;
    return defect == 0 ? (is_nothing ? 0 : most / 127.0f) : __builtin_nanf("");
}

INLINE void quantise_block(lanes low, lanes high, colony_activation_block *block) {
    const lanes none = lanes_splat(-0.0f), zero = lanes_splat(0);
    lanes greatest = lanes_greater(low, lanes_subtract(none, low));
    greatest = lanes_greater(lanes_greater(high, lanes_subtract(none, high)), greatest);
    const float defect = lanes_tree_sum(lanes_fma(high, zero, lanes_multiply(low, zero)));
    float factor;
    block->scale = quantise_scale(lanes_greatest_of(greatest), defect, &factor);
    const lanes inverse = lanes_splat(factor);
    const int32_t first = quantise_half(low, inverse, block->codes);
    const int32_t sum = first + quantise_half(high, inverse, block->codes + COLONY_LANES);
    block->first_sum = first;
    block->sum = sum;
    block->scaled_sum = block->scale * (float)sum;
}

KERNEL static void quantise(const float *input, colony_activation_block *blocks, size_t columns) {
    for (size_t k = 0; k < columns; k += COLONY_BLOCK_COLUMNS) {
        const lanes low = lanes_load_some(input + k, columns - k, 0);
        const lanes high = columns - k > COLONY_LANES
            ? lanes_load_some(input + k + COLONY_LANES, columns - k - COLONY_LANES, 0) : lanes_splat(0);
        quantise_block(low, high, blocks + k / COLONY_BLOCK_COLUMNS);
    }
}

KERNEL static void restore_quantised(
    const int8_t *codes, const float *scales, colony_activation_block *blocks, size_t block_count) {
    for (size_t i = 0; i < block_count; i++, codes += COLONY_BLOCK_COLUMNS) {
        colony_activation_block *block = blocks + i;
        int32_t first = 0, second = 0;
        for (size_t k = 0; k < COLONY_LANES; k++) first += codes[k];
        for (size_t k = COLONY_LANES; k < COLONY_BLOCK_COLUMNS; k++) second += codes[k];
        for (size_t k = 0; k < COLONY_BLOCK_COLUMNS; k++) block->codes[k] = codes[k];
        block->scale = scales[i];
        block->first_sum = first;
        block->sum = first + second;
        block->scaled_sum = block->scale * (float)block->sum;
    }
}
