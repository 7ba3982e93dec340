// Compares the NEON kernels with the generic ones, bit for bit (NaNs alike). Built for arm64 and run by `ArmTests`,
// under an emulator where the machine is another.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

#define FLOATS_MAX (1 << 18)

static const colony_kernel_table *generic, *neon;
static uint64_t state = 1;
static long checks, failures;

static uint64_t next_random(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static float random_float(void) {
    switch (next_random() % 64) {
    case 0: return 0.0f;
    case 1: return -0.0f;
    case 2: return 1e-41f;
    default: return ((float)(next_random() % 20001) - 10000.0f) / 2500.0f;
    }
}

static float *random_floats(size_t count) {
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = random_float();
    return values;
}

static void expect_equal(const char *what, const float *left, const float *right, size_t count) {
    checks++;
    for (size_t i = 0; i < count; i++) {
        if (left[i] != left[i] && right[i] != right[i]) continue;
        if (memcmp(&left[i], &right[i], sizeof left[i]) == 0) continue;
        if (failures++ < 20) printf("%s: entry %zu of %zu is %a, not %a\n", what, i, count, right[i], left[i]);
        return;
    }
}

static float first_result[FLOATS_MAX], second_result[FLOATS_MAX];

/// Random weights, every sixteenth of them any bit pattern at all.
static void fill_weights(unsigned char *weights, size_t count, int format) {
    for (size_t i = 0; i < count; i++) {
        float value = random_float();
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (next_random() % 16 == 0) bits = (uint32_t)next_random();
        if (format == COLONY_FORMAT_F32) memcpy(weights + i * 4, &bits, 4);
        if (format == COLONY_FORMAT_BF16) memcpy(weights + i * 2, (char *)&bits + 2, 2);
        if (format == COLONY_FORMAT_F16) {
            uint16_t half = (uint16_t)(next_random() & 0xbfff);
            memcpy(weights + i * 2, &half, 2);
        }
    }
}

static void compare_linear(int format, size_t rows, size_t columns, size_t tokens) {
    size_t panels = (rows + 15) / 16, count = panels * 16 * columns;
    unsigned char *weights = malloc(count * 4);
    fill_weights(weights, count, format);
    float *input = random_floats(tokens * columns), *bias = random_floats(rows), *scales = random_floats(tokens);
    colony_linear_arguments arguments = {
        .weights = weights, .input = input, .input_stride = columns, .output = first_result, .output_stride = rows,
        .rows = rows, .columns = columns, .tokens = tokens, .bias = tokens % 2 ? bias : NULL,
        .scales = tokens % 3 ? NULL : scales};
    generic->linear[format](&arguments, 0, panels);
    arguments.output = second_result;
    neon->linear[format](&arguments, 0, panels);
    expect_equal("linear", first_result, second_result, rows * tokens);
    free(weights), free(input), free(bias), free(scales);
}

/// Panels of blocks with any bits at all, with 8-bit and with f32 activations.
static void compare_blocks(int format, size_t bytes_per_256, size_t rows, size_t tokens) {
    const size_t columns = 512, panels = (rows + 15) / 16, count = panels * 16 * bytes_per_256 * 2;
    unsigned char *weights = malloc(count);
    for (size_t i = 0; i < count; i++) weights[i] = (unsigned char)next_random();
    float *input = random_floats(tokens * columns);
    colony_activation_block *blocks[2];
    for (int i = 0; i < 2; i++) {
        blocks[i] = calloc(tokens * columns / 32, sizeof *blocks[i]);
        (i ? neon : generic)->quantise(input, blocks[i], tokens * columns);
    }
    if (memcmp(blocks[0], blocks[1], tokens * columns / 32 * sizeof *blocks[0]) && failures++ < 20) puts("quantise");
    colony_linear_arguments arguments = {
        .weights = weights, .input = input, .input_stride = columns, .quantised_input = blocks[0],
        .quantised_stride = columns / 32, .output = first_result, .output_stride = rows, .rows = rows,
        .columns = columns, .tokens = tokens};
    generic->linear_blocks[format](&arguments, 0, panels);
    arguments.output = second_result;
    neon->linear_blocks[format](&arguments, 0, panels);
    expect_equal("linear_blocks", first_result, second_result, rows * tokens);
    neon->linear_blocks_exact[format](&arguments, 0, panels);
    arguments.output = first_result;
    generic->linear_blocks_exact[format](&arguments, 0, panels);
    expect_equal("linear_blocks_exact", first_result, second_result, rows * tokens);
    free(weights), free(input), free(blocks[0]), free(blocks[1]);
}

/// The layout of codes in groups of 64 columns, one of few kinds; `zeros` and `shared` as the format needs them.
static colony_group_layout group_layout(int kind, size_t columns, size_t bits, int has_zeros, int is_shared) {
    const size_t groups = (columns + 63) / 64;
    const int formats[] = {COLONY_FORMAT_BF16, COLONY_FORMAT_F16, COLONY_FORMAT_F32};
    colony_group_layout layout = {
        .group_columns = 64, .group_inverse = (1ull << 32) / 2, .is_shared = is_shared, .zero_base = kind % 2,
        .scale_format = is_shared ? COLONY_FORMAT_F32 : formats[kind % 3]};
    layout.zeros_offset = is_shared ? groups * 4 : groups * 16 * (kind % 3 == 2 ? 4 : 2);
    layout.codes_offset = (layout.zeros_offset + (has_zeros ? groups * 16 : 0) + 63) / 64 * 64;
    layout.panel_bytes = layout.codes_offset + (columns + 31) / 32 * 32 * 16 * bits / 8;
    return layout;
}

/// Panels of codes in groups with any bits at all.
static void compare_groups(int format, int kind, size_t rows, size_t columns, size_t tokens) {
    const int is_float = format < 0, bits = format == COLONY_BLOCK_INT4 || format == COLONY_BLOCK_INT4_ZEROS ? 4 : 8;
    const int has_zeros = format == COLONY_BLOCK_INT4_ZEROS || format == COLONY_BLOCK_INT8_ZEROS;
    const size_t panels = (rows + 15) / 16, stride = (columns + 31) / 32;
    int32_t order[1024];
    for (size_t i = 0; i < columns; i++) order[i] = (int32_t)(columns - 1 - i);
    colony_linear_arguments arguments = {
        .input_stride = columns, .quantised_stride = stride, .output = first_result, .output_stride = rows,
        .rows = rows, .columns = columns, .tokens = tokens,
        .groups = group_layout(kind, columns, (size_t)bits, has_zeros, is_float && kind % 2)};
    unsigned char *weights = malloc(panels * arguments.groups.panel_bytes);
    for (size_t i = 0; i < panels * arguments.groups.panel_bytes; i++) weights[i] = (unsigned char)next_random();
    float *input = random_floats(tokens * columns);
    colony_activation_block *blocks = calloc(tokens * stride, sizeof *blocks);
    for (size_t t = 0; t < tokens; t++) generic->quantise(input + t * columns, blocks + t * stride, columns);
    arguments.weights = weights, arguments.input = input, arguments.quantised_input = blocks;
    for (int exact = is_float; exact < 2; exact++) {
        if (exact && kind > 3) arguments.groups.column_order = is_float ? NULL : order;
        arguments.output = first_result;
        const colony_kernel_table *tables[] = {generic, neon};
        for (int side = 0; side < 2; side++, arguments.output = second_result) {
            if (is_float) tables[side]->linear_e4m3(&arguments, 0, panels);
            else if (exact) tables[side]->linear_blocks_exact[format](&arguments, 0, panels);
            else tables[side]->linear_blocks[format](&arguments, 0, panels);
        }
        expect_equal("groups", first_result, second_result, rows * tokens);
    }
    free(weights), free(input), free(blocks);
}

static void attend(const colony_kernel_table *table, int format, const colony_attention_arguments *arguments) {
    const size_t positions = arguments->layout.positions, value_dim = arguments->layout.value_dim;
    table->attention_scores[format](arguments, 0, (arguments->visible + positions - 1) / positions);
    for (size_t head = 0; head < arguments->group; head++) table->attention_weights[format](arguments, head);
    table->attention_values[format](arguments, 0, value_dim);
}

/// Stores a row in both blocks, at times with an unusual number in it, and compares the bytes (of NaNs too).
static void compare_store(int format, const colony_key_value_layout *layout, void *blocks[2], size_t position) {
    const float unusual[] = {__builtin_inff(), __builtin_nanf(""), 1e-45f, 3e38f, -65519.0f, 65520.0f, 6e-8f, -0.0f};
    float *keys = random_floats(layout->kv_heads * layout->key_dim);
    float *values = random_floats(layout->kv_heads * layout->value_dim);
    if (next_random() % 50 == 0) keys[0] = unusual[next_random() % 8];
    if (next_random() % 50 == 0) values[0] = unusual[next_random() % 8];
    generic->store_key_value[format](keys, values, layout, blocks[0], position);
    neon->store_key_value[format](keys, values, layout, blocks[1], position);
    free(keys), free(values);
}

static void compare_attention(
    int format, size_t kv_heads, size_t group, size_t key_dim, size_t value_dim, size_t visible, int in_keys) {
    const colony_key_value_layout layout = {32, kv_heads, key_dim, value_dim, in_keys};
    const size_t blocks = (visible + layout.positions - 1) / layout.positions;
    const size_t bytes = kv_heads * layout.positions * ((key_dim + value_dim) * 4 + 8);
    void *pointers[2][64];
    for (size_t i = 0; i < blocks; i++) {
        for (int side = 0; side < 2; side++) pointers[side][i] = calloc(bytes, 1);
        void *pair[2] = {pointers[0][i], pointers[1][i]};
        for (size_t p = 0; p < layout.positions; p++) compare_store(format, &layout, pair, p);
        checks++;
        if (memcmp(pair[0], pair[1], bytes) && failures++ < 20) printf("store_key_value, format %d\n", format);
    }
    float *query = random_floats(group * key_dim), *scores = random_floats(group * blocks * layout.positions);
    float *sums = random_floats(group), *sinks = random_floats(group);
    colony_attention_arguments arguments = {
        .layout = layout, .query = query, .output = first_result, .blocks = pointers[0], .visible = visible,
        .first = visible > 40 ? 7 : 0, .kv_head = kv_heads - 1, .group = group, .scale = 0.125f, .scores = scores,
        .scores_stride = blocks * layout.positions, .sums = sums, .sinks = group % 2 ? sinks : 0};
    attend(generic, format, &arguments);
    arguments.output = second_result;
    arguments.blocks = pointers[1];
    attend(neon, format, &arguments);
    expect_equal("attention", first_result, second_result, group * value_dim);
    for (size_t i = 0; i < blocks; i++) free(pointers[0][i]), free(pointers[1][i]);
    free(query), free(scores), free(sums), free(sinks);
}

/// Index keys behind 64 other bytes of one block.
static void compare_index(int format, size_t heads, size_t dims, size_t visible) {
    const colony_key_value_layout layout = {64, 1, dims, dims, 1};
    unsigned char *block = calloc(64 + layout.positions * (dims * 4 + 4), 1);
    void *blocks[1] = {block};
    float *query = random_floats(heads * dims), *weights = random_floats(heads);
    for (size_t p = 0; p < visible; p++) {
        float *key = random_floats(dims);
        generic->store_key_value[format](key, key, &layout, block + 64, p);
        free(key);
    }
    colony_index_arguments arguments = {
        .layout = layout, .query = query, .head_weights = weights, .blocks = blocks, .offset = 64, .heads = heads,
        .visible = visible, .scale = 0.25f, .scores = first_result};
    generic->index_scores[format](&arguments, 0, 1);
    arguments.scores = second_result;
    neon->index_scores[format](&arguments, 0, 1);
    expect_equal("index_scores", first_result, second_result, visible);
    free(block), free(query), free(weights);
}

static void compare_router(int scoring, const float *logits, const float *bias, size_t width) {
    int32_t experts[2][8];
    memcpy(first_result, logits, width * sizeof *logits), memcpy(second_result, logits, width * sizeof *logits);
    generic->router_scores[scoring](first_result, width), neon->router_scores[scoring](second_result, width);
    expect_equal("router_scores", first_result, second_result, width);
    colony_router_arguments arguments = {
        .bias = width % 2 ? bias : 0, .count = width, .top_k = width < 8 ? width : 8,
        .groups = width % 4 == 0 && width >= 16 ? 4 : 1, .normalise = (int)(width & 1), .epsilon = 1e-20f,
        .scale = 2.5f};
    arguments.chosen_groups = (arguments.groups + 1) / 2;
    float weights[2][8];
    generic->router_choose(&arguments, first_result, experts[0], weights[0]);
    neon->router_choose(&arguments, second_result, experts[1], weights[1]);
    expect_equal("router_choose", weights[0], weights[1], arguments.top_k);
    const size_t bytes = arguments.top_k * sizeof(int32_t);
    if (memcmp(experts[0], experts[1], bytes) && failures++ < 20) printf("router_choose: experts\n");
}

static void compare_rows(size_t width) {
    float *a = random_floats(width * 2), *b = random_floats(width), *c = random_floats(width);
    generic->layer_norm(a, b, c, 1e-6f, first_result, width), neon->layer_norm(a, b, c, 1e-6f, second_result, width);
    expect_equal("layer_norm", first_result, second_result, width);
    generic->rms_norm(a, b, 1e-6f, first_result, width), neon->rms_norm(a, b, 1e-6f, second_result, width);
    expect_equal("rms_norm", first_result, second_result, width);
    for (int limited = 0; limited < 2; limited++) {
        const colony_gated_activation activation = {
            .limit = limited ? 0.5f : __builtin_inff(), .slope = limited ? 1.702f : 1, .offset = limited ? 1 : -0.0f};
        generic->gated_activation(&activation, a, b, first_result, width);
        neon->gated_activation(&activation, a, b, second_result, width);
        expect_equal("gated_activation", first_result, second_result, width);
    }
    memcpy(first_result, a, width * 2 * sizeof *a), memcpy(second_result, a, width * 2 * sizeof *a);
    generic->rotate(first_result, b, c, width), neon->rotate(second_result, b, c, width);
    expect_equal("rotate", first_result, second_result, width * 2);
    generic->rotate_interleaved(a, first_result, b, c, width), neon->rotate_interleaved(a, second_result, b, c, width);
    expect_equal("rotate_interleaved", first_result, second_result, width * 2);
    for (int form = 0; form < COLONY_RESULT_FORMAT_COUNT; form++) {
        // A row takes the most as f32, and codes of 8-bit integers are whole blocks.
        float *stored[2] = {random_floats(width + 64), random_floats(width + 64)};
        memcpy(stored[1], stored[0], (width + 64) * sizeof(float));
        generic->store_result[form](a, stored[0], 0, width, width);
        neon->store_result[form](a, stored[1], 0, width, width);
        expect_equal("store_result", stored[0], stored[1], width + 64);
        const void *addends[] = {stored[0], stored[1], stored[0]};
        generic->add[form](addends, 3, first_result, width), neon->add[form](addends, 3, second_result, width);
        expect_equal("add", first_result, second_result, width);
        free(stored[0]), free(stored[1]);
    }
    if (width % 3 == 0) a[width / 2] = __builtin_nanf("");
    for (int scoring = 0; scoring < COLONY_ROUTER_SCORING_COUNT; scoring++) compare_router(scoring, a, b, width);
    free(a), free(b), free(c);
}

/// Five rows of one head with any state, and a convolution over the same rows.
static void compare_recurrence(size_t key_dim, size_t value_dim) {
    const size_t groups = (value_dim + 15) / 16, floats = groups * key_dim * 16, width = 2 * key_dim + value_dim;
    float *input = random_floats(5 * width), *gates = random_floats(10), *start = random_floats(floats + 3 * width);
    float *weights = random_floats(4 * width), *states[2], *outputs[2] = {first_result, second_result};
    for (int side = 0; side < 2; side++) {
        const colony_kernel_table *table = side ? neon : generic;
        states[side] = malloc((floats + 3 * width) * sizeof *start);
        memcpy(states[side], start, (floats + 3 * width) * sizeof *start);
        colony_convolution_arguments convolution = {
            .weights = weights, .state = states[side] + floats, .input = input, .output = outputs[side],
            .channels = width, .taps = 4, .rows = 5};
        table->causal_convolution(&convolution, 0, width);
        float *mixed = outputs[side], *output = mixed + 5 * width;
        table->l2_norm(mixed, 0.5f, 1e-6f, key_dim);
        colony_delta_arguments delta = {
            .state = states[side], .query = mixed, .key = mixed + key_dim, .value = mixed + 2 * key_dim,
            .decay = gates, .beta = gates + 5, .output = output, .input_stride = width, .gate_stride = 1,
            .output_stride = value_dim, .rows = 5, .key_dim = key_dim, .value_dim = value_dim};
        table->delta_rule(&delta, 0, groups);
        table->sigmoid_multiply(weights, output, value_dim);
    }
    expect_equal("recurrence", first_result, second_result, 5 * (width + value_dim));
    expect_equal("recurrent state", states[0], states[1], floats + 3 * width);
    free(input), free(gates), free(start), free(weights), free(states[0]), free(states[1]);
}

/// Eleven rows, windows of four.
static void compare_compression(size_t dims, int overlaps) {
    const size_t width = overlaps ? 2 * dims : dims;
    float *keys = random_floats(11 * width), *gates = random_floats(11 * width), *bias = random_floats(4 * width);
    float *states[2] = {random_floats(6 * dims), random_floats(6 * dims)};
    for (int side = 0; side < 2; side++) {
        const colony_compression_arguments arguments = {
            .keys = keys, .gates = gates, .bias = bias, .state = states[side],
            .entries = side ? second_result : first_result, .rows = 11, .positions = 4, .dims = dims,
            .overlaps = overlaps};
        (side ? neon : generic)->compress(&arguments, 0, dims);
    }
    expect_equal("compress", first_result, second_result, 2 * dims);
    expect_equal("state of compress", states[0], states[1], 3 * width);
    free(keys), free(gates), free(bias), free(states[0]), free(states[1]);
}

static void compare_gates(void) {
    float *a = random_floats(1000), *b = random_floats(1000), *rates = random_floats(1000), *bias = random_floats(1000);
    memcpy(first_result, a, 4000), memcpy(second_result, a, 4000);
    memcpy(first_result + 1000, b, 4000), memcpy(second_result + 1000, b, 4000);
    generic->delta_gates(rates, bias, first_result, first_result + 1000, 1000);
    neon->delta_gates(rates, bias, second_result, second_result + 1000, 1000);
    expect_equal("delta_gates", first_result, second_result, 2000);
    free(a), free(b), free(rates), free(bias);
}

static void compare_streams(size_t streams, size_t width) {
    const size_t count = (2 + streams) * streams;
    float *mixes = random_floats(count), *base = random_floats(count), *addend = random_floats(width);
    float *rows = random_floats(streams * width);
    const colony_stream_arguments arguments = {
        .base = base, .scales = {1, 2, 3}, .streams = streams, .rounds = 5, .epsilon = 1e-6f};
    float weights[2][(2 + COLONY_STREAMS_MAX) * COLONY_STREAMS_MAX];
    generic->stream_weights(&arguments, mixes, weights[0]), neon->stream_weights(&arguments, mixes, weights[1]);
    expect_equal("stream_weights", weights[0], weights[1], count);
    generic->collapse_streams(rows, weights[0], first_result, streams, width);
    neon->collapse_streams(rows, weights[0], second_result, streams, width);
    expect_equal("collapse_streams", first_result, second_result, width);
    memcpy(first_result, rows, streams * width * sizeof *rows);
    memcpy(second_result, rows, streams * width * sizeof *rows);
    generic->mix_streams(addend, weights[0], first_result, streams, width);
    neon->mix_streams(addend, weights[0], second_result, streams, width);
    expect_equal("mix_streams", first_result, second_result, streams * width);
    free(mixes), free(base), free(addend), free(rows);
}

static void compare_exponential(void) {
    static float input[FLOATS_MAX];
    for (size_t i = 0; i < FLOATS_MAX; i++) input[i] = -100 + 200.0f * (float)i / FLOATS_MAX;
    const float unusual[] = {__builtin_inff(), -__builtin_inff(), __builtin_nanf(""), -0.0f, 1e-45f, 1e38f, -1e38f};
    memcpy(input, unusual, sizeof unusual);
    generic->exponential(input, first_result, FLOATS_MAX), neon->exponential(input, second_result, FLOATS_MAX);
    expect_equal("exponential", first_result, second_result, FLOATS_MAX);
}

static void compare_decode(void) {
    static uint16_t halves[65536];
    for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    for (int format = 0; format < COLONY_FORMAT_COUNT; format++) {
        size_t count = format == COLONY_FORMAT_F32 ? 32765 : 65533;
        generic->decode[format](halves, first_result, count), neon->decode[format](halves, second_result, count);
        expect_equal("decode", first_result, second_result, count);
    }
}

int main(void) {
    generic = colony_kernels_generic();
    neon = colony_kernels_neon();
    if (!generic || !neon) return puts("no NEON kernels in this build"), 2;
    const size_t columns[] = {1, 7, 64, 300};
    for (int format = 0; format < COLONY_FORMAT_COUNT; format++) {
        for (size_t tokens = 1; tokens <= 13; tokens++) {
            for (size_t i = 0; i < 4; i++) compare_linear(format, 1 + next_random() % 150, columns[i], tokens);
        }
    }
    const size_t bytes_per_256[COLONY_BLOCK_FORMAT_COUNT] = {
        [COLONY_BLOCK_Q8_0] = 272,  [COLONY_BLOCK_Q4_0] = 144,   [COLONY_BLOCK_Q4_1] = 160, [COLONY_BLOCK_Q5_0] = 176,
        [COLONY_BLOCK_Q5_1] = 192,  [COLONY_BLOCK_Q2_K] = 84,    [COLONY_BLOCK_Q3_K] = 110, [COLONY_BLOCK_Q4_K] = 144,
        [COLONY_BLOCK_Q5_K] = 176,  [COLONY_BLOCK_Q6_K] = 210,   [COLONY_BLOCK_IQ4_NL] = 144,
        [COLONY_BLOCK_IQ4_XS] = 136, [COLONY_BLOCK_MXFP4] = 136,
    };
    for (int kind = 0; kind < 6; kind++) {
        for (size_t tokens = 1; tokens <= 13; tokens++) {
            compare_groups(-1, kind, 1 + next_random() % 150, 1 + next_random() % 300, tokens);
            for (int format = COLONY_BLOCK_INT4; format <= COLONY_BLOCK_INT8_ZEROS; format++) {
                compare_groups(format, kind, 1 + next_random() % 60, 32 * (1 + next_random() % 20), tokens);
            }
        }
    }
    for (int format = 0; format < COLONY_BLOCK_INT4; format++) {
        for (size_t tokens = 1; tokens <= 7; tokens++) {
            compare_blocks(format, bytes_per_256[format], 1 + next_random() % 60, tokens);
        }
    }
    for (int format = 0; format < COLONY_KEY_VALUE_FORMAT_COUNT; format++) {
        for (size_t group = 1; group <= 16; group++) {
            compare_attention(format, 2, group, 8 + group, 16 * group + group % 3, 5 * group, 0);
            compare_attention(format, 1, group, 64, 64, 31 * group, 0);
            compare_attention(format, 2, group, 24 + group, 8 + group, 5 * group, 1);
            compare_index(format, group, 8 + group, 4 * group);
        }
    }
    for (size_t width = 1; width <= 200; width++) compare_rows(width);
    for (size_t dim = 1; dim <= 70; dim += 3) compare_recurrence(71 - dim, dim);
    compare_gates();
    compare_compression(37, 0), compare_compression(64, 1), compare_compression(5, 1);
    for (size_t streams = 1; streams <= COLONY_STREAMS_MAX; streams++) compare_streams(streams, 9 * streams);
    compare_exponential();
    compare_decode();
    printf("%ld comparisons, %ld failures\n", checks, failures);
    return failures ? 1 : 0;
}
