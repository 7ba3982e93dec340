// The lightning indexer (DeepSeek-V3.2, arXiv 2512.02556): how much each position is worth looking at.
//
// Per head and position: s = (chain of fma(q[d], k[p][d]) over d ascending, from +0) * scale, with 8-bit keys then *
// scale of the key; then the greater of s and 0. score[p] = chain of fma(weight[h], s[h]) over the heads ascending,
// from +0. What is beyond the last visible position of its 16 is anything.
#pragma STDC FP_CONTRACT OFF

/// Adds `heads` heads, a constant where this is inlined, to the scores of one panel.
INLINE lanes index_score_tile(
    const int format, const colony_index_arguments *a, const unsigned char *keys, const float *scales, size_t head,
    lanes score, const int heads) {
    lanes sums[ATTENTION_SCORE_TILE];
    const size_t dims = a->layout.key_dim, bytes = COLONY_LANES * key_value_bytes(format);
    const float *query = a->query + head * dims;
    UNROLL for (int h = 0; h < heads; h++) sums[h] = lanes_splat(0);
    for (size_t d = 0; d < dims; d++) {
        const lanes key = key_value_load(format, keys + d * bytes);
        UNROLL for (int h = 0; h < heads; h++) sums[h] = lanes_fma(lanes_splat(query[h * dims + d]), key, sums[h]);
    }
    UNROLL for (int h = 0; h < heads; h++) {
        lanes s = lanes_multiply(sums[h], lanes_splat(a->scale));
        if (format == COLONY_KEY_VALUE_INT8) s = lanes_multiply(s, lanes_load(scales));
        score = lanes_fma(lanes_splat(a->head_weights[head + h]), lanes_at_least(s, 0), score);
    }
    return score;
}

INLINE void index_scores(const int format, const colony_index_arguments *a, size_t first_block, size_t block_count) {
    const colony_key_value_layout *l = &a->layout;
    for (size_t block = first_block; block < first_block + block_count; block++) {
        const unsigned char *base = (const unsigned char *)a->blocks[block] + a->offset;
        const float *scales = key_value_scales(l, base, 0, 0);
        const size_t start = block * l->positions;
        for (size_t p = 0; p < l->positions && start + p < a->visible; p += COLONY_LANES) {
            const unsigned char *keys = base + p * l->key_dim * key_value_bytes(format);
            lanes score = lanes_splat(0);
            size_t head = 0;
            for (; head + ATTENTION_SCORE_TILE <= a->heads; head += ATTENTION_SCORE_TILE) {
                score = index_score_tile(format, a, keys, scales + p, head, score, ATTENTION_SCORE_TILE);
            }
            for (; head < a->heads; head++) score = index_score_tile(format, a, keys, scales + p, head, score, 1);
            lanes_store(a->scores + start + p, score);
        }
    }
}

#define INDEX_SCORES(name, format) \
    KERNEL static void index_scores_##name( \
        const colony_index_arguments *a, size_t first_block, size_t block_count) { \
        index_scores(format, a, first_block, block_count); \
    }
INDEX_SCORES(f32, COLONY_KEY_VALUE_F32)
INDEX_SCORES(f16, COLONY_KEY_VALUE_F16)
INDEX_SCORES(int8, COLONY_KEY_VALUE_INT8)
