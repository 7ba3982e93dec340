// Loads and stores of the last, incomplete 16 lanes of a row.
#pragma STDC FP_CONTRACT OFF

/// Kept out of line: it runs once per row, and would be most of the code otherwise.
__attribute__((noinline)) static void copy_some(float *target, const float *source, size_t count) {
    for (size_t i = 0; i < count; i++) target[i] = source[i];
}

/// The first `count` of 16 floats, the others `fill`; all 16 if there are so many.
INLINE lanes lanes_load_some(const float *source, size_t count, float fill) {
    if (count >= COLONY_LANES) return lanes_load(source);
    float values[COLONY_LANES];
    lanes_store(values, lanes_splat(fill));
    copy_some(values, source, count);
    return lanes_load(values);
}

/// Stores the first `count` lanes; all 16 if there are so many.
INLINE void lanes_store_some(float *target, lanes x, size_t count) {
    if (count >= COLONY_LANES) {
        lanes_store(target, x);
        return;
    }
    float values[COLONY_LANES];
    lanes_store(values, x);
    copy_some(target, values, count);
}
