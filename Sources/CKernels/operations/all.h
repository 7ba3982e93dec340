// Every operation, built on the 16 lanes that the including file's `lanes.h` defines:
//   KERNEL, INLINE   attributes of a function (the target's instructions)
//   lanes            16 floats, and lanes_splat, _load, _store, _add, _subtract, _multiply, _divide, _root,
//                    _fma (fused),
//                    _greater(a, b) = a > b ? a : b, _at_least(x, bound) = x < bound ? bound : x,
//                    _at_most(x, bound) = x > bound ? bound : x, _zero_where_less(r, x, bound) = x < bound ? 0 : r,
//                    _scale_by_power(p, t) (see exponential.h), _load_bf16, _load_f16, _load_f32, _load_int8 (any
//                    alignment), _store_f16 (to the nearest, ties to even; the caller saturates), _store_bf16 (the
//                    same, see results.h), _store_int8 (of whole numbers), _tree_sum (the canonical tree: lanes
//                    (i, i+8), then (i, i+4), (i, i+2), (i, i+1)), _greatest_of (the largest lane that is a number,
//                    -inf if there is none), _load_e4m3 (16 values of e4m3, no NaNs, each times 2^-8: exact, and no
//                    subnormal ones), and if HAS_E4M3_PAIR is defined _load_e4m3_pair (32 of them)
//   LINEAR_*, ATTENTION_*, BLOCK_*, DELTA_*   tile sizes that fill the registers of the machine
#pragma STDC FP_CONTRACT OFF

#ifndef UNROLL
#define UNROLL _Pragma("clang loop unroll(full)")
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#include "partial.h"

#include "exponential.h"

#include "elementwise.h"
#include "norm.h"
#include "convolution.h"
#include "compression.h"
#include "delta.h"
#include "router.h"
#include "streams.h"
#include "linear_finish.h"
#include "quantise.h"
#include "results.h"
#include "key_values.h"
#include "attention_in_keys.h"
#include "attention.h"
#include "index_scores.h"
#include "../blocks/all.h"
#include "linear_blocks.h"
#include "linear_e4m3.h"
#include "ceilings.h"

#define FORMAT bf16
#define WEIGHT_BYTES 2
#include "decode.h"
#include "linear.h"
#undef FORMAT
#define FORMAT f16
#include "decode.h"
#include "linear.h"
#undef FORMAT
#undef WEIGHT_BYTES
#define FORMAT f32
#define WEIGHT_BYTES 4
#include "decode.h"
#include "linear.h"
#undef FORMAT
#undef WEIGHT_BYTES

static const colony_kernel_table table = {
    .linear = {linear_bf16, linear_f16, linear_f32},
    .linear_blocks =
        {linear_q8_0, linear_q4_0, linear_q4_1, linear_q5_0, linear_q5_1, linear_q2_k, linear_q3_k, linear_q4_k,
         linear_q5_k, linear_q6_k, linear_iq4_nl, linear_iq4_xs, linear_mxfp4, linear_int4, linear_int4_zeros,
         linear_int8, linear_int8_zeros},
    .linear_blocks_exact =
        {linear_exact_q8_0, linear_exact_q4_0, linear_exact_q4_1, linear_exact_q5_0, linear_exact_q5_1,
         linear_exact_q2_k, linear_exact_q3_k, linear_exact_q4_k, linear_exact_q5_k, linear_exact_q6_k,
         linear_exact_iq4_nl, linear_exact_iq4_xs, linear_exact_mxfp4, linear_exact_int4, linear_exact_int4_zeros,
         linear_exact_int8, linear_exact_int8_zeros},
    .linear_e4m3 = linear_e4m3,
    .quantise = quantise,
    .restore_quantised = restore_quantised,
    .ceiling_read = ceiling_read,
    .ceiling_dot = ceiling_dot,
    .ceiling_fma = ceiling_fma,
    .decode = {decode_bf16, decode_f16, decode_f32},
    .gated_activation = gated_activation,
    .sigmoid_multiply = sigmoid_multiply,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .l2_norm = l2_norm,
    .causal_convolution = causal_convolution,
    .compress = compress,
    .delta_gates = delta_gates,
    .delta_rule = delta_rule,
    .rotate = rotate,
    .rotate_interleaved = rotate_interleaved,
    .store_result = {store_result_f32, store_result_bf16, store_result_int8},
    .add = {add_f32, add_bf16, add_int8},
    .router_scores = {router_softmax, router_sigmoid, router_sqrt_softplus},
    .router_choose = router_choose,
    .router_weigh = router_weigh,
    .stream_weights = stream_weights,
    .collapse_streams = collapse_streams,
    .mix_streams = mix_streams,
    .attention_scores = {attention_scores_f32, attention_scores_f16, attention_scores_int8},
    .attention_weights = {attention_weights_f32, attention_weights_f16, attention_weights_int8},
    .attention_values = {attention_values_f32, attention_values_f16, attention_values_int8},
    .index_scores = {index_scores_f32, index_scores_f16, index_scores_int8},
    .store_key_value = {store_key_value_f32, store_key_value_f16, store_key_value_int8},
    .exponential = exponential,
};
