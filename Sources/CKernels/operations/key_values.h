// How keys and values are stored, see `colony_key_value_layout`.
//
// f32 as they are. f16 to the nearest, ties to even; beyond +-65504 that value, infinities too. 8-bit integers with one
// scale per position and head, of the key and of the value: scale = max |x| / 127; code = x * (127 / max |x|), to the
// nearest, ties to even; all zeros where the largest magnitude is below 2^-100; the scale is NaN where an infinity or
// a NaN is among them, whatever the codes (as in quantise.h).
#pragma STDC FP_CONTRACT OFF

#define F16_GREATEST 65504.0f

INLINE size_t key_value_bytes(const int format) {
    return format == COLONY_KEY_VALUE_F32 ? 4 : format == COLONY_KEY_VALUE_F16 ? 2 : 1;
}

/// 16 stored numbers as they are: codes without their scale.
INLINE lanes key_value_load(const int format, const void *source) {
    if (format == COLONY_KEY_VALUE_F32) return lanes_load_f32(source);
    if (format == COLONY_KEY_VALUE_F16) return lanes_load_f16(source);
    return lanes_load_int8(source);
}

/// The first `count` of them, the others 0.
INLINE lanes key_value_load_some(const int format, const void *source, size_t count) {
    unsigned char stored[COLONY_LANES * sizeof(float)] = {0};
    const size_t bytes = count * key_value_bytes(format);
    for (size_t i = 0; i < bytes; i++) stored[i] = ((const unsigned char *)source)[i];
    return key_value_load(format, stored);
}

INLINE const unsigned char *key_value_keys(
    const int format, const colony_key_value_layout *l, const void *block, size_t head) {
    return (const unsigned char *)block + head * l->positions * l->key_dim * key_value_bytes(format);
}

INLINE const unsigned char *key_value_values(
    const int format, const colony_key_value_layout *l, const void *block, size_t head) {
    const size_t before = (l->kv_heads * l->key_dim + head * l->value_dim) * l->positions;
    return (const unsigned char *)block + before * key_value_bytes(format);
}

/// Scales of the keys of one head; `of_values`: of its values.
INLINE const float *key_value_scales(const colony_key_value_layout *l, const void *block, size_t head, int of_values) {
    const size_t value_dim = l->values_in_keys ? 0 : l->value_dim;
    const unsigned char *scales = (const unsigned char *)block + l->kv_heads * l->positions * (l->key_dim + value_dim);
    const size_t before = of_values && !l->values_in_keys ? l->kv_heads : 0;
    return (const float *)(const void *)scales + (before + head) * l->positions;
}

/// The scale of a row of 8-bit integers; sets by what its numbers are multiplied.
INLINE float key_value_row_scale(const float *row, size_t count, float *inverse) {
    const lanes none = lanes_splat(-0.0f), zero = lanes_splat(0);
    lanes greatest = zero, defects = zero;
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        const lanes x = lanes_load_some(row + i, count - i, 0);
        greatest = lanes_greater(lanes_greater(x, lanes_subtract(none, x)), greatest);
        defects = lanes_fma(x, zero, defects);
    }
    return quantise_scale(lanes_greatest_of(greatest), lanes_tree_sum(defects), inverse);
}

/// 16 numbers as they are stored, in `stored`.
INLINE void key_value_convert(const int format, lanes x, float inverse, unsigned char *stored) {
    if (format == COLONY_KEY_VALUE_F32) lanes_store((float *)(void *)stored, x);
    if (format == COLONY_KEY_VALUE_F16) {
        lanes_store_f16(stored, lanes_at_most(lanes_at_least(x, -F16_GREATEST), F16_GREATEST));
    }
    if (format == COLONY_KEY_VALUE_INT8) quantise_half(x, lanes_splat(inverse), (int8_t *)stored);
}

/// One row of `count` numbers to every `stride`-th place of `target`.
INLINE void key_value_store_row(
    const int format, const float *row, size_t count, unsigned char *target, size_t stride, float *scale) {
    const size_t bytes = key_value_bytes(format);
    float inverse = 0;
    if (format == COLONY_KEY_VALUE_INT8) *scale = key_value_row_scale(row, count, &inverse);
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        _Alignas(64) unsigned char stored[COLONY_LANES * sizeof(float)];
        key_value_convert(format, lanes_load_some(row + i, count - i, 0), inverse, stored);
        const size_t present = count - i < COLONY_LANES ? count - i : COLONY_LANES;
        for (size_t j = 0; j < present; j++) {
            __builtin_memcpy(target + (i + j) * stride * bytes, stored + j * bytes, bytes);
        }
    }
}

INLINE void store_key_value(
    const int format, const float *keys, const float *values, const colony_key_value_layout *l, void *block,
    size_t position) {
    const size_t panel = position / COLONY_LANES * COLONY_LANES, lane = position % COLONY_LANES;
    const size_t bytes = key_value_bytes(format);
    for (size_t head = 0; head < l->kv_heads; head++) {
        unsigned char *key = (unsigned char *)key_value_keys(format, l, block, head);
        unsigned char *value = (unsigned char *)key_value_values(format, l, block, head);
        float *key_scales = (float *)key_value_scales(l, block, head, 0);
        float *value_scales = (float *)key_value_scales(l, block, head, 1);
        key_value_store_row(
            format, keys + head * l->key_dim, l->key_dim, key + (panel * l->key_dim + lane) * bytes, COLONY_LANES,
            key_scales + position);
        if (l->values_in_keys) continue;
        key_value_store_row(
            format, values + head * l->value_dim, l->value_dim, value + position * l->value_dim * bytes, 1,
            value_scales + position);
    }
}

#define STORE_KEY_VALUE(name, format) \
    KERNEL static void store_key_value_##name( \
        const float *keys, const float *values, const colony_key_value_layout *layout, void *block, size_t position) { \
        store_key_value(format, keys, values, layout, block, position); \
    }
STORE_KEY_VALUE(f32, COLONY_KEY_VALUE_F32)
STORE_KEY_VALUE(f16, COLONY_KEY_VALUE_F16)
STORE_KEY_VALUE(int8, COLONY_KEY_VALUE_INT8)
