// What the machine can do at most, for benchmarks: reading memory, integer dot products, fused multiply-adds.
#pragma STDC FP_CONTRACT OFF

#define CEILING_CHAINS 12
/// Lines that are read between two looks at the end.
#define CEILING_LINES 4
#define CEILING_PREFETCH_BYTES 4096

/// Reads every whole piece of 256 bytes once, in order, as weights are read; the answer depends on all of them. (Four
/// places at a time were up to a fifth slower on Zen 4, and no faster on Intel.)
KERNEL static uint32_t ceiling_read(const void *source, size_t byte_count) {
    const unsigned char *bytes = source;
    words sums[CEILING_LINES];
    UNROLL for (int l = 0; l < CEILING_LINES; l++) sums[l] = words_splat(0);
    for (size_t i = 0; i + CEILING_LINES * 64 <= byte_count; i += CEILING_LINES * 64) {
        UNROLL for (int l = 0; l < CEILING_LINES; l++) {
            const unsigned char *line = bytes + i + l * 64;
            __builtin_prefetch(line + CEILING_PREFETCH_BYTES, 0, 2);
            sums[l] = words_or(sums[l], words_load(line));
        }
    }
    words all = words_or(words_or(sums[0], sums[1]), words_or(sums[2], sums[3]));
    float folded[COLONY_LANES];
    lanes_store(folded, words_as_lanes(all));
    uint32_t result;
    __builtin_memcpy(&result, folded, sizeof result);
    return result;
}

/// `rounds` times 12 independent dot products of 64 bytes: 128 operations each.
KERNEL static float ceiling_dot(const void *codes, size_t rounds) {
    const words code = words_load(codes);
    words sums[CEILING_CHAINS];
    UNROLL for (int i = 0; i < CEILING_CHAINS; i++) sums[i] = words_splat((uint32_t)i);
    for (size_t round = 0; round < rounds; round++) {
        UNROLL for (int i = 0; i < CEILING_CHAINS; i++) sums[i] = words_dot(sums[i], code, (int32_t)round);
    }
    lanes all = lanes_splat(0);
    UNROLL for (int i = 0; i < CEILING_CHAINS; i++) all = lanes_add(all, words_to_lanes(sums[i]));
    return lanes_tree_sum(all);
}

/// `rounds` times 12 independent multiply-adds of 16 lanes: 32 operations each.
KERNEL static float ceiling_fma(float factor, size_t rounds) {
    const lanes x = lanes_splat(factor);
    lanes sums[CEILING_CHAINS];
    UNROLL for (int i = 0; i < CEILING_CHAINS; i++) sums[i] = lanes_splat((float)i);
    for (size_t round = 0; round < rounds; round++) {
        UNROLL for (int i = 0; i < CEILING_CHAINS; i++) sums[i] = lanes_fma(sums[i], x, x);
    }
    lanes all = lanes_splat(0);
    UNROLL for (int i = 0; i < CEILING_CHAINS; i++) all = lanes_add(all, sums[i]);
    return lanes_tree_sum(all);
}
