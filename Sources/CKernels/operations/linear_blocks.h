// Linear layers whose weights are blocks of codes, in two ways.
//
// With 8-bit activations, per output row: from +0, for each 32 columns in order
//     sum = fma(float(dot), scale * x.scale, sum)         dot = integer sum of (code - zero) * x.code, exact
//     sum = fma(minimum, x.scaled_sum, sum)               only formats with a minimum
// where formats with a scale per 16 columns do both for the first 16 and then for the last 16 (their minimum counts
// with x.scale * float(sum of those x.code)). With f32 activations: the chain of `linear.h` over the decoded weights, in
// the order in which columns are stored.
// One lane per row, so every tile, batch and split over panels gives the same bits.
#pragma STDC FP_CONTRACT OFF

#define BLOCK_VECTORS 8
/// Up to so many tokens have two chains of dot products each.
#define BLOCK_CHAINS_TOKENS 2
/// From so many tokens on a tile computes long enough for the next panel to arrive meanwhile.
#define BLOCK_AHEAD_TOKENS 3
#ifndef BLOCK_INLINE
#define BLOCK_INLINE INLINE
#endif

INLINE words block_dot_vector(const block_shape shape, words sum, words codes, const int8_t *activations) {
    int32_t four;
    __builtin_memcpy(&four, activations, sizeof four);
    return shape.is_full ? words_dot_full(sum, codes, four) : words_dot(sum, codes, four);
}

/// The integer dot products of one token with vectors `first` to `first` + `count` - 1 of a sub-block, in one chain or
/// in two, which few tokens want so as not to wait for each addition.
INLINE lanes block_dot(
    const block_shape shape, const words *codes, const int first, const int count, const int8_t *activations,
    int32_t activation_sum, const int chains) {
    const int32_t start = shape.is_full ? words_full_start(activation_sum) : -shape.zero * activation_sum;
    words even = words_splat((uint32_t)start), odd = words_splat(0);
    UNROLL for (int v = first; v < first + count; v++) {
        if (chains == 1 || v % 2 == 0) even = block_dot_vector(shape, even, codes[v], activations + v * 4);
        else odd = block_dot_vector(shape, odd, codes[v], activations + v * 4);
    }
    return words_to_lanes(chains == 1 ? even : words_sum(even, odd));
}

/// 32 columns of a panel, taken apart. Formats with one scale, or no minimum, leave the rest as it is; those with
/// zeros have what `group_zero_shift` answers as a minimum.
typedef struct block_columns {
    words codes[BLOCK_VECTORS];
    lanes scales[2], minimums[2];
} block_columns;

INLINE int block_has_zeros(const int format) {
    return format == COLONY_BLOCK_INT4_ZEROS || format == COLONY_BLOCK_INT8_ZEROS;
}

/// How many bytes a panel has.
INLINE size_t block_panel_bytes(const int format, const colony_linear_arguments *a) {
    const block_shape shape = block_shapes[format];
    if (block_is_grouped(format)) return a->groups.panel_bytes;
    return a->columns / (size_t)(shape.subs * COLONY_BLOCK_COLUMNS) * (size_t)shape.bytes;
}

/// Where a panel begins; its blocks follow after `block_head_bytes`.
INLINE const unsigned char *block_panel(const int format, const colony_linear_arguments *a, size_t panel) {
    return (const unsigned char *)a->weights + panel * block_panel_bytes(format, a);
}

INLINE size_t block_head_bytes(const int format, const colony_linear_arguments *a) {
    return block_is_grouped(format) ? a->groups.codes_offset : 0;
}

/// Scales and minimums of the 32 columns `index` of the panel that begins at `head`, sub-block `sub` of `block`.
INLINE void block_take_scales(
    const int format, const colony_linear_arguments *a, const unsigned char *head, size_t index,
    const unsigned char *block, const int sub, block_columns *columns) {
    const block_shape shape = block_shapes[format];
    if (block_is_grouped(format)) {
        const size_t group = group_of_block(&a->groups, index);
        columns->scales[0] = group_scale(&a->groups, head, group);
        if (block_has_zeros(format)) columns->minimums[0] = group_zero_shift(&a->groups, head, group, shape.zero);
        return;
    }
    UNROLL for (int half = 0; half < shape.halves; half++) {
        columns->scales[half] = block_scale(format, block, sub, half);
        if (shape.has_minimum) columns->minimums[half] = block_minimum(format, block, sub, half);
    }
}

INLINE void block_take(
    const int format, const colony_linear_arguments *a, const unsigned char *head, size_t index,
    const unsigned char *block, const int sub, block_columns *columns) {
    UNROLL for (int v = 0; v < BLOCK_VECTORS; v++) columns->codes[v] = block_codes(format, block, sub, v);
    block_take_scales(format, a, head, index, block, sub, columns);
}

/// Adds 32 columns to the sums of `tokens` tokens, whose activations there are `inputs[t][index]`. A zero's share of the
/// dot product is a whole number, and so is the rest, both below 2^24: `fma` is exact.
INLINE void block_add(
    const int format, const block_columns *columns, const colony_activation_block *const *inputs, size_t index,
    lanes *sums, const int tokens) {
    const block_shape shape = block_shapes[format];
    const int vectors = BLOCK_VECTORS / shape.halves;
    UNROLL for (int half = 0; half < shape.halves; half++) {
        UNROLL for (int t = 0; t < tokens; t++) {
            const colony_activation_block *x = inputs[t] + index;
            const int32_t sum = shape.halves == 1 ? x->sum : half ? x->sum - x->first_sum : x->first_sum;
            lanes dot = block_dot(
                shape, columns->codes, half * vectors, vectors, x->codes, sum, tokens <= BLOCK_CHAINS_TOKENS ? 2 : 1);
            if (block_has_zeros(format)) dot = lanes_fma(columns->minimums[0], lanes_splat((float)sum), dot);
            sums[t] = lanes_fma(dot, lanes_multiply(columns->scales[half], lanes_splat(x->scale)), sums[t]);
            if (shape.has_minimum) {
                const float scaled_sum = shape.halves == 1 ? x->scaled_sum : x->scale * (float)sum;
                sums[t] = lanes_fma(columns->minimums[half], lanes_splat(scaled_sum), sums[t]);
            }
        }
    }
}

/// Asks for what lies some distance ahead of sub-block `sub`, see `colony_prefetch_bytes`.
INLINE void block_prefetch(const block_shape shape, const unsigned char *ahead, const int sub) {
    const int lines = (shape.bytes + 63) / 64;
    UNROLL for (int line = lines * sub / shape.subs; line < lines * (sub + 1) / shape.subs; line++) {
        __builtin_prefetch(ahead + line * 64, 0, 2);
    }
}

/// `tokens` tokens, a constant where this is inlined, through one panel.
BLOCK_INLINE void block_tile(
    const int format, const colony_linear_arguments *a, size_t panel, size_t token, const int tokens) {
    const block_shape shape = block_shapes[format];
    const size_t blocks = a->columns / (size_t)(shape.subs * COLONY_BLOCK_COLUMNS);
    const unsigned char *head = block_panel(format, a, panel), *block = head + block_head_bytes(format, a);
    const colony_activation_block *inputs[BLOCK_TOKENS_MAX];
    lanes sums[BLOCK_TOKENS_MAX];
    UNROLL for (int t = 0; t < tokens; t++) {
        const size_t row = linear_row(a->input_rows, token + t);
        inputs[t] = a->quantised_input + row * a->quantised_stride;
        sums[t] = lanes_splat(0);
    }
    const int asks_for_panel = tokens >= BLOCK_AHEAD_TOKENS;
    const size_t ahead = asks_for_panel ? block_panel_bytes(format, a) : a->prefetch_bytes;
    for (size_t b = 0; b < blocks; b++, block += shape.bytes) {
        UNROLL for (int sub = 0; sub < shape.subs; sub++) {
            // The first tile asks for the whole next panel; the others need not again.
            if (token == 0 || !asks_for_panel) block_prefetch(shape, block + ahead, sub);
            const size_t index = b * (size_t)shape.subs + (size_t)sub;
            block_columns columns;
            block_take(format, a, head, index, block, sub, &columns);
            block_add(format, &columns, inputs, index, sums, tokens);
        }
    }
    float results[BLOCK_TOKENS_MAX * COLONY_LANES];
    UNROLL for (int t = 0; t < tokens; t++) lanes_store(results + t * COLONY_LANES, sums[t]);
    linear_finish(a, panel, token, 1, tokens, results);
}

#if BLOCK_TOKENS_MAX >= 4
/// From so many tokens on a panel is taken apart once for all of them.
#define BLOCK_GROUP_TOKENS_MIN 12
/// So many tokens share what was taken apart.
#define BLOCK_GROUP_TOKENS_MAX 64
/// Columns / 32 that are apart at a time: with the activations of a tile they fit the first-level cache.
#define BLOCK_GROUP_SUBS 16

/// Some columns of a panel, and where they are kept when they have been taken apart.
typedef struct block_group_columns {
    const unsigned char *head, *block;
    size_t first, count; // columns / 32
    size_t panel_bytes;
    block_columns apart[BLOCK_GROUP_SUBS];
} block_group_columns;

/// Adds these columns to the `sums`, [tokens][16], of `tokens` tokens. The first tile takes them apart, in the shade of
/// its multiplications, and asks for the next panel. `tokens` and `is_first` are constants where this is inlined.
BLOCK_INLINE void block_group_tile(
    const int format, const colony_linear_arguments *a, block_group_columns *columns, size_t token, float *sums,
    const int tokens, const int is_first) {
    const block_shape shape = block_shapes[format];
    const colony_activation_block *inputs[BLOCK_TOKENS_MAX];
    lanes kept[BLOCK_TOKENS_MAX];
    UNROLL for (int t = 0; t < tokens; t++) {
        const size_t row = linear_row(a->input_rows, token + t);
        inputs[t] = a->quantised_input + row * a->quantised_stride + columns->first;
        kept[t] = columns->first ? lanes_load(sums + t * COLONY_LANES) : lanes_splat(0);
    }
    if (is_first) {
        const unsigned char *block = columns->block;
        for (size_t i = 0; i < columns->count; i += (size_t)shape.subs, block += shape.bytes) {
            UNROLL for (int sub = 0; sub < shape.subs; sub++) {
                block_prefetch(shape, block + columns->panel_bytes, sub);
                const size_t index = columns->first + i + (size_t)sub;
                block_take(format, a, columns->head, index, block, sub, columns->apart + i + sub);
                block_add(format, columns->apart + i + sub, inputs, i + (size_t)sub, kept, tokens);
            }
        }
    } else {
        for (size_t i = 0; i < columns->count; i++) block_add(format, columns->apart + i, inputs, i, kept, tokens);
    }
    UNROLL for (int t = 0; t < tokens; t++) lanes_store(sums + t * COLONY_LANES, kept[t]);
}

/// Up to `BLOCK_GROUP_TOKENS_MAX` tokens, more than a tile, through one panel.
BLOCK_INLINE void block_group(
    const int format, const colony_linear_arguments *a, size_t panel, size_t token, size_t tokens) {
    const block_shape shape = block_shapes[format];
    const size_t subs = a->columns / COLONY_BLOCK_COLUMNS;
    block_group_columns columns;
    columns.panel_bytes = block_panel_bytes(format, a);
    columns.head = block_panel(format, a, panel);
    columns.block = columns.head + block_head_bytes(format, a);
    float sums[BLOCK_GROUP_TOKENS_MAX * COLONY_LANES];
    linear_expect(a, panel, token, tokens);
    for (size_t first = 0; first < subs; first += BLOCK_GROUP_SUBS) {
        columns.first = first;
        columns.count = subs - first < BLOCK_GROUP_SUBS ? subs - first : BLOCK_GROUP_SUBS;
        block_group_tile(format, a, &columns, token, sums, BLOCK_TOKENS_MAX, 1);
        size_t t = BLOCK_TOKENS_MAX;
#define TILES(n) \
    for (; t + n <= tokens; t += n) block_group_tile(format, a, &columns, token + t, sums + t * COLONY_LANES, n, 0);
#if BLOCK_TOKENS_MAX >= 8
        TILES(8)
#endif
        TILES(4)
        TILES(2)
        TILES(1)
#undef TILES
        columns.block += columns.count / (size_t)shape.subs * (size_t)shape.bytes;
    }
    linear_finish(a, panel, token, 1, (int)tokens, sums);
}
#endif

/// Tokens `token` and on through one panel, whose blocks stay in the first cache meanwhile.
INLINE void block_tiles(const int format, const colony_linear_arguments *a, size_t panel, size_t token) {
#if BLOCK_TOKENS_MAX >= 8
    for (; token + 8 <= a->tokens; token += 8) block_tile(format, a, panel, token, 8);
#endif
#if BLOCK_TOKENS_MAX >= 4
    for (; token + 4 <= a->tokens; token += 4) block_tile(format, a, panel, token, 4);
    // At most one of each is left. A tile of 2 and one of 1 would take the panel apart twice: half as fast.
    if (token + 3 <= a->tokens) block_tile(format, a, panel, token, 3), token += 3;
    if (token + 2 <= a->tokens) block_tile(format, a, panel, token, 2), token += 2;
#endif
    for (; token < a->tokens; token++) block_tile(format, a, panel, token, 1);
}

/// Groups of tokens first, whose activations stay in the second cache, then panels.
INLINE void block_linear(const int format, const colony_linear_arguments *a, size_t first_panel, size_t panel_count) {
    const size_t end = first_panel + panel_count;
    size_t token = 0;
#if BLOCK_TOKENS_MAX >= 4
    while (a->tokens - token >= BLOCK_GROUP_TOKENS_MIN) {
        const size_t left = a->tokens - token;
        const size_t tokens = left < BLOCK_GROUP_TOKENS_MAX ? left : BLOCK_GROUP_TOKENS_MAX;
        for (size_t panel = first_panel; panel < end; panel++) block_group(format, a, panel, token, tokens);
        token += tokens;
    }
#endif
    if (token == a->tokens) return;
    for (size_t panel = first_panel; panel < end; panel++) block_tiles(format, a, panel, token);
}

/// Adds 32 columns to the sums of `tokens` tokens with f32 activations, each column's at `inputs[t][order[…]]`, or
/// `inputs[t][column]` and on without an order.
INLINE void block_exact_sub(
    const int format, const block_columns *columns, const float *const *inputs, size_t column, const int32_t *order,
    lanes *sums, const int tokens) {
    const block_shape shape = block_shapes[format];
    UNROLL for (int v = 0; v < BLOCK_VECTORS; v++) {
        const int half = v * shape.halves / BLOCK_VECTORS;
        UNROLL for (int byte = 0; byte < 4; byte++) {
            const words bits = words_and(words_right(columns->codes[v], byte * 8), 255);
            lanes code = words_to_lanes(words_add(bits, -shape.zero));
            if (block_has_zeros(format)) code = lanes_add(code, columns->minimums[0]);
            lanes weight = lanes_multiply(columns->scales[half], code);
            if (shape.has_minimum) weight = lanes_add(weight, columns->minimums[half]);
            const size_t k = column + (size_t)(v * 4 + byte);
            const size_t place = block_is_grouped(format) && order ? (size_t)order[k] : k;
            UNROLL for (int t = 0; t < tokens; t++) {
                sums[t] = lanes_fma(weight, lanes_splat(inputs[t][place]), sums[t]);
            }
        }
    }
}

/// `tokens` tokens through one panel with f32 activations.
BLOCK_INLINE void block_exact_tile(
    const int format, const colony_linear_arguments *a, size_t panel, size_t token, const int tokens) {
    const block_shape shape = block_shapes[format];
    const size_t blocks = a->columns / (size_t)(shape.subs * COLONY_BLOCK_COLUMNS);
    const unsigned char *head = block_panel(format, a, panel), *block = head + block_head_bytes(format, a);
    const float *inputs[BLOCK_TOKENS_MAX];
    lanes sums[BLOCK_TOKENS_MAX];
    UNROLL for (int t = 0; t < tokens; t++) {
        inputs[t] = a->input + linear_row(a->input_rows, token + t) * a->input_stride;
        sums[t] = lanes_splat(0);
    }
    for (size_t b = 0; b < blocks; b++, block += shape.bytes) {
        for (int sub = 0; sub < shape.subs; sub++) {
            const size_t index = b * (size_t)shape.subs + (size_t)sub;
            block_columns columns;
            block_take(format, a, head, index, block, sub, &columns);
            block_exact_sub(
                format, &columns, inputs, index * COLONY_BLOCK_COLUMNS, a->groups.column_order, sums, tokens);
        }
    }
    float results[BLOCK_TOKENS_MAX * COLONY_LANES];
    UNROLL for (int t = 0; t < tokens; t++) lanes_store(results + t * COLONY_LANES, sums[t]);
    linear_finish(a, panel, token, 1, tokens, results);
}

INLINE void block_linear_exact(
    const int format, const colony_linear_arguments *a, size_t first_panel, size_t panel_count) {
    for (size_t panel = first_panel; panel < first_panel + panel_count; panel++) {
        size_t token = 0;
#if BLOCK_TOKENS_MAX >= 4
        for (; token + 4 <= a->tokens; token += 4) block_exact_tile(format, a, panel, token, 4);
#endif
        for (; token < a->tokens; token++) block_exact_tile(format, a, panel, token, 1);
    }
}

#define BLOCK_LINEAR(name, format)                                                                             \
    KERNEL static void linear_##name(const colony_linear_arguments *a, size_t first, size_t count) {           \
        block_linear(format, a, first, count);                                                                 \
    }                                                                                                          \
    KERNEL static void linear_exact_##name(const colony_linear_arguments *a, size_t first, size_t count) {     \
        block_linear_exact(format, a, first, count);                                                           \
    }

BLOCK_LINEAR(q8_0, COLONY_BLOCK_Q8_0)
BLOCK_LINEAR(q4_0, COLONY_BLOCK_Q4_0)
BLOCK_LINEAR(q4_1, COLONY_BLOCK_Q4_1)
BLOCK_LINEAR(q5_0, COLONY_BLOCK_Q5_0)
BLOCK_LINEAR(q5_1, COLONY_BLOCK_Q5_1)
BLOCK_LINEAR(q2_k, COLONY_BLOCK_Q2_K)
BLOCK_LINEAR(q3_k, COLONY_BLOCK_Q3_K)
BLOCK_LINEAR(q4_k, COLONY_BLOCK_Q4_K)
BLOCK_LINEAR(q5_k, COLONY_BLOCK_Q5_K)
BLOCK_LINEAR(q6_k, COLONY_BLOCK_Q6_K)
BLOCK_LINEAR(iq4_nl, COLONY_BLOCK_IQ4_NL)
BLOCK_LINEAR(iq4_xs, COLONY_BLOCK_IQ4_XS)
BLOCK_LINEAR(mxfp4, COLONY_BLOCK_MXFP4)
BLOCK_LINEAR(int4, COLONY_BLOCK_INT4)
BLOCK_LINEAR(int4_zeros, COLONY_BLOCK_INT4_ZEROS)
BLOCK_LINEAR(int8, COLONY_BLOCK_INT8)
BLOCK_LINEAR(int8_zeros, COLONY_BLOCK_INT8_ZEROS)
