// The compute kernels of Colony: one table of functions per instruction set, all of which give the same bits.
//
// Every kernel follows one canonical order of IEEE operations (written beside it in `operations/`), which is a chain
// per output lane and therefore independent of the width of the machine's vectors, of tiles, batches and threads.
// Weights lie in panels of 16 rows: [panel][column][16 rows], the last panel padded with zero rows.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Rows of a panel, lanes of a reduction, positions of a key panel.
#define COLONY_LANES 16

/// How a weight is stored; the index of the table's `linear` and `decode`.
enum { COLONY_FORMAT_BF16 = 0, COLONY_FORMAT_F16 = 1, COLONY_FORMAT_F32 = 2, COLONY_FORMAT_COUNT = 3 };

/// How weights are stored in blocks; the index of the table's `linear_blocks`. The last four are codes of 32 columns
/// whose scales lie apart, see `colony_group_layout`; those with zeros have a zero point for each scale.
enum {
    COLONY_BLOCK_Q8_0, COLONY_BLOCK_Q4_0, COLONY_BLOCK_Q4_1, COLONY_BLOCK_Q5_0, COLONY_BLOCK_Q5_1,
    COLONY_BLOCK_Q2_K, COLONY_BLOCK_Q3_K, COLONY_BLOCK_Q4_K, COLONY_BLOCK_Q5_K, COLONY_BLOCK_Q6_K,
    COLONY_BLOCK_IQ4_NL, COLONY_BLOCK_IQ4_XS, COLONY_BLOCK_MXFP4, COLONY_BLOCK_INT4, COLONY_BLOCK_INT4_ZEROS,
    COLONY_BLOCK_INT8, COLONY_BLOCK_INT8_ZEROS, COLONY_BLOCK_FORMAT_COUNT
};

/// Columns that share one activation scale.
#define COLONY_BLOCK_COLUMNS 32

/// 32 activations as 8-bit integers: x = scale * code.
typedef struct colony_activation_block {
    int8_t codes[COLONY_BLOCK_COLUMNS];
    float scale;
    float scaled_sum; // scale * sum
    int32_t sum; // of all codes
    int32_t first_sum; // of the first 16 codes
} colony_activation_block;

/// Codes of which many neighbouring columns, a group, share a scale. A panel is
///     [groups][scale of 16 rows, or one f32 for all of them], [groups][zero of 16 rows], padding to 64 bytes,
///     then the codes: of integers [columns / 32][codes of 16 rows], of e4m3 [columns][16 rows].
typedef struct colony_group_layout {
    size_t group_columns; // a multiple of 32; the last group may have fewer
    uint64_t group_inverse; // 2^32 / (group_columns / 32), rounded up: block * inverse >> 32 is the block's group
    size_t zeros_offset; // of the first zero, in a panel
    size_t codes_offset; // of the first code, in a panel
    size_t panel_bytes;
    int scale_format; // a COLONY_FORMAT_…
    int is_shared; // whether all rows of a panel have one scale, an f32
    int zero_base; // what stored zeros have too little
    const int32_t *_Nullable column_order; // per stored column the column of the input that it meets, or null
} colony_group_layout;

/// One linear layer for a list of tokens. A null index list means the identity.
typedef struct colony_linear_arguments {
    const void *_Nullable weights;
    const float *_Nullable bias; // one per row, or null
    const float *_Nullable input;
    const intptr_t *_Nullable input_rows; // per token, the row of `input`, or null
    size_t input_stride;
    const colony_activation_block *_Nullable quantised_input; // instead of `input` where activations are 8-bit
    size_t quantised_stride; // in blocks
    float *_Nullable output;
    const intptr_t *_Nullable output_rows; // per token, the row of `output`, or null
    size_t output_stride;
    const float *_Nullable scales; // per token, multiplied into its output row last, or null
    size_t rows;
    size_t columns;
    size_t tokens;
    size_t prefetch_bytes; // how far ahead weights in blocks are asked for
    colony_group_layout groups; // of codes whose scales lie apart
} colony_linear_arguments;

/// How keys and values are stored; the index of the table's `attention_…` and `store_key_value`.
enum { COLONY_KEY_VALUE_F32, COLONY_KEY_VALUE_F16, COLONY_KEY_VALUE_INT8, COLONY_KEY_VALUE_FORMAT_COUNT };

/// A block of positions: keys as [kv_heads][positions / 16][key_dim][16], then values as
/// [kv_heads][positions][value_dim]; with 8-bit integers then a scale of each key and of each value, f32 both,
/// [kv_heads][positions]. Where values lie in the keys there are keys and their scales only.
typedef struct colony_key_value_layout {
    size_t positions; // a multiple of 16
    size_t kv_heads;
    size_t key_dim;
    size_t value_dim;
    int values_in_keys; // whether a value is the first `value_dim` numbers of its key
} colony_key_value_layout;

/// Attention of the query heads of one row that share key/value head `kv_head`.
typedef struct colony_attention_arguments {
    colony_key_value_layout layout;
    const float *_Nullable query; // [heads][key_dim]
    float *_Nullable output; // [heads][value_dim]
    void *_Nonnull const *_Nullable blocks;
    size_t first; // positions before this one weigh nothing; below `visible`
    size_t visible; // how many positions there are up to the row's own, at least 1
    size_t kv_head;
    size_t group; // query heads per key/value head
    float scale;
    const float *_Nullable sinks; // per query head of the group, see operations/attention.h; or null
    float *_Nullable scores; // scratch, group * scores_stride floats
    size_t scores_stride; // at least `visible` rounded up to 16
    float *_Nullable sums; // scratch, group floats
} colony_attention_arguments;

/// How much each of a row's positions is worth looking at: see `operations/index_scores.h`.
typedef struct colony_index_arguments {
    colony_key_value_layout layout; // of the index keys: one key head
    const float *_Nullable query; // [heads][key_dim]
    const float *_Nullable head_weights; // [heads]
    void *_Nonnull const *_Nullable blocks;
    size_t offset; // where the index keys begin in a block, in bytes
    size_t heads;
    size_t visible;
    float scale;
    float *_Nullable scores; // `visible` rounded up to 16
} colony_index_arguments;

/// In which form rows that experts give are added up; the index of the table's `store_result` and `add`. See
/// `operations/results.h`.
enum { COLONY_RESULT_F32, COLONY_RESULT_BF16, COLONY_RESULT_INT8, COLONY_RESULT_FORMAT_COUNT };

/// The activation of a gated feed-forward network; see `operations/elementwise.h`.
typedef struct colony_gated_activation {
    float limit; // of the gate from above, of up both ways
    float slope; // of the sigmoid
    float offset; // added to up
} colony_gated_activation;

/// A convolution over the rows of one sequence, each channel by itself; see `operations/convolution.h`.
typedef struct colony_convolution_arguments {
    const float *_Nullable weights; // [taps][channels], the newest input's last
    float *_Nullable state; // [taps - 1][channels]: the inputs before, oldest first; becomes those before the next
    const float *_Nullable input; // [rows][channels]
    float *_Nullable output; // the same shape, other memory
    size_t channels;
    size_t taps; // at least 1
    size_t rows;
} colony_convolution_arguments;

/// Compressed keys of one sequence; see `operations/compression.h`. A row is [dims], where windows overlap [2][dims].
typedef struct colony_compression_arguments {
    const float *_Nullable keys; // [rows][row]
    const float *_Nullable gates; // [rows][row]
    const float *_Nullable bias; // [positions][row]
    float *_Nullable state; // [3][dims]: of the entry that comes next; where windows overlap, then of the one after it
    float *_Nullable entries; // [entries][dims]: those that the rows complete
    size_t rows;
    size_t position; // of the first row
    size_t positions; // of a window, at least 1
    size_t dims;
    int overlaps;
} colony_compression_arguments;

/// The gated delta rule of one head over the rows of one sequence; see `operations/delta.h`. What belongs to the next
/// row is `…_stride` floats further on.
typedef struct colony_delta_arguments {
    float *_Nullable state; // [value_dim / 16, rounded up][key_dim][16]
    const float *_Nullable query; // [key_dim]
    const float *_Nullable key; // [key_dim]
    const float *_Nullable value; // [value_dim]
    const float *_Nullable decay; // 1
    const float *_Nullable beta; // 1
    float *_Nullable output; // [value_dim]
    size_t input_stride;
    size_t gate_stride;
    size_t output_stride;
    size_t rows; // at least 1
    size_t key_dim;
    size_t value_dim;
} colony_delta_arguments;

/// How a router turns logits into scores; the index of the table's `router_scores`.
enum {
    COLONY_ROUTER_SOFTMAX, COLONY_ROUTER_SIGMOID, COLONY_ROUTER_SQRT_SOFTPLUS, COLONY_ROUTER_SCORING_COUNT
};

/// Most groups that a router's experts may be divided into.
#define COLONY_ROUTER_GROUPS_MAX 256

/// How scores choose experts; see `operations/router.h`.
typedef struct colony_router_arguments {
    const float *_Nullable bias; // per expert, added for the choice only, or null
    size_t count; // of experts
    size_t top_k; // at most as many as the chosen groups have
    size_t groups; // divides `count`; 1 where there are none, else groups have at least two experts
    size_t chosen_groups; // from 1 to `groups`
    int normalise; // whether weights are divided by their sum
    float epsilon; // added to that sum
    float scale; // of the weights
} colony_router_arguments;

/// Most streams of a residual that is several.
#define COLONY_STREAMS_MAX 8

/// How the streams of a residual are mixed; see `operations/streams.h`.
typedef struct colony_stream_arguments {
    const float *_Nullable base; // one per number of a row of mixes
    float scales[3]; // of the mixes to collapse, to add, and to mix by
    size_t streams; // from 1 to COLONY_STREAMS_MAX
    size_t rounds; // of normalising columns, at least 1
    float epsilon;
} colony_stream_arguments;

typedef void (*colony_linear_kernel)(
    const colony_linear_arguments *_Nonnull arguments, size_t first_panel, size_t panel_count);

/// One function per operation; see `operations/` for what each computes and in which order.
typedef struct colony_kernel_table {
    colony_linear_kernel _Nonnull linear[COLONY_FORMAT_COUNT];
    colony_linear_kernel _Nonnull linear_blocks[COLONY_BLOCK_FORMAT_COUNT]; // 8-bit activations
    colony_linear_kernel _Nonnull linear_blocks_exact[COLONY_BLOCK_FORMAT_COUNT]; // f32 activations
    colony_linear_kernel _Nonnull linear_e4m3; // 8-bit floats in groups, f32 activations
    void (*quantise)(const float *input, colony_activation_block *blocks, size_t columns);
    /// Blocks whose codes and scales were computed elsewhere, whatever these are.
    void (*restore_quantised)(
        const int8_t *codes, const float *scales, colony_activation_block *blocks, size_t block_count);
    void (*_Nonnull decode[COLONY_FORMAT_COUNT])(const void *source, float *output, size_t count);
    void (*gated_activation)(
        const colony_gated_activation *activation, const float *gate, const float *up, float *output, size_t count);
    void (*sigmoid_multiply)(const float *gate, float *values, size_t count);
    void (*rms_norm)(const float *input, const float *weight, float epsilon, float *output, size_t width);
    void (*layer_norm)(
        const float *input, const float *weight, const float *bias, float epsilon, float *output, size_t width);
    void (*l2_norm)(float *row, float scale, float epsilon, size_t width); // in place
    void (*causal_convolution)(const colony_convolution_arguments *arguments, size_t first_channel, size_t count);
    void (*compress)(const colony_compression_arguments *arguments, size_t first_dim, size_t count);
    void (*delta_gates)(const float *rates, const float *bias, float *decay, float *beta, size_t count); // in place
    void (*delta_rule)(const colony_delta_arguments *arguments, size_t first_group, size_t count); // 16 dimensions each
    void (*rotate)(float *head, const float *cosine, const float *sine, size_t half);
    void (*rotate_interleaved)(
        const float *source, float *target, const float *cosine, const float *sine, size_t half);
    // Writes columns of an expert's row, from `first_column`, a multiple of 32, on, into the row `target` of `width`.
    void (*_Nonnull store_result[COLONY_RESULT_FORMAT_COUNT])(
        const float *columns, void *target, size_t first_column, size_t column_count, size_t width);
    // Adds rows in that form.
    void (*_Nonnull add[COLONY_RESULT_FORMAT_COUNT])(
        const void *_Nonnull const *_Nonnull addends, size_t addend_count, float *sum, size_t width);
    void (*_Nonnull router_scores[COLONY_ROUTER_SCORING_COUNT])(float *row, size_t count); // in place
    void (*router_choose)(
        const colony_router_arguments *arguments, const float *scores, int32_t *experts, float *weights);
    // The weights of experts that are chosen already.
    void (*router_weigh)(
        const colony_router_arguments *arguments, const float *scores, const int32_t *experts, float *weights);
    // Hyper-connections: weights of one row, its streams to one, and the result back into all.
    void (*stream_weights)(const colony_stream_arguments *arguments, const float *mixes, float *weights);
    void (*collapse_streams)(
        const float *streams, const float *weights, float *output, size_t stream_count, size_t width);
    void (*mix_streams)(
        const float *addend, const float *weights, float *streams, size_t stream_count, size_t width);
    // The three steps of attention, in this order: scores of some blocks, weights of one head, some dimensions of the
    // output, `first_dim` a multiple of 16. No bit depends on how a step is cut.
    void (*_Nonnull attention_scores[COLONY_KEY_VALUE_FORMAT_COUNT])(
        const colony_attention_arguments *arguments, size_t first_block, size_t block_count);
    void (*_Nonnull attention_weights[COLONY_KEY_VALUE_FORMAT_COUNT])(
        const colony_attention_arguments *arguments, size_t head);
    void (*_Nonnull attention_values[COLONY_KEY_VALUE_FORMAT_COUNT])(
        const colony_attention_arguments *arguments, size_t first_dim, size_t dim_count);
    // Scores of some blocks.
    void (*_Nonnull index_scores[COLONY_KEY_VALUE_FORMAT_COUNT])(
        const colony_index_arguments *arguments, size_t first_block, size_t block_count);
    // Writes one position's keys, [kv_heads][key_dim], and values, unless they lie in the keys, into its block.
    void (*_Nonnull store_key_value[COLONY_KEY_VALUE_FORMAT_COUNT])(
        const float *keys, const float *values, const colony_key_value_layout *layout, void *block, size_t position);
    void (*exponential)(const float *input, float *output, size_t count);
    uint32_t (*ceiling_read)(const void *source, size_t byte_count);
    float (*ceiling_dot)(const void *codes, size_t rounds); // 12 x 128 operations per round
    float (*ceiling_fma)(float factor, size_t rounds); // 12 x 32 operations per round
} colony_kernel_table;

/// Each answers null where the table is not compiled in or the processor lacks the instructions.
const colony_kernel_table *_Nullable colony_kernels_generic(void);
const colony_kernel_table *_Nullable colony_kernels_avx2(void);
const colony_kernel_table *_Nullable colony_kernels_avx512(void);
const colony_kernel_table *_Nullable colony_kernels_neon(void);

/// How far ahead kernels ask for weights in blocks, in bytes: 8 KiB where the hardware's own prefetcher runs too short
/// (Intel), else nothing: a block's lines, all at once, just before they are used. Measured in docs/PERFORMANCE.md. No
/// bit depends on it.
size_t colony_prefetch_bytes(void);

/// Interleaves weights of `weight_bytes` (2 or 4) each, at any alignment, into panels. From one row to the next there
/// are `row_stride` weights, from one column to the next `column_stride`.
void colony_pack_panels(
    const void *source, void *panels, size_t rows, size_t columns, size_t row_stride, size_t column_stride,
    size_t weight_bytes);

/// Interleaves rows of blocks, which must be whole; from one row to the next there are `row_bytes`.
void colony_pack_blocks(
    int format, const void *source, void *panels, size_t rows, size_t columns, size_t row_bytes);

/// The indices of the `chosen` greatest of `count` values, ascending; among equals the lowest, NaNs after all others.
void colony_choose_greatest(const float *values, size_t count, size_t chosen, uint32_t *indices);

/// Copies the keys of `count` positions of one key head, in which the values lie, beside each other into the block
/// `target` of `target_positions`, from place `first` of it on. 8-bit keys bring their scales.
void colony_gather_keys(
    const colony_key_value_layout *layout, size_t number_bytes, void *_Nonnull const *_Nonnull blocks,
    const uint32_t *positions, size_t count, void *target, size_t target_positions, size_t first);

/// One panel of integer codes, `bits` (4 or 8) each: [columns][16 rows], a byte each, to [columns / 32][codes of 16
/// rows]; `columns` is a multiple of 32.
void colony_pack_codes(const uint8_t *codes, void *target, size_t columns, int bits);

/// The index of the largest value that is a number, the lowest of equals; 0 if there is none.
size_t colony_index_of_greatest(const float *values, size_t count);

#pragma clang assume_nonnull end
