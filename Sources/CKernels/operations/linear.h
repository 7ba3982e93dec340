// output[row] = chain of fma(weight[row][k], x[k], accumulator), k = 0, 1, ... K-1, from +0; + bias; * scale of the
// token. One lane per row, so every tile, batch and split over panels gives the same bits.
// Included once per format (FORMAT, WEIGHT_BYTES); the tile comes from the instruction set's `lanes.h`.
#pragma STDC FP_CONTRACT OFF

#define LINEAR_COLUMN_BYTES ((size_t)COLONY_LANES * WEIGHT_BYTES)
#define linear_tile JOIN(linear_tile_, FORMAT)
#define linear_tokens JOIN(linear_tokens_, FORMAT)
#define linear_single JOIN(linear_single_, FORMAT)
#define linear_format JOIN(linear_, FORMAT)
#define lanes_load_weights JOIN(lanes_load_, FORMAT)

/// `panels` x `tokens` accumulators in registers; both are constants where this is inlined.
INLINE void linear_tile(
    const colony_linear_arguments *a, size_t panel, size_t token, const int panels, const int tokens) {
    lanes sums[LINEAR_PANELS_MAX][LINEAR_TOKENS_MAX];
    const unsigned char *weights[LINEAR_PANELS_MAX];
    const float *inputs[LINEAR_TOKENS_MAX];
    UNROLL for (int p = 0; p < panels; p++) {
        weights[p] = (const unsigned char *)a->weights + (panel + p) * a->columns * LINEAR_COLUMN_BYTES;
        UNROLL for (int t = 0; t < tokens; t++) sums[p][t] = lanes_splat(0);
    }
    UNROLL for (int t = 0; t < tokens; t++) {
        inputs[t] = a->input + linear_row(a->input_rows, token + t) * a->input_stride;
    }
    const size_t columns = a->columns;
    for (size_t k = 0; k < columns; k++) {
        lanes column[LINEAR_PANELS_MAX];
        UNROLL for (int p = 0; p < panels; p++) {
            const unsigned char *source = weights[p] + k * LINEAR_COLUMN_BYTES;
            column[p] = lanes_load_weights(source);
            // The second cache level, far enough ahead: the hardware's own prefetcher runs too short.
            if (tokens <= LINEAR_PREFETCH_TOKENS_MAX) __builtin_prefetch(source + 8192, 0, 2);
        }
        UNROLL for (int t = 0; t < tokens; t++) {
            lanes x = lanes_splat(inputs[t][k]);
            UNROLL for (int p = 0; p < panels; p++) sums[p][t] = lanes_fma(column[p], x, sums[p][t]);
        }
    }
    linear_finish_tile(a, panel, token, panels, tokens, sums);
}

/// All tokens through `panels` panels, which stay in the cache meanwhile.
INLINE void linear_tokens(const colony_linear_arguments *a, size_t panel, const int panels) {
    size_t token = 0;
    for (; token + LINEAR_TOKENS_MAX <= a->tokens; token += LINEAR_TOKENS_MAX) {
        linear_tile(a, panel, token, panels, LINEAR_TOKENS_MAX);
    }
    switch (a->tokens - token) {
    case 1: linear_tile(a, panel, token, panels, 1); break;
    case 2: linear_tile(a, panel, token, panels, 2); break;
    case 3: linear_tile(a, panel, token, panels, 3); break;
#if LINEAR_TOKENS_MAX > 4
    case 4: linear_tile(a, panel, token, panels, 4); break;
    case 5: linear_tile(a, panel, token, panels, 5); break;
#endif
#if LINEAR_TOKENS_MAX > 6
    case 6: linear_tile(a, panel, token, panels, 6); break;
    case 7: linear_tile(a, panel, token, panels, 7); break;
#endif
    default: break;
    }
}

KERNEL static void linear_single(const colony_linear_arguments *a, size_t panel, size_t end) {
    for (; panel + LINEAR_PANELS_MAX <= end; panel += LINEAR_PANELS_MAX) linear_tile(a, panel, 0, LINEAR_PANELS_MAX, 1);
    for (; panel < end; panel++) linear_tile(a, panel, 0, 1, 1);
}

KERNEL static void linear_format(const colony_linear_arguments *a, size_t first_panel, size_t panel_count) {
    size_t panel = first_panel;
    const size_t end = first_panel + panel_count;
    if (a->tokens == 1) {
        linear_single(a, panel, end);
        return;
    }
    for (; panel + LINEAR_PANELS_TILE <= end; panel += LINEAR_PANELS_TILE) linear_tokens(a, panel, LINEAR_PANELS_TILE);
#if LINEAR_PANELS_TILE > 1
    for (; panel < end; panel++) linear_tokens(a, panel, 1);
#endif
}

#undef LINEAR_COLUMN_BYTES
#undef linear_tile
#undef linear_tokens
#undef linear_single
#undef linear_format
#undef lanes_load_weights
