// Codes whose scales lie at the start of a panel, one for a group of columns: 4-bit and 8-bit integers, and e4m3 (OCP
// 8-bit Floating Point Specification 1.0). See `colony_group_layout`.
//
// Integers: weight = scale * (code - zero), where code - zero is exact; without zeros of its own a code has 8 (4 bits)
// or 128 too much.
#pragma once

/// The scales of a group, one for each row of the panel that begins at `head`.
INLINE lanes group_scale(const colony_group_layout *layout, const unsigned char *head, size_t group) {
    if (layout->is_shared) {
        float scale;
        __builtin_memcpy(&scale, head + group * sizeof scale, sizeof scale);
        return lanes_splat(scale);
    }
    switch (layout->scale_format) {
    case COLONY_FORMAT_BF16: return lanes_load_bf16(head + group * 2 * COLONY_LANES);
    case COLONY_FORMAT_F16: return lanes_load_f16(head + group * 2 * COLONY_LANES);
    default: return lanes_load_f32(head + group * 4 * COLONY_LANES);
    }
}

/// What is added to codes from which `taken` was subtracted, so that the group's own zeros are: whole numbers.
INLINE lanes group_zero_shift(
    const colony_group_layout *layout, const unsigned char *head, size_t group, const int taken) {
    const words stored = words_load_bytes(head + layout->zeros_offset + group * COLONY_LANES);
    return lanes_subtract(lanes_splat((float)(taken - layout->zero_base)), words_to_lanes(stored));
}

/// The group of block `index` of a row.
INLINE size_t group_of_block(const colony_group_layout *layout, size_t index) {
    return (size_t)(index * layout->group_inverse >> 32);
}
