// output[row] = chain over groups of fma(sum of the group, scale * 2^8, accumulator), from +0; then as `linear.h` ends.
// The sum of a group: chain of fma(code's value * 2^-8, x[k], accumulator), from +0. One lane per row, so every tile,
// batch and split over panels gives the same bits.
//
// Codes of value / 2^8 come from half precision, whose subnormal numbers are none in f32: a subnormal factor of an fma
// would cost a hundred times the time. Scales of 2^120 and more count as infinite. There are no codes of NaNs: they are
// refused when a model is loaded.
#pragma STDC FP_CONTRACT OFF

#define E4M3_SCALE 256.0f
/// Columns that are decoded together; even.
#define E4M3_COLUMNS 4

#ifndef HAS_E4M3_PAIR
INLINE void lanes_load_e4m3_pair(const void *source, lanes *columns) {
    columns[0] = lanes_load_e4m3(source);
    columns[1] = lanes_load_e4m3((const unsigned char *)source + COLONY_LANES);
}
#endif

/// Adds `columns` columns, a constant where this is inlined, from column `k` on to the sums of a group.
INLINE void e4m3_columns(
    const unsigned char *const *codes, const float *const *inputs, size_t k, const int columns, const int panels,
    const int tokens, lanes (*group)[LINEAR_TOKENS_MAX]) {
    lanes weights[LINEAR_PANELS_MAX][E4M3_COLUMNS];
    UNROLL for (int p = 0; p < panels; p++) {
        const unsigned char *source = codes[p] + k * COLONY_LANES;
        if (columns == 1) weights[p][0] = lanes_load_e4m3(source);
        UNROLL for (int c = 0; c + 1 < columns; c += 2) {
            lanes_load_e4m3_pair(source + c * COLONY_LANES, weights[p] + c);
        }
        if (tokens <= LINEAR_PREFETCH_TOKENS_MAX) __builtin_prefetch(source + 4096, 0, 2);
    }
    UNROLL for (int t = 0; t < tokens; t++) {
        UNROLL for (int c = 0; c < columns; c++) {
            const lanes x = lanes_splat(inputs[t][k + (size_t)c]);
            UNROLL for (int p = 0; p < panels; p++) group[p][t] = lanes_fma(weights[p][c], x, group[p][t]);
        }
    }
}

/// `panels` x `tokens` accumulators in registers; both are constants where this is inlined.
INLINE void e4m3_tile(
    const colony_linear_arguments *a, size_t panel, size_t token, const int panels, const int tokens) {
    const colony_group_layout *layout = &a->groups;
    lanes sums[LINEAR_PANELS_MAX][LINEAR_TOKENS_MAX];
    const unsigned char *heads[LINEAR_PANELS_MAX], *codes[LINEAR_PANELS_MAX];
    const float *inputs[LINEAR_TOKENS_MAX];
    UNROLL for (int p = 0; p < panels; p++) {
        heads[p] = (const unsigned char *)a->weights + (panel + p) * layout->panel_bytes;
        codes[p] = heads[p] + layout->codes_offset;
        UNROLL for (int t = 0; t < tokens; t++) sums[p][t] = lanes_splat(0);
    }
    UNROLL for (int t = 0; t < tokens; t++) {
        inputs[t] = a->input + linear_row(a->input_rows, token + t) * a->input_stride;
    }
    const size_t columns = a->columns, span = layout->group_columns;
    for (size_t first = 0, index = 0; first < columns; first += span, index++) {
        lanes group[LINEAR_PANELS_MAX][LINEAR_TOKENS_MAX];
        UNROLL for (int p = 0; p < panels; p++) {
            UNROLL for (int t = 0; t < tokens; t++) group[p][t] = lanes_splat(0);
        }
        const size_t end = columns - first < span ? columns : first + span;
        size_t k = first;
        for (; k + E4M3_COLUMNS <= end; k += E4M3_COLUMNS) {
            e4m3_columns(codes, inputs, k, E4M3_COLUMNS, panels, tokens, group);
        }
        for (; k < end; k++) e4m3_columns(codes, inputs, k, 1, panels, tokens, group);
        UNROLL for (int p = 0; p < panels; p++) {
            const lanes factor = lanes_multiply(group_scale(layout, heads[p], index), lanes_splat(E4M3_SCALE));
            UNROLL for (int t = 0; t < tokens; t++) sums[p][t] = lanes_fma(group[p][t], factor, sums[p][t]);
        }
    }
    linear_finish_tile(a, panel, token, panels, tokens, sums);
}

/// All tokens through `panels` panels, which stay in the cache meanwhile.
INLINE void e4m3_tokens(const colony_linear_arguments *a, size_t panel, const int panels) {
    size_t token = 0;
    for (; token + LINEAR_TOKENS_MAX <= a->tokens; token += LINEAR_TOKENS_MAX) {
        e4m3_tile(a, panel, token, panels, LINEAR_TOKENS_MAX);
    }
    // What is left is less than a tile: at most one of 4, then two or fewer.
#if LINEAR_TOKENS_MAX > 4
    if (token + 4 <= a->tokens) e4m3_tile(a, panel, token, panels, 4), token += 4;
#endif
    if (token + 2 <= a->tokens) e4m3_tile(a, panel, token, panels, 2), token += 2;
    for (; token < a->tokens; token++) e4m3_tile(a, panel, token, panels, 1);
}

KERNEL static void linear_e4m3(const colony_linear_arguments *a, size_t first_panel, size_t panel_count) {
    size_t panel = first_panel;
    const size_t end = first_panel + panel_count;
    if (a->tokens == 1) {
        for (; panel + LINEAR_PANELS_MAX <= end; panel += LINEAR_PANELS_MAX) {
            e4m3_tile(a, panel, 0, LINEAR_PANELS_MAX, 1);
        }
    }
#if LINEAR_PANELS_TILE > 1
    for (; panel + LINEAR_PANELS_TILE <= end; panel += LINEAR_PANELS_TILE) e4m3_tokens(a, panel, LINEAR_PANELS_TILE);
#endif
    for (; panel < end; panel++) e4m3_tokens(a, panel, 1);
}
