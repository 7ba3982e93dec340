// Operations without any sum: each output depends on its own inputs only.
#pragma STDC FP_CONTRACT OFF

/// x / (1 + exp(-gate)): `gate` again for SiLU, 1 for the sigmoid.
INLINE lanes lanes_gated(lanes x, lanes gate) {
    lanes e = lanes_exponential(lanes_subtract(lanes_splat(-0.0f), gate));
    return lanes_divide(x, lanes_add(lanes_splat(1.0f), e));
}

/// g = gate, at most limit; u = up, at most limit, then at least -limit (a NaN stays);
/// output = (g / (1 + exp(-(g * slope)))) * (u + offset).
/// Plain SiLU has no limit (infinity), slope 1 and offset -0, all of which change no bit.
KERNEL static void gated_activation(
    const colony_gated_activation *activation, const float *gate, const float *up, float *output, size_t count) {
    const float limit = activation->limit;
    const lanes slope = lanes_splat(activation->slope), offset = lanes_splat(activation->offset);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes g = lanes_at_most(lanes_load_some(gate + i, count - i, 0), limit);
        lanes u = lanes_at_least(lanes_at_most(lanes_load_some(up + i, count - i, 0), limit), -limit);
        lanes activated = lanes_gated(g, lanes_multiply(g, slope));
        lanes_store_some(output + i, lanes_multiply(activated, lanes_add(u, offset)), count - i);
    }
}

/// values = values / (1 + exp(-gate))
KERNEL static void sigmoid_multiply(const float *gate, float *values, size_t count) {
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes g = lanes_load_some(gate + i, count - i, 0);
        lanes_store_some(values + i, lanes_gated(lanes_load_some(values + i, count - i, 0), g), count - i);
    }
}

/// One head, first half x1, second half x2: x1' = fma(x1, cos, -(x2 * sin)), x2' = fma(x2, cos, x1 * sin).
KERNEL static void rotate(float *head, const float *cosine, const float *sine, size_t half) {
    for (size_t i = 0; i < half; i += COLONY_LANES) {
        lanes c = lanes_load_some(cosine + i, half - i, 0), s = lanes_load_some(sine + i, half - i, 0);
        lanes x1 = lanes_load_some(head + i, half - i, 0), x2 = lanes_load_some(head + half + i, half - i, 0);
        lanes minus = lanes_subtract(lanes_splat(-0.0f), lanes_multiply(x2, s));
        lanes_store_some(head + i, lanes_fma(x1, c, minus), half - i);
        lanes_store_some(head + half + i, lanes_fma(x2, c, lanes_multiply(x1, s)), half - i);
    }
}

/// The same for a head whose pairs are neighbours: x1 = source[2i], x2 = source[2i + 1], and so in `target`, which may
/// be the source.
KERNEL static void rotate_interleaved(
    const float *source, float *target, const float *cosine, const float *sine, size_t half) {
    float first[COLONY_LANES] = {0}, second[COLONY_LANES] = {0};
    for (size_t i = 0; i < half; i += COLONY_LANES) {
        const size_t count = half - i < COLONY_LANES ? half - i : COLONY_LANES;
        for (size_t j = 0; j < count; j++) {
            first[j] = source[2 * (i + j)];
            second[j] = source[2 * (i + j) + 1];
        }
        const lanes c = lanes_load_some(cosine + i, count, 0), s = lanes_load_some(sine + i, count, 0);
        const lanes x1 = lanes_load(first), x2 = lanes_load(second);
        const lanes minus = lanes_subtract(lanes_splat(-0.0f), lanes_multiply(x2, s));
        lanes_store(first, lanes_fma(x1, c, minus));
        lanes_store(second, lanes_fma(x2, c, lanes_multiply(x1, s)));
        for (size_t j = 0; j < count; j++) {
            target[2 * (i + j)] = first[j];
            target[2 * (i + j) + 1] = second[j];
        }
    }
}
