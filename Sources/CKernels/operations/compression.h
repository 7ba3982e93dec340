// Compressed keys (DeepSeek-V4): the keys of a window of positions become one entry, each dimension a mean whose
// weights are a softmax over the window's positions of gates that come with the keys.
//
// A position p brings, per dimension, a key k and a gate z; g = z + bias[p % positions]. The mean is summed as
// positions come: three numbers are kept of a dimension, and no bit depends on how a sequence is cut into steps:
//   m' = g > m ? g : m;  a = exp(m - m');  b = exp(g - m');  sum' = fma(sum, a, b);  total' = fma(total, a, b * k)
// from m = -inf and sum = total = +0. With the window's last position the entry is total / sum.
//
// Where windows overlap, an entry stands for two windows, and a position brings two keys and two gates: the first for
// the entry of the next window, the second for that of its own. An entry begins with the numbers that the window before
// it left, if there was one.
#pragma STDC FP_CONTRACT OFF

/// Adds one position to 16 dimensions; `state` are those of the greatest gates, the others lie `dims` further on each.
INLINE void compress_lanes(
    const float *key, const float *gate, const float *bias, float *state, size_t dims, size_t count) {
    const lanes g = lanes_add(lanes_load_some(gate, count, 0), lanes_load_some(bias, count, 0));
    const lanes old = lanes_load_some(state, count, 0), greatest = lanes_greater(g, old);
    const lanes kept = lanes_exponential(lanes_subtract(old, greatest));
    const lanes weight = lanes_exponential(lanes_subtract(g, greatest));
    const lanes value = lanes_multiply(weight, lanes_load_some(key, count, 0));
    lanes_store_some(state, greatest, count);
    lanes_store_some(state + dims, lanes_fma(lanes_load_some(state + dims, count, 0), kept, weight), count);
    lanes_store_some(state + 2 * dims, lanes_fma(lanes_load_some(state + 2 * dims, count, 0), kept, value), count);
}

/// Begins the entry of a window: with what the window before left, where `follows`.
INLINE void compress_begin(const colony_compression_arguments *a, size_t d, size_t count, int follows) {
    const size_t dims = a->dims;
    float *own = a->state + d, *next = own + 3 * dims;
    for (size_t i = 0; i < 3; i++) {
        const lanes empty = lanes_splat(i == 0 ? -__builtin_inff() : 0);
        lanes_store_some(own + i * dims, follows ? lanes_load_some(next + i * dims, count, 0) : empty, count);
        if (a->overlaps) lanes_store_some(next + i * dims, empty, count);
    }
}

/// Dimensions [first, first + count) of an entry.
KERNEL static void compress(const colony_compression_arguments *a, size_t first, size_t count) {
    const size_t dims = a->dims, width = a->overlaps ? 2 * dims : dims, end = first + count;
    const size_t own = width - dims;
    float *entry = a->entries;
    for (size_t row = 0; row < a->rows; row++) {
        const size_t position = a->position + row, slot = position % a->positions;
        const float *key = a->keys + row * width, *gate = a->gates + row * width, *bias = a->bias + slot * width;
        for (size_t d = first; d < end; d += COLONY_LANES) {
            if (slot == 0) compress_begin(a, d, end - d, a->overlaps && position > 0);
            compress_lanes(key + own + d, gate + own + d, bias + own + d, a->state + d, dims, end - d);
            if (a->overlaps) compress_lanes(key + d, gate + d, bias + d, a->state + 3 * dims + d, dims, end - d);
            if (slot + 1 < a->positions) continue;
            const float *sum = a->state + dims + d;
            const lanes total = lanes_load_some(sum + dims, end - d, 0);
            lanes_store_some(entry + d, lanes_divide(total, lanes_load_some(sum, end - d, 1)), end - d);
        }
        if (slot + 1 == a->positions) entry += dims;
    }
}
