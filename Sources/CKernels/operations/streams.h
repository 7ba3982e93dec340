// Hyper-connections (Zhu et al., arXiv 2409.19606), constrained as in DeepSeek-V4: the residual is n streams, which are
// collapsed to one before a block and take its result up after it, each in its own measure.
//
// Weights of a row, from its mixes m = [n to collapse][n to add][n x n to mix], all in order: x = m * scale + base, two
// roundings, with the scale of its part;
//   collapse[i] = 1 / (1 + exp(-x)) + epsilon;  add[i] = 2 * (1 / (1 + exp(-x)))
//   mix[i][j]: for each i the greatest x (from -inf), e = exp(x - greatest), their sum over j from +0,
//   e / sum + epsilon; then columns: / (the sum over i from +0 + epsilon); then for each further round rows, over j,
//   and columns likewise (Sinkhorn and Knopp)
// Collapsed: chain of fma(collapse[i], stream[i], sum) over i from +0.
// Mixed: stream'[j] = fma(add[j], result, chain of fma(mix[i][j], stream[i], sum) over i from +0).
#pragma STDC FP_CONTRACT OFF

/// Divides each of `n` neighbours (`stride` apart) by their sum and epsilon.
INLINE void stream_normalise(float *values, size_t n, size_t stride, float epsilon) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum = sum + values[i * stride];
    sum = sum + epsilon;
    for (size_t i = 0; i < n; i++) values[i * stride] = values[i * stride] / sum;
}

/// exp of `count` numbers, in place.
INLINE void stream_exponentials(float *values, size_t count) {
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes_store_some(values + i, lanes_exponential(lanes_load_some(values + i, count - i, 0)), count - i);
    }
}

INLINE void stream_softmax(float *row, size_t n, float epsilon) {
    float greatest = -__builtin_inff();
    for (size_t j = 0; j < n; j++) greatest = row[j] > greatest ? row[j] : greatest;
    for (size_t j = 0; j < n; j++) row[j] = row[j] - greatest;
    stream_exponentials(row, n);
    float sum = 0;
    for (size_t j = 0; j < n; j++) sum = sum + row[j];
    for (size_t j = 0; j < n; j++) row[j] = row[j] / sum + epsilon;
}

/// `weights` are [n][n][n x n], as the mixes.
KERNEL static void stream_weights(const colony_stream_arguments *arguments, const float *mixes, float *weights) {
    const size_t n = arguments->streams, gates = 2 * n;
    for (size_t i = 0; i < gates + n * n; i++) {
        const float scale = arguments->scales[i < n ? 0 : i < gates ? 1 : 2];
        const float product = mixes[i] * scale;
        weights[i] = product + arguments->base[i];
    }
    for (size_t i = 0; i < gates; i++) weights[i] = -0.0f - weights[i];
    stream_exponentials(weights, gates);
    for (size_t i = 0; i < gates; i++) {
        const float sigmoid = 1 / (1 + weights[i]);
        weights[i] = i < n ? sigmoid + arguments->epsilon : 2 * sigmoid;
    }
    float *mix = weights + gates;
    for (size_t i = 0; i < n; i++) stream_softmax(mix + i * n, n, arguments->epsilon);
    for (size_t round = 0; round < arguments->rounds; round++) {
        if (round > 0) {
            for (size_t i = 0; i < n; i++) stream_normalise(mix + i * n, n, 1, arguments->epsilon);
        }
        for (size_t j = 0; j < n; j++) stream_normalise(mix + j, n, n, arguments->epsilon);
    }
}

/// `streams` are [n][width].
KERNEL static void collapse_streams(
    const float *streams, const float *weights, float *output, size_t stream_count, size_t width) {
    for (size_t d = 0; d < width; d += COLONY_LANES) {
        lanes sum = lanes_splat(0);
        for (size_t i = 0; i < stream_count; i++) {
            sum = lanes_fma(lanes_splat(weights[i]), lanes_load_some(streams + i * width + d, width - d, 0), sum);
        }
        lanes_store_some(output + d, sum, width - d);
    }
}

/// `weights` are those of `stream_weights`, `addend` the block's result; in place.
KERNEL static void mix_streams(
    const float *addend, const float *weights, float *streams, size_t stream_count, size_t width) {
    const float *add = weights + stream_count, *mix = weights + 2 * stream_count;
    for (size_t d = 0; d < width; d += COLONY_LANES) {
        lanes old[COLONY_STREAMS_MAX];
        const lanes result = lanes_load_some(addend + d, width - d, 0);
        for (size_t i = 0; i < stream_count; i++) old[i] = lanes_load_some(streams + i * width + d, width - d, 0);
        for (size_t j = 0; j < stream_count; j++) {
            lanes sum = lanes_splat(0);
            for (size_t i = 0; i < stream_count; i++) {
                sum = lanes_fma(lanes_splat(mix[i * stream_count + j]), old[i], sum);
            }
            sum = lanes_fma(lanes_splat(add[j]), result, sum);
            lanes_store_some(streams + j * width + d, sum, width - d);
        }
    }
}
