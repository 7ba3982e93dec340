// Attention of the query heads of one row over the positions that it may see, in two passes and linear memory.
//
// Per head: score[p] = (chain of fma(q[d], k[p][d]) over d ascending, from +0) * scale; max over the scores;
// e[p] = exp(score[p] - max), zero below 1e-20 (no denormal may reach a multiply-add); sum of e in 16 lanes by
// p % 16, ascending, then the tree; positions before the first weigh exactly 0; output[d] = (chain of fma(e[p],
// v[p][d]) over p ascending, from +0) / sum. Nothing depends on how positions are cut into blocks, or on how many rows
// are computed together.
#pragma STDC FP_CONTRACT OFF

#define ATTENTION_SMALLEST 1e-20f

/// Scores of `heads` heads against `panels` panels of 16 positions each; both constants where this is inlined.
INLINE void attention_score_tile(
    const colony_attention_arguments *a, const float *keys, size_t head, size_t position, const int heads,
    const int panels) {
    lanes sums[ATTENTION_SCORE_TILE];
    UNROLL for (int i = 0; i < heads * panels; i++) sums[i] = lanes_splat(0);
    const float *query = a->query + head * a->key_dim;
    const size_t dims = a->key_dim;
    for (size_t d = 0; d < dims; d++) {
        UNROLL for (int p = 0; p < panels; p++) {
            const float *source = keys + (p * dims + d) * COLONY_LANES;
            lanes key = lanes_load(source);
            __builtin_prefetch(source + panels * dims * COLONY_LANES, 0, 2);
            UNROLL for (int h = 0; h < heads; h++) {
                sums[h * panels + p] = lanes_fma(lanes_splat(query[h * dims + d]), key, sums[h * panels + p]);
            }
        }
    }
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int p = 0; p < panels; p++) {
            float *target = a->scores + (head + h) * a->scores_stride + position + p * COLONY_LANES;
            lanes_store(target, lanes_multiply(sums[h * panels + p], lanes_splat(a->scale)));
        }
    }
}

/// All panels of one block for `heads` heads, `panels` at once where there are so many.
INLINE void attention_score_block(
    const colony_attention_arguments *a, const float *keys, size_t head, size_t position, size_t panel_count,
    const int heads, const int panels) {
    const size_t panel_floats = a->key_dim * COLONY_LANES;
    size_t panel = 0;
    for (; panel + panels <= panel_count; panel += panels) {
        attention_score_tile(
            a, keys + panel * panel_floats, head, position + panel * COLONY_LANES, heads, panels);
    }
    for (; panel < panel_count; panel++) {
        attention_score_tile(a, keys + panel * panel_floats, head, position + panel * COLONY_LANES, heads, 1);
    }
}

KERNEL static void attention_scores(const colony_attention_arguments *a) {
    for (size_t start = 0, block = 0; start < a->visible; start += a->block_positions, block++) {
        size_t positions = a->visible - start < a->block_positions ? a->visible - start : a->block_positions;
        size_t panels = (positions + COLONY_LANES - 1) / COLONY_LANES;
        const float *keys = a->blocks[block] + a->kv_head * a->block_positions * a->key_dim;
        size_t head = 0;
#if ATTENTION_SCORE_TILE >= 8
        for (; head + 8 <= a->group; head += 8) attention_score_block(a, keys, head, start, panels, 8, 1);
#endif
        for (; head + 4 <= a->group; head += 4) {
            attention_score_block(a, keys, head, start, panels, 4, ATTENTION_SCORE_TILE / 4);
        }
        for (; head + 2 <= a->group; head += 2) {
            attention_score_block(a, keys, head, start, panels, 2, ATTENTION_SCORE_TILE / 2);
        }
        for (; head < a->group; head++) attention_score_block(a, keys, head, start, panels, 1, 4);
    }
}

/// Scores of one head to exponentials, in place; answers their sum.
KERNEL static float attention_exponentials(float *scores, size_t first, size_t visible) {
    const float nothing = -__builtin_inff();
    for (size_t p = 0; p < first; p++) scores[p] = nothing;
    lanes greatest = lanes_splat(nothing);
    for (size_t p = 0; p < visible; p += COLONY_LANES) {
        greatest = lanes_greater(lanes_load_some(scores + p, visible - p, nothing), greatest);
    }
    greatest = lanes_splat(lanes_greatest_of(greatest));
    lanes sums = lanes_splat(0);
    for (size_t p = 0; p < visible; p += COLONY_LANES) {
        lanes score = lanes_load_some(scores + p, visible - p, nothing);
        lanes e = lanes_exponential(lanes_subtract(score, greatest));
        e = lanes_zero_where_less(e, e, ATTENTION_SMALLEST);
        lanes_store(scores + p, e);
        sums = lanes_add(sums, e);
    }
    return lanes_tree_sum(sums);
}

/// Adds the positions of one block to `heads` x `parts` x 16 outputs, which are kept in the output between blocks.
INLINE void attention_value_tile(
    const colony_attention_arguments *a, const float *values, size_t start, size_t positions, size_t head,
    size_t dim, const int heads, const int parts) {
    lanes sums[ATTENTION_VALUE_HEADS][ATTENTION_VALUE_PARTS];
    float *output = a->output + head * a->value_dim + dim;
    const float *weights = a->scores + head * a->scores_stride + start;
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < parts; d++) {
            sums[h][d] = start ? lanes_load(output + h * a->value_dim + d * COLONY_LANES) : lanes_splat(0);
        }
    }
    const size_t dims = a->value_dim, stride = a->scores_stride;
    for (size_t p = 0; p < positions; p++) {
        const float *source = values + p * dims + dim;
        lanes value[ATTENTION_VALUE_PARTS];
        UNROLL for (int d = 0; d < parts; d++) {
            value[d] = lanes_load(source + d * COLONY_LANES);
            __builtin_prefetch(source + d * COLONY_LANES + 2048, 0, 2);
        }
        UNROLL for (int h = 0; h < heads; h++) {
            lanes weight = lanes_splat(weights[h * stride + p]);
            UNROLL for (int d = 0; d < parts; d++) sums[h][d] = lanes_fma(weight, value[d], sums[h][d]);
        }
    }
    UNROLL for (int h = 0; h < heads; h++) {
        UNROLL for (int d = 0; d < parts; d++) {
            lanes_store(output + h * a->value_dim + d * COLONY_LANES, sums[h][d]);
        }
    }
}

/// The dimensions beyond the last multiple of 16, one by one.
KERNEL static void attention_value_rest(
    const colony_attention_arguments *a, const float *values, size_t start, size_t positions, size_t head, size_t dim) {
    const float *weights = a->scores + head * a->scores_stride + start;
    float *output = a->output + head * a->value_dim;
    for (; dim < a->value_dim; dim++) {
        float sum = start ? output[dim] : 0;
        for (size_t p = 0; p < positions; p++) sum = __builtin_fmaf(weights[p], values[p * a->value_dim + dim], sum);
        output[dim] = sum;
    }
}

/// One block for `heads` heads, all dimensions.
INLINE void attention_value_block(
    const colony_attention_arguments *a, const float *values, size_t start, size_t positions, size_t head,
    const int heads) {
    const size_t part = ATTENTION_VALUE_PARTS * COLONY_LANES;
    size_t dim = 0;
    for (; dim + part <= a->value_dim; dim += part) {
        attention_value_tile(a, values, start, positions, head, dim, heads, ATTENTION_VALUE_PARTS);
    }
    for (; dim + COLONY_LANES <= a->value_dim; dim += COLONY_LANES) {
        attention_value_tile(a, values, start, positions, head, dim, heads, 1);
    }
    for (int h = 0; h < heads; h++) attention_value_rest(a, values, start, positions, head + h, dim);
}

KERNEL static void attention_values(const colony_attention_arguments *a) {
    const size_t key_floats = a->kv_head_count * a->block_positions * a->key_dim;
    for (size_t start = 0, block = 0; start < a->visible; start += a->block_positions, block++) {
        size_t positions = a->visible - start < a->block_positions ? a->visible - start : a->block_positions;
        const float *values = a->blocks[block] + key_floats + a->kv_head * a->block_positions * a->value_dim;
        size_t head = 0;
        for (; head + ATTENTION_VALUE_HEADS <= a->group; head += ATTENTION_VALUE_HEADS) {
            attention_value_block(a, values, start, positions, head, ATTENTION_VALUE_HEADS);
        }
        for (; head < a->group; head++) attention_value_block(a, values, start, positions, head, 1);
    }
}

KERNEL static void attention(const colony_attention_arguments *a) {
    attention_scores(a);
    float sums[ATTENTION_GROUP_STEP];
    for (size_t head = 0; head < a->group; head += ATTENTION_GROUP_STEP) {
        // Heads are taken in steps only so that their sums fit a fixed array.
        colony_attention_arguments part = *a;
        part.group = a->group - head < ATTENTION_GROUP_STEP ? a->group - head : ATTENTION_GROUP_STEP;
        part.output = a->output + head * a->value_dim;
        part.scores = a->scores + head * a->scores_stride;
        for (size_t h = 0; h < part.group; h++) {
            sums[h] = attention_exponentials(part.scores + h * a->scores_stride, a->first, a->visible);
        }
        attention_values(&part);
        for (size_t h = 0; h < part.group; h++) {
            float *output = part.output + h * a->value_dim;
            lanes sum = lanes_splat(sums[h]);
            for (size_t d = 0; d < a->value_dim; d += COLONY_LANES) {
                lanes x = lanes_load_some(output + d, a->value_dim - d, 0);
                lanes_store_some(output + d, lanes_divide(x, sum), a->value_dim - d);
            }
        }
    }
}
