// Router: softmax of a row, then its `top_k` largest probabilities in descending order, ties to the lower index; a NaN
// ranks below every number. e = exp(x - max), summed in 16 lanes (lane l takes k % 16 == l in order) and the tree;
// probability = e / sum. Normalising divides by the sum of the chosen, added in rank order from +0.
#pragma STDC FP_CONTRACT OFF

INLINE float softmax_greatest(const float *logits, size_t count) {
    lanes greatest = lanes_splat(-__builtin_inff());
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        greatest = lanes_greater(lanes_load_some(logits + i, count - i, -__builtin_inff()), greatest);
    }
    return lanes_greatest_of(greatest);
}

/// Keeps the list in order: walks up from the end past every smaller entry. `filled` entries are valid.
INLINE size_t softmax_insert(
    int32_t *experts, float *weights, size_t filled, size_t top_k, int32_t expert, float probability) {
    float key = probability == probability ? probability : -1.0f;
    size_t slot = filled;
    while (slot > 0) {
        float other = weights[slot - 1] == weights[slot - 1] ? weights[slot - 1] : -1.0f;
        if (!(key > other)) break;
        if (slot < top_k) {
            weights[slot] = weights[slot - 1];
            experts[slot] = experts[slot - 1];
        }
        slot--;
    }
    if (slot < top_k) {
        weights[slot] = probability;
        experts[slot] = expert;
    }
    return filled < top_k ? filled + 1 : filled;
}

KERNEL static void softmax_top_k(
    const float *logits, size_t count, size_t top_k, int normalise, int32_t *experts, float *weights) {
    const float nothing = -__builtin_inff();
    lanes greatest = lanes_splat(softmax_greatest(logits, count));
    lanes sums = lanes_splat(0);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes x = lanes_subtract(lanes_load_some(logits + i, count - i, nothing), greatest);
        sums = lanes_add(sums, lanes_exponential(x));
    }
    lanes sum = lanes_splat(lanes_tree_sum(sums));
    size_t filled = 0;
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        // The exponentials are computed again rather than kept: a row has a few hundred, and no buffer is needed.
        lanes x = lanes_subtract(lanes_load_some(logits + i, count - i, nothing), greatest);
        float probabilities[COLONY_LANES];
        lanes_store(probabilities, lanes_divide(lanes_exponential(x), sum));
        for (size_t j = 0; j < COLONY_LANES && i + j < count; j++) {
            filled = softmax_insert(experts, weights, filled, top_k, (int32_t)(i + j), probabilities[j]);
        }
    }
    if (!normalise) return;
    float chosen = 0;
    for (size_t i = 0; i < top_k; i++) chosen = chosen + weights[i];
    for (size_t i = 0; i < top_k; i++) weights[i] = weights[i] / chosen;
}
