// The router of a mixture: scores of a row of logits, then the experts that they choose. Nothing is sorted: a list of
// the best so far is kept in order, and nearly every candidate is turned away by its last entry.
//
// Canonical order, softmax: e = exp(x - max), summed in 16 lanes (lane l takes k % 16 == l in order) and the tree;
// score = e / sum. Sigmoid: score = 1 / (1 + exp(-x)). Root of softplus: score = sqrt(log(1 + exp(x))), the logarithm
// as in delta.h.
// Choice: by score + bias (the score itself without one), the largest first, ties to the lower index; a NaN ranks as
// -inf. With groups (of neighbours, all of one size) a group counts as the sum of its best two choices, best + second,
// a NaN as -inf; only experts of the best groups are chosen, ties to the lower group.
// Weights: the chosen scores without bias; normalising divides each by (their sum in order of rank from +0) + epsilon;
// then each is multiplied by the scale.
#pragma STDC FP_CONTRACT OFF

INLINE float router_greatest(const float *logits, size_t count) {
    lanes greatest = lanes_splat(-__builtin_inff());
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        greatest = lanes_greater(lanes_load_some(logits + i, count - i, -__builtin_inff()), greatest);
    }
    return lanes_greatest_of(greatest);
}

KERNEL static void router_softmax(float *row, size_t count) {
    lanes greatest = lanes_splat(router_greatest(row, count));
    lanes sums = lanes_splat(0);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes x = lanes_subtract(lanes_load_some(row + i, count - i, -__builtin_inff()), greatest);
        lanes e = lanes_exponential(x);
        sums = lanes_add(sums, e);
        lanes_store_some(row + i, e, count - i);
    }
    lanes sum = lanes_splat(lanes_tree_sum(sums));
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes_store_some(row + i, lanes_divide(lanes_load_some(row + i, count - i, 0), sum), count - i);
    }
}

KERNEL static void router_sigmoid(float *row, size_t count) {
    lanes one = lanes_splat(1.0f);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes e = lanes_exponential(lanes_subtract(lanes_splat(-0.0f), lanes_load_some(row + i, count - i, 0)));
        lanes_store_some(row + i, lanes_divide(one, lanes_add(one, e)), count - i);
    }
}

KERNEL static void router_sqrt_softplus(float *row, size_t count) {
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes_store_some(row + i, lanes_root(lanes_softplus(lanes_load_some(row + i, count - i, 0))), count - i);
    }
}

INLINE float router_key(float choice) { return choice == choice ? choice : -__builtin_inff(); }

/// Keeps the list in order: walks up from the end past every smaller entry. `filled` entries are valid.
INLINE size_t router_insert(int32_t *items, float *keys, size_t filled, size_t top_k, int32_t item, float key) {
    size_t slot = filled;
    while (slot > 0 && key > keys[slot - 1]) {
        if (slot < top_k) {
            keys[slot] = keys[slot - 1];
            items[slot] = items[slot - 1];
        }
        slot--;
    }
    if (slot < top_k) {
        keys[slot] = key;
        items[slot] = item;
    }
    return filled < top_k ? filled + 1 : filled;
}

INLINE float router_choice(const colony_router_arguments *arguments, const float *scores, size_t expert) {
    return arguments->bias ? scores[expert] + arguments->bias[expert] : scores[expert];
}

/// The best two choices of a group of at least two experts, added.
INLINE float router_group_key(
    const colony_router_arguments *arguments, const float *scores, size_t first, size_t size) {
    float best = -__builtin_inff(), second = -__builtin_inff();
    for (size_t i = first; i < first + size; i++) {
        float key = router_key(router_choice(arguments, scores, i));
        if (key > best) {
            second = best;
            best = key;
        } else if (key > second) {
            second = key;
        }
    }
    return router_key(best + second);
}

/// Marks the groups whose experts may be chosen.
KERNEL static void router_mark_groups(
    const colony_router_arguments *arguments, const float *scores, uint8_t *is_chosen) {
    int32_t groups[COLONY_ROUTER_GROUPS_MAX];
    float keys[COLONY_ROUTER_GROUPS_MAX];
    const size_t size = arguments->count / arguments->groups;
    size_t filled = 0;
    for (size_t group = 0; group < arguments->groups; group++) {
        float key = router_group_key(arguments, scores, group * size, size);
        filled = router_insert(groups, keys, filled, arguments->chosen_groups, (int32_t)group, key);
    }
    for (size_t i = 0; i < filled; i++) is_chosen[groups[i]] = 1;
}

/// The weights of experts that were chosen, by their scores or in another way.
KERNEL static void router_weigh(
    const colony_router_arguments *arguments, const float *scores, const int32_t *experts, float *weights) {
    float sum = 0;
    for (size_t i = 0; i < arguments->top_k; i++) {
        weights[i] = scores[experts[i]];
        sum = sum + weights[i];
    }
    sum = sum + arguments->epsilon;
    for (size_t i = 0; i < arguments->top_k; i++) {
        if (arguments->normalise) weights[i] = weights[i] / sum;
        weights[i] = weights[i] * arguments->scale;
    }
}

/// `weights` first holds the keys of the list, then the weights of the experts.
KERNEL static void router_choose(
    const colony_router_arguments *arguments, const float *scores, int32_t *experts, float *weights) {
    const size_t size = arguments->count / arguments->groups;
    uint8_t is_chosen[COLONY_ROUTER_GROUPS_MAX] = {0};
    if (arguments->groups > 1) router_mark_groups(arguments, scores, is_chosen);
    size_t filled = 0;
    for (size_t first = 0, group = 0; first < arguments->count; first += size, group++) {
        if (arguments->groups > 1 && !is_chosen[group]) continue;
        for (size_t i = first; i < first + size; i++) {
            float key = router_key(router_choice(arguments, scores, i));
            filled = router_insert(experts, weights, filled, arguments->top_k, (int32_t)i, key);
        }
    }
    router_weigh(arguments, scores, experts, weights);
}
