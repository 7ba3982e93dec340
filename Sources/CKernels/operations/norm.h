// Norms of a row.
//
// RMS norm: 16 partial sums of squares, lane l takes the indices k with k % 16 == l in order, joined by the tree;
// scale = 1 / sqrt(sum / width + epsilon); output = (x * scale) * weight. Input may be output.
//
// L2 norm: the same partial sums; inverse = 1 / sqrt(sum + epsilon); output = (x * inverse) * scale, in place.
#pragma STDC FP_CONTRACT OFF

INLINE float norm_square_sum(const float *input, size_t width) {
    lanes squares = lanes_splat(0);
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes x = lanes_load_some(input + i, width - i, 0);
        squares = lanes_fma(x, x, squares);
    }
    return lanes_tree_sum(squares);
}

KERNEL static void rms_norm(const float *input, const float *weight, float epsilon, float *output, size_t width) {
    float mean = norm_square_sum(input, width) / (float)width;
    lanes scale = lanes_splat(1.0f / __builtin_sqrtf(mean + epsilon));
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes x = lanes_load_some(input + i, width - i, 0), w = lanes_load_some(weight + i, width - i, 0);
        lanes_store_some(output + i, lanes_multiply(lanes_multiply(x, scale), w), width - i);
    }
}

KERNEL static void l2_norm(float *row, float scale, float epsilon, size_t width) {
    lanes inverse = lanes_splat(1.0f / __builtin_sqrtf(norm_square_sum(row, width) + epsilon));
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        lanes x = lanes_load_some(row + i, width - i, 0);
        lanes_store_some(row + i, lanes_multiply(lanes_multiply(x, inverse), lanes_splat(scale)), width - i);
    }
}

// Layer norm: mean = sum / width and variance = (sum of squares of x - mean) / width, both sums in 16 lanes as above;
// output = ((x - mean) * (1 / sqrt(variance + epsilon))) * weight + bias, each operation rounded. Input may be output.
KERNEL static void layer_norm(
    const float *input, const float *weight, const float *bias, float epsilon, float *output, size_t width) {
    lanes sums = lanes_splat(0), squares = lanes_splat(0);
    for (size_t i = 0; i < width; i += COLONY_LANES) sums = lanes_add(sums, lanes_load_some(input + i, width - i, 0));
    const float mean = lanes_tree_sum(sums) / (float)width;
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        const lanes x = lanes_subtract(lanes_load_some(input + i, width - i, mean), lanes_splat(mean));
        squares = lanes_fma(x, x, squares);
    }
    const float variance = lanes_tree_sum(squares) / (float)width;
    const lanes scale = lanes_splat(1.0f / __builtin_sqrtf(variance + epsilon));
    for (size_t i = 0; i < width; i += COLONY_LANES) {
        const lanes x = lanes_subtract(lanes_load_some(input + i, width - i, 0), lanes_splat(mean));
        const lanes w = lanes_load_some(weight + i, width - i, 0), b = lanes_load_some(bias + i, width - i, 0);
        lanes_store_some(output + i, lanes_add(lanes_multiply(lanes_multiply(x, scale), w), b), width - i);
    }
}
