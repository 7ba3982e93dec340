// The chain of `linear.h` over weights of 8-bit floats (e4m3) in groups: weight = e4m3(code) * scale, rounded once. One
// lane per row, so every tile, batch and split over panels gives the same bits.
//
// What is multiplied is (value * 2^-8) * (scale * 2^8), which is the same number for scales below 2^120; those beyond
// count as infinite. Codes of value / 2^8 come from half precision, whose subnormal numbers are none in f32: a
// subnormal factor of an fma would cost a hundred times the time.
#pragma STDC FP_CONTRACT OFF

#define E4M3_SCALE 256.0f

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
    for (size_t first = 0, group = 0; first < columns; first += span, group++) {
        lanes factors[LINEAR_PANELS_MAX];
        UNROLL for (int p = 0; p < panels; p++) {
            factors[p] = lanes_multiply(group_scale(layout, heads[p], group), lanes_splat(E4M3_SCALE));
        }
        const size_t end = columns - first < span ? columns : first + span;
        for (size_t k = first; k < end; k++) {
            lanes column[LINEAR_PANELS_MAX];
            UNROLL for (int p = 0; p < panels; p++) {
                const unsigned char *source = codes[p] + k * COLONY_LANES;
                column[p] = lanes_multiply(lanes_load_e4m3(source), factors[p]);
                if (tokens <= LINEAR_PREFETCH_TOKENS_MAX) __builtin_prefetch(source + 4096, 0, 2);
            }
            UNROLL for (int t = 0; t < tokens; t++) {
                const lanes x = lanes_splat(inputs[t][k]);
                UNROLL for (int p = 0; p < panels; p++) sums[p][t] = lanes_fma(column[p], x, sums[p][t]);
            }
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
