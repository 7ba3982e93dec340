// The end of every tile of `linear.h`: bias, scale, and the rows that exist. Out of line, so that there is one copy.
#pragma STDC FP_CONTRACT OFF

/// The row of a token, by a list or without one.
INLINE size_t linear_row(const intptr_t *rows, size_t token) { return rows ? (size_t)rows[token] : token; }

INLINE float *linear_output(const colony_linear_arguments *a, size_t token) {
    return a->output + linear_row(a->output_rows, token) * a->output_stride;
}

/// Asks for the lines that `linear_finish` will write: rows of many tokens lie pages apart, and a store to each would
/// wait for memory.
INLINE void linear_expect(const colony_linear_arguments *a, size_t panel, size_t token, size_t tokens) {
    for (size_t t = token; t < token + tokens; t++) {
        __builtin_prefetch(linear_output(a, t) + panel * COLONY_LANES, 1, 2);
    }
}

/// `results` are the sums, [token][panel][16].
KERNEL __attribute__((noinline)) static void linear_finish(
    const colony_linear_arguments *a, size_t panel, size_t token, int panels, int tokens, const float *results) {
    for (int t = 0; t < tokens; t++) {
        const size_t index = token + t;
        float *output = linear_output(a, index);
        for (int p = 0; p < panels; p++) {
            const size_t row = (panel + p) * COLONY_LANES;
            lanes sum = lanes_load(results + (t * panels + p) * COLONY_LANES);
            if (a->bias) sum = lanes_add(sum, lanes_load_some(a->bias + row, a->rows - row, 0));
            if (a->scales) sum = lanes_multiply(sum, lanes_splat(a->scales[index]));
            lanes_store_some(output + row, sum, a->rows - row);
        }
    }
}

/// The end of a tile of `panels` x `tokens` sums; both are constants where this is inlined.
INLINE void linear_finish_tile(
    const colony_linear_arguments *a, size_t panel, size_t token, const int panels, const int tokens,
    lanes (*sums)[LINEAR_TOKENS_MAX]) {
    float results[LINEAR_TOKENS_MAX * LINEAR_PANELS_MAX * COLONY_LANES];
    UNROLL for (int t = 0; t < tokens; t++) {
        UNROLL for (int p = 0; p < panels; p++) {
            lanes_store(results + (t * panels + p) * COLONY_LANES, sums[p][t]);
        }
    }
    linear_finish(a, panel, token, panels, tokens, results);
}
