// The third step of attention where a value is the first numbers of its key and is not stored again (multi-head latent
// attention, arXiv 2405.04434).
//
// Keys lie with 16 positions beside each other, so a dimension is summed in 16 lanes: lane l is the chain of
// fma(e[p], k[p][d]) over the positions p with p % 16 == l, ascending, from +0; the positions from the last visible one
// to the end of its 16 count as fma(+0, +0). output[d] = (the tree of the lanes) / sum. Here k are the stored numbers,
// of 8-bit ones the codes, whose scale is in e[p] by then.
//
// Many heads share one key, so that arithmetic and not memory is what a tile of heads and dimensions has to save.
#pragma STDC FP_CONTRACT OFF

#define ATTENTION_LINE 64
/// Dimensions whose sums are kept at a time, and blocks between which they are: keys lie far apart along positions, so
/// that many dimensions of few blocks come from near caches where few dimensions of all blocks would not.
#define ATTENTION_IN_KEYS_CHUNK 64
#define ATTENTION_IN_KEYS_BLOCKS 8

/// From a place in a block to the same in the next one; 0 in the last.
INLINE ptrdiff_t attention_ahead(const colony_attention_arguments *a, size_t block) {
    if ((block + 1) * a->layout.positions >= a->visible) return 0;
    return (ptrdiff_t)((uintptr_t)a->blocks[block + 1] - (uintptr_t)a->blocks[block]);
}

/// 1 in the first `count` lanes, 0 in the others.
INLINE lanes attention_present(size_t count) {
    float present[COLONY_LANES];
    for (size_t i = 0; i < COLONY_LANES; i++) present[i] = i < count;
    return lanes_load(present);
}

/// Adds 16 positions to `heads` x `dims` sums; where `partial`, only those that are `present`.
INLINE void attention_in_keys_panel(
    const int format, const float *weights, size_t stride, const unsigned char *keys, ptrdiff_t ahead,
    lanes (*sums)[ATTENTION_IN_KEYS_DIMS], const int heads, const int dims, const int partial, lanes present) {
    const size_t bytes = COLONY_LANES * key_value_bytes(format);
    lanes key[ATTENTION_IN_KEYS_DIMS];
    UNROLL for (int d = 0; d < dims; d++) {
        key[d] = key_value_load(format, keys + d * bytes);
        if (d * bytes % ATTENTION_LINE == 0) __builtin_prefetch(keys + d * bytes + ahead, 0, 2);
        // Whatever lies there, a NaN too, weighs nothing.
        if (partial) key[d] = lanes_zero_where_less(key[d], present, 1);
    }
    UNROLL for (int h = 0; h < heads; h++) {
        lanes weight = lanes_load(weights + h * stride);
        if (partial) weight = lanes_zero_where_less(weight, present, 1);
        UNROLL for (int d = 0; d < dims; d++) sums[h][d] = lanes_fma(weight, key[d], sums[h][d]);
    }
}

/// Adds the positions `start` to `end`, whole blocks but the last, to the sums of `heads` heads and `dims` dimensions,
/// which are kept in memory between calls; `heads` and `dims` are constants where this is inlined.
INLINE void attention_in_keys_tile(
    const int format, const colony_attention_arguments *a, size_t start, size_t end, size_t head, size_t dim,
    lanes *kept, const int heads, const int dims) {
    const colony_key_value_layout *l = &a->layout;
    const size_t stride = a->scores_stride, bytes = COLONY_LANES * key_value_bytes(format);
    const float *weights = a->scores + head * stride;
    lanes sums[ATTENTION_IN_KEYS_HEADS][ATTENTION_IN_KEYS_DIMS];
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < dims; d++) {
            sums[h][d] = start ? kept[h * ATTENTION_IN_KEYS_CHUNK + d] : lanes_splat(0);
        }
    }
    for (size_t p = start; p < end;) {
        const size_t block = p / l->positions;
        const size_t stop = end - p < l->positions ? end : p + l->positions;
        const unsigned char *keys = key_value_keys(format, l, a->blocks[block], a->kv_head) + dim * bytes;
        const ptrdiff_t ahead = attention_ahead(a, block);
        for (; p + COLONY_LANES <= stop; p += COLONY_LANES, keys += l->key_dim * bytes) {
            attention_in_keys_panel(format, weights + p, stride, keys, ahead, sums, heads, dims, 0, lanes_splat(0));
        }
        if (p == stop) continue;
        const lanes present = attention_present(stop - p);
        attention_in_keys_panel(format, weights + p, stride, keys, 0, sums, heads, dims, 1, present);
        p = stop;
    }
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < dims; d++) kept[h * ATTENTION_IN_KEYS_CHUNK + d] = sums[h][d];
    }
}

/// Some neighbouring dimensions of `heads` heads over all positions: so few that their sums stay in the first-level
/// cache, and so many that keys are read in long runs.
INLINE void attention_in_keys_chunk(
    const int format, const colony_attention_arguments *a, size_t head, size_t first, size_t count, const int heads) {
    const size_t positions = ATTENTION_IN_KEYS_BLOCKS * a->layout.positions;
    lanes kept[ATTENTION_IN_KEYS_HEADS * ATTENTION_IN_KEYS_CHUNK];
    for (size_t start = 0; start < a->visible; start += positions) {
        const size_t end = a->visible - start < positions ? a->visible : start + positions;
        size_t d = 0;
        for (; d + ATTENTION_IN_KEYS_DIMS <= count; d += ATTENTION_IN_KEYS_DIMS) {
            attention_in_keys_tile(format, a, start, end, head, first + d, kept + d, heads, ATTENTION_IN_KEYS_DIMS);
        }
        for (; d < count; d++) attention_in_keys_tile(format, a, start, end, head, first + d, kept + d, heads, 1);
    }
    for (int h = 0; h < heads; h++) {
        float *output = a->output + (head + h) * a->layout.value_dim + first;
        for (size_t d = 0; d < count; d++) {
            output[d] = lanes_tree_sum(kept[h * ATTENTION_IN_KEYS_CHUNK + d]) / a->sums[head + h];
        }
    }
}

INLINE void attention_in_keys_heads(
    const int format, const colony_attention_arguments *a, size_t head, size_t dim, size_t end, const int heads) {
    for (; dim < end; dim += ATTENTION_IN_KEYS_CHUNK) {
        const size_t count = end - dim < ATTENTION_IN_KEYS_CHUNK ? end - dim : ATTENTION_IN_KEYS_CHUNK;
        attention_in_keys_chunk(format, a, head, dim, count, heads);
    }
}

INLINE void attention_values_in_keys(const int format, const colony_attention_arguments *a, size_t dim, size_t end) {
    size_t head = 0;
    for (; head + ATTENTION_IN_KEYS_HEADS <= a->group; head += ATTENTION_IN_KEYS_HEADS) {
        attention_in_keys_heads(format, a, head, dim, end, ATTENTION_IN_KEYS_HEADS);
    }
    for (; head < a->group; head++) attention_in_keys_heads(format, a, head, dim, end, 1);
}
