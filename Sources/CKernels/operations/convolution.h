// Causal convolution of each channel by itself over the rows of one sequence, then SiLU.
//
// With x[0], x[1], … the rows of the state and then those of the step, row t of the output is
//   sum = chain of fma(weight[j], x[t + j], sum) over j ascending, from +0;  output = sum / (1 + exp(-sum))
// The state is the last `taps - 1` rows of input, f32, so no bit depends on how a sequence is cut into steps.
#pragma STDC FP_CONTRACT OFF

/// Row `index` of state and input together.
INLINE const float *convolution_row(const colony_convolution_arguments *a, size_t index) {
    const size_t kept = a->taps - 1;
    return index < kept ? a->state + index * a->channels : a->input + (index - kept) * a->channels;
}

/// Channels [first, first + count).
KERNEL static void causal_convolution(const colony_convolution_arguments *a, size_t first, size_t count) {
    const size_t end = first + count;
    for (size_t row = 0; row < a->rows; row++) {
        float *output = a->output + row * a->channels;
        for (size_t i = first; i < end; i += COLONY_LANES) {
            lanes sum = lanes_splat(0);
            for (size_t tap = 0; tap < a->taps; tap++) {
                lanes weight = lanes_load_some(a->weights + tap * a->channels + i, end - i, 0);
                sum = lanes_fma(weight, lanes_load_some(convolution_row(a, row + tap) + i, end - i, 0), sum);
            }
            lanes_store_some(output + i, lanes_gated(sum, sum), end - i);
        }
    }
    // Ascending: a row of the state moves to an earlier place, if it stays at all.
    for (size_t kept = 0; kept + 1 < a->taps; kept++) {
        const float *source = convolution_row(a, a->rows + kept);
        float *target = a->state + kept * a->channels;
        for (size_t i = first; i < end; i += COLONY_LANES) {
            lanes_store_some(target + i, lanes_load_some(source + i, end - i, 0), end - i);
        }
    }
}
