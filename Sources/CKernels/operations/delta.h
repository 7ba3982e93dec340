// The gated delta rule (Yang et al., arXiv 2412.06464) of one head over the rows of one sequence, token by token.
//
// A state S[k][v] remembers which value belongs to which key. Each row, with key k, query q, value v, decay α, β:
//   recalled[v] = chain of fma(k[i], S[i][v], recalled[v]) over i ascending, from +0
//   correction[v] = (v[v] - α * recalled[v]) * β
//   S[i][v] = fma(k[i], correction[v], α * S[i][v])
//   output[v] = chain of fma(q[i], S[i][v], output[v]) over i ascending, from +0
// A dimension of the values never meets another, so they are the lanes, and 16 of them lie together:
// S as [v / 16][i][16]. One pass over that for each row: while a row's S is written, the next row's `recalled` is
// summed, which is the same chain. All rows go over one part of the state before the next part, and it stays in the
// first-level cache. Chunked forms of the rule (as published for training) would make bits depend on the chunks.
//
// The gates of a row: softplus(x) = max(x, 0) + log(1 + e), e = exp(-|x|), x = a + bias;
//   s = e / (2 + e); z = s * s; p = 1/15; p = fma(p, z, 1/13), … 1/3, 1; log(1 + e) = (s * p) * 2
//   α = exp(-(rate * softplus(x)));  β = 1 / (1 + exp(-b))
#pragma STDC FP_CONTRACT OFF

INLINE lanes lanes_softplus(lanes x) {
    lanes minus = lanes_subtract(lanes_splat(-0.0f), x);
    lanes e = lanes_exponential(lanes_subtract(lanes_splat(-0.0f), lanes_greater(x, minus)));
    lanes s = lanes_divide(e, lanes_add(lanes_splat(2.0f), e));
    lanes z = lanes_multiply(s, s);
    lanes p = lanes_splat(1.0f / 15);
    p = lanes_fma(p, z, lanes_splat(1.0f / 13));
    p = lanes_fma(p, z, lanes_splat(1.0f / 11));
    p = lanes_fma(p, z, lanes_splat(1.0f / 9));
    p = lanes_fma(p, z, lanes_splat(1.0f / 7));
    p = lanes_fma(p, z, lanes_splat(1.0f / 5));
    p = lanes_fma(p, z, lanes_splat(1.0f / 3));
    p = lanes_fma(p, z, lanes_splat(1.0f));
    lanes logarithm = lanes_multiply(lanes_multiply(s, p), lanes_splat(2.0f));
    return lanes_add(lanes_at_least(x, 0), logarithm);
}

/// One row: `decay` and `beta` come as a and b, one of each per head.
KERNEL static void delta_gates(const float *rates, const float *bias, float *decay, float *beta, size_t count) {
    const lanes one = lanes_splat(1.0f);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes x = lanes_add(lanes_load_some(decay + i, count - i, 0), lanes_load_some(bias + i, count - i, 0));
        lanes g = lanes_multiply(lanes_load_some(rates + i, count - i, 0), lanes_softplus(x));
        lanes_store_some(decay + i, lanes_exponential(lanes_subtract(lanes_splat(-0.0f), g)), count - i);
        lanes_store_some(beta + i, lanes_gated(one, lanes_load_some(beta + i, count - i, 0)), count - i);
    }
}

/// One row of `parts` times 16 dimensions of the values. `recalled` is this row's and becomes that of `next_key`.
INLINE void delta_row(
    const colony_delta_arguments *a, size_t row, float *state, size_t dim, lanes *recalled, const int parts) {
    const float *key = a->key + row * a->input_stride, *query = a->query + row * a->input_stride;
    // What is recalled after the last row is not used.
    const float *next_key = row + 1 < a->rows ? key + a->input_stride : key;
    const float *value = a->value + row * a->input_stride + dim;
    float *output = a->output + row * a->output_stride + dim;
    const lanes decay = lanes_splat(a->decay[row * a->gate_stride]), beta = lanes_splat(a->beta[row * a->gate_stride]);
    const size_t slab = a->key_dim * COLONY_LANES;
    lanes corrections[DELTA_PARTS], outputs[DELTA_PARTS];
    UNROLL for (int p = 0; p < parts; p++) {
        const size_t done = p * COLONY_LANES;
        lanes v = lanes_load_some(value + done, a->value_dim - dim - done, 0);
        corrections[p] = lanes_multiply(lanes_subtract(v, lanes_multiply(decay, recalled[p])), beta);
        outputs[p] = recalled[p] = lanes_splat(0);
    }
    for (size_t i = 0; i < a->key_dim; i++) {
        const lanes k = lanes_splat(key[i]), q = lanes_splat(query[i]), next = lanes_splat(next_key[i]);
        UNROLL for (int p = 0; p < parts; p++) {
            float *place = state + p * slab + i * COLONY_LANES;
            const lanes s = lanes_fma(k, corrections[p], lanes_multiply(decay, lanes_load(place)));
            lanes_store(place, s);
            outputs[p] = lanes_fma(q, s, outputs[p]);
            recalled[p] = lanes_fma(next, s, recalled[p]);
        }
    }
    UNROLL for (int p = 0; p < parts; p++) {
        lanes_store_some(output + p * COLONY_LANES, outputs[p], a->value_dim - dim - p * COLONY_LANES);
    }
}

/// All rows of `parts` times 16 dimensions of the values; a constant where this is inlined.
INLINE void delta_tile(const colony_delta_arguments *a, size_t group, const int parts) {
    const size_t slab = a->key_dim * COLONY_LANES;
    float *state = a->state + group * slab;
    lanes recalled[DELTA_PARTS];
    UNROLL for (int p = 0; p < parts; p++) recalled[p] = lanes_splat(0);
    for (size_t i = 0; i < a->key_dim; i++) {
        const lanes k = lanes_splat(a->key[i]);
        UNROLL for (int p = 0; p < parts; p++) {
            recalled[p] = lanes_fma(k, lanes_load(state + p * slab + i * COLONY_LANES), recalled[p]);
        }
    }
    for (size_t row = 0; row < a->rows; row++) delta_row(a, row, state, group * COLONY_LANES, recalled, parts);
}

/// Groups [first, first + count) of 16 dimensions of the values.
KERNEL static void delta_rule(const colony_delta_arguments *a, size_t first, size_t count) {
    const size_t end = first + count;
    size_t group = first;
    for (; group + DELTA_PARTS <= end; group += DELTA_PARTS) delta_tile(a, group, DELTA_PARTS);
    for (; group < end; group++) delta_tile(a, group, 1);
}
