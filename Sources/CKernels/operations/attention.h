// Attention of the query heads of one row over the positions that it may see, in three steps and linear memory.
//
// Scores, per head: score[p] = (chain of fma(q[d], k[p][d]) over d ascending, from +0) * scale, with 8-bit keys then
// * scale of the key. Weights: max over the scores; e[p] = exp(score[p] - max), zero below 1e-20 (no denormal may reach
// a multiply-add); sum of e in 16 lanes by p % 16, ascending, then the tree; positions before the first weigh exactly
// 0. A sink (Xiao et al., arXiv 2309.17453), a learned score of the head, takes part in the max, its exponential is
// added to the sum last, and no value belongs to it. With 8-bit values then e[p] = e[p] * scale of the value, zero
// below 2^-126. Values: output[d] = (chain of fma(e[p], v[p][d]) over p ascending, from +0) / sum. Here k and v are the
// stored numbers, of 8-bit ones the codes. Nothing depends on how positions are cut into blocks, on how a step is cut,
// or on how many rows are computed together. Where values lie in the keys, their step is that of
// `attention_in_keys.h`.
//
// The format of keys and values is a constant wherever this is inlined. Each loop asks for the same place of the next
// block as it reads: one block is some 16 KiB per head, far enough for memory and near enough for the second-level
// cache.
#pragma STDC FP_CONTRACT OFF

#define ATTENTION_SMALLEST 1e-20f

/// Scores of `heads` heads against `panels` panels of 16 positions each; both constants where this is inlined.
INLINE void attention_score_tile(
    const int format, const colony_attention_arguments *a, const unsigned char *keys, ptrdiff_t ahead,
    const float *scales, size_t head, size_t position, const int heads, const int panels) {
    lanes sums[ATTENTION_SCORE_TILE];
    UNROLL for (int i = 0; i < heads * panels; i++) sums[i] = lanes_splat(0);
    const size_t dims = a->layout.key_dim, bytes = COLONY_LANES * key_value_bytes(format);
    const float *query = a->query + head * dims;
    for (size_t d = 0; d < dims; d++) {
        // The panels lie one behind the other: their lines are asked for in that order, evenly.
        const unsigned char *next = keys + ahead + d * (size_t)panels * bytes;
        UNROLL for (size_t line = 0; line < (size_t)panels * bytes; line += ATTENTION_LINE) {
            __builtin_prefetch(next + line, 0, 2);
        }
        UNROLL for (int p = 0; p < panels; p++) {
            const lanes key = key_value_load(format, keys + (p * dims + d) * bytes);
            UNROLL for (int h = 0; h < heads; h++) {
                sums[h * panels + p] = lanes_fma(lanes_splat(query[h * dims + d]), key, sums[h * panels + p]);
            }
        }
    }
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int p = 0; p < panels; p++) {
            float *target = a->scores + (head + h) * a->scores_stride + position + p * COLONY_LANES;
            lanes score = lanes_multiply(sums[h * panels + p], lanes_splat(a->scale));
            if (format == COLONY_KEY_VALUE_INT8) score = lanes_multiply(score, lanes_load(scales + p * COLONY_LANES));
            lanes_store(target, score);
        }
    }
}

/// All panels of one block for `heads` heads, `panels` at once where there are so many.
INLINE void attention_score_block(
    const int format, const colony_attention_arguments *a, size_t block, size_t head, const int heads,
    const int panels) {
    const colony_key_value_layout *l = &a->layout;
    const size_t start = block * l->positions;
    const size_t positions = a->visible - start < l->positions ? a->visible - start : l->positions;
    const size_t panel_count = (positions + COLONY_LANES - 1) / COLONY_LANES;
    const size_t panel_bytes = l->key_dim * COLONY_LANES * key_value_bytes(format);
    const unsigned char *keys = key_value_keys(format, l, a->blocks[block], a->kv_head);
    const float *scales = key_value_scales(l, a->blocks[block], a->kv_head, 0);
    const ptrdiff_t ahead = attention_ahead(a, block);
    size_t panel = 0;
    for (; panel + panels <= panel_count; panel += panels) {
        const size_t position = panel * COLONY_LANES;
        attention_score_tile(
            format, a, keys + panel * panel_bytes, ahead, scales + position, head, start + position, heads, panels);
    }
    for (; panel < panel_count; panel++) {
        const size_t position = panel * COLONY_LANES;
        attention_score_tile(
            format, a, keys + panel * panel_bytes, ahead, scales + position, head, start + position, heads, 1);
    }
}

INLINE void attention_scores(
    const int format, const colony_attention_arguments *a, size_t first_block, size_t block_count) {
    for (size_t block = first_block; block < first_block + block_count; block++) {
        size_t head = 0;
#if ATTENTION_SCORE_TILE >= 8
        for (; head + 8 <= a->group; head += 8) {
            attention_score_block(format, a, block, head, 8, ATTENTION_SCORE_TILE / 8);
        }
#endif
        for (; head + 4 <= a->group; head += 4) {
            attention_score_block(format, a, block, head, 4, ATTENTION_SCORE_TILE / 4);
        }
        for (; head + 2 <= a->group; head += 2) {
            attention_score_block(format, a, block, head, 2, ATTENTION_SCORE_TILE / 2);
        }
        for (; head < a->group; head++) attention_score_block(format, a, block, head, 1, 4);
    }
}

/// exp(score - greatest) of 16 scores, as attention weighs them.
INLINE lanes attention_exponential(lanes score, lanes greatest) {
    const lanes e = lanes_exponential(lanes_subtract(score, greatest));
    return lanes_zero_where_less(e, e, ATTENTION_SMALLEST);
}

/// Scores of one head to exponentials, in place; answers their sum, with that of the sink if there is one.
KERNEL static float attention_exponentials(float *scores, size_t first, size_t visible, const float *sink) {
    const float nothing = -__builtin_inff();
    for (size_t p = 0; p < first; p++) scores[p] = nothing;
    lanes greatest = lanes_splat(nothing);
    for (size_t p = 0; p < visible; p += COLONY_LANES) {
        greatest = lanes_greater(lanes_load_some(scores + p, visible - p, nothing), greatest);
    }
    if (sink) greatest = lanes_greater(lanes_splat(*sink), greatest);
    greatest = lanes_splat(lanes_greatest_of(greatest));
    lanes sums = lanes_splat(0);
    for (size_t p = 0; p < visible; p += COLONY_LANES) {
        lanes e = attention_exponential(lanes_load_some(scores + p, visible - p, nothing), greatest);
        lanes_store(scores + p, e);
        sums = lanes_add(sums, e);
    }
    const float sum = lanes_tree_sum(sums);
    if (!sink) return sum;
    float of_sink[COLONY_LANES];
    lanes_store(of_sink, attention_exponential(lanes_splat(*sink), greatest));
    return sum + of_sink[0];
}

INLINE void attention_weights(const int format, const colony_attention_arguments *a, size_t head) {
    float *weights = a->scores + head * a->scores_stride;
    a->sums[head] = attention_exponentials(weights, a->first, a->visible, a->sinks ? a->sinks + head : NULL);
    if (format != COLONY_KEY_VALUE_INT8) return;
    const float *scales = NULL;
    for (size_t p = 0; p < a->visible; p += COLONY_LANES) {
        const size_t offset = p % a->layout.positions;
        if (offset == 0) scales = key_value_scales(&a->layout, a->blocks[p / a->layout.positions], a->kv_head, 1);
        const lanes weight = lanes_multiply(lanes_load(weights + p), lanes_load(scales + offset));
        lanes_store(weights + p, lanes_zero_where_less(weight, weight, 0x1p-126f));
    }
}

/// Adds the positions of one block to `heads` x `parts` x 16 outputs, which are kept in the output between blocks.
INLINE void attention_value_tile(
    const int format, const colony_attention_arguments *a, const unsigned char *values, ptrdiff_t ahead, size_t start,
    size_t positions, size_t head, size_t dim, const int heads, const int parts) {
    lanes sums[ATTENTION_VALUE_HEADS][ATTENTION_VALUE_PARTS];
    const size_t dims = a->layout.value_dim, stride = a->scores_stride, bytes = key_value_bytes(format);
    float *output = a->output + head * dims + dim;
    const float *weights = a->scores + head * stride + start;
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < parts; d++) {
            sums[h][d] = start ? lanes_load(output + h * dims + d * COLONY_LANES) : lanes_splat(0);
        }
    }
    for (size_t p = 0; p < positions; p++) {
        const unsigned char *source = values + (p * dims + dim) * bytes;
        lanes value[ATTENTION_VALUE_PARTS];
        UNROLL for (int d = 0; d < parts; d++) {
            const size_t offset = d * COLONY_LANES * bytes;
            value[d] = key_value_load(format, source + offset);
            if (offset % ATTENTION_LINE == 0) __builtin_prefetch(source + offset + ahead, 0, 2);
        }
        UNROLL for (int h = 0; h < heads; h++) {
            lanes weight = lanes_splat(weights[h * stride + p]);
            UNROLL for (int d = 0; d < parts; d++) sums[h][d] = lanes_fma(weight, value[d], sums[h][d]);
        }
    }
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < parts; d++) lanes_store(output + h * dims + d * COLONY_LANES, sums[h][d]);
    }
}

/// The `count` dimensions beyond the last multiple of 16, of one head.
INLINE void attention_value_rest(
    const int format, const colony_attention_arguments *a, const unsigned char *values, size_t start,
    size_t positions, size_t head, size_t dim, size_t count) {
    const size_t dims = a->layout.value_dim;
    const float *weights = a->scores + head * a->scores_stride + start;
    float *output = a->output + head * dims + dim;
    lanes sum = start ? lanes_load_some(output, count, 0) : lanes_splat(0);
    for (size_t p = 0; p < positions; p++) {
        const unsigned char *source = values + (p * dims + dim) * key_value_bytes(format);
        sum = lanes_fma(lanes_splat(weights[p]), key_value_load_some(format, source, count), sum);
    }
    lanes_store_some(output, sum, count);
}

/// One block for `heads` heads, dimensions `dim` to `end`.
INLINE void attention_value_block(
    const int format, const colony_attention_arguments *a, size_t block, size_t head, size_t dim, size_t end,
    const int heads) {
    const colony_key_value_layout *l = &a->layout;
    const size_t start = block * l->positions, part = ATTENTION_VALUE_PARTS * COLONY_LANES;
    const size_t positions = a->visible - start < l->positions ? a->visible - start : l->positions;
    const unsigned char *values = key_value_values(format, l, a->blocks[block], a->kv_head);
    const ptrdiff_t ahead = attention_ahead(a, block);
    for (; dim + part <= end; dim += part) {
        attention_value_tile(
            format, a, values, ahead, start, positions, head, dim, heads, ATTENTION_VALUE_PARTS);
    }
    for (; dim + COLONY_LANES <= end; dim += COLONY_LANES) {
        attention_value_tile(format, a, values, ahead, start, positions, head, dim, heads, 1);
    }
    if (dim == end) return;
    for (int h = 0; h < heads; h++) {
        attention_value_rest(format, a, values, start, positions, head + h, dim, end - dim);
    }
}

INLINE void attention_values(
    const int format, const colony_attention_arguments *a, size_t first_dim, size_t dim_count) {
    const size_t end = first_dim + dim_count;
    if (a->layout.values_in_keys) {
        attention_values_in_keys(format, a, first_dim, end);
        return;
    }
    for (size_t block = 0; block * a->layout.positions < a->visible; block++) {
        size_t head = 0;
        for (; head + ATTENTION_VALUE_HEADS <= a->group; head += ATTENTION_VALUE_HEADS) {
            attention_value_block(format, a, block, head, first_dim, end, ATTENTION_VALUE_HEADS);
        }
        for (; head < a->group; head++) attention_value_block(format, a, block, head, first_dim, end, 1);
    }
    for (size_t head = 0; head < a->group; head++) {
        float *output = a->output + head * a->layout.value_dim;
        const lanes sum = lanes_splat(a->sums[head]);
        for (size_t d = first_dim; d < end; d += COLONY_LANES) {
            lanes x = lanes_load_some(output + d, end - d, 0);
            lanes_store_some(output + d, lanes_divide(x, sum), end - d);
        }
    }
}

#define ATTENTION(name, format) \
    KERNEL static void attention_scores_##name( \
        const colony_attention_arguments *a, size_t first_block, size_t block_count) { \
        attention_scores(format, a, first_block, block_count); \
    } \
    KERNEL static void attention_weights_##name(const colony_attention_arguments *a, size_t head) { \
        attention_weights(format, a, head); \
    } \
    KERNEL static void attention_values_##name( \
        const colony_attention_arguments *a, size_t first_dim, size_t dim_count) { \
        attention_values(format, a, first_dim, dim_count); \
    }
ATTENTION(f32, COLONY_KEY_VALUE_F32)
ATTENTION(f16, COLONY_KEY_VALUE_F16)
ATTENTION(int8, COLONY_KEY_VALUE_INT8)
