#!/usr/bin/env python3
"""Makes the small models under checkpoints/ and their golden answers. See README.md beside this file.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_fixtures.py [NAME ...]
"""
import json
import pathlib
import shutil
import sys
import tempfile

import tokenizers
import torch
import transformers
from safetensors.torch import save_file

import deepseek_v4
import prediction
import quantise
import yi_lightning

HERE = pathlib.Path(__file__).resolve().parent
PROMPT_LENGTHS = (1, 7, 33, 150)
GREEDY_TOKENS = 12
TOP = 20
# Keys that say how many layers predict further tokens.
PREDICTION_COUNTS = ("num_nextn_predict_layers", "mtp_num_hidden_layers")
SHARD_BYTES_MAX = 1 << 20

# Per family: its model class in transformers, and the settings that its variants start from.
QWEN3_MOE = dict(
    vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, head_dim=16, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3,
    norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[], attention_bias=False,
    max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1,
    pad_token_id=None, use_sliding_window=False)
COMMON = dict(
    vocab_size=320, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    num_experts_per_tok=3, max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=0,
    eos_token_id=1, pad_token_id=None)
GLM4_MOE = dict(
    **COMMON, intermediate_size=96, moe_intermediate_size=24, n_routed_experts=8, n_shared_experts=1, n_group=1,
    topk_group=1, norm_topk_prob=True, routed_scaling_factor=2.5, first_k_dense_replace=1, attention_bias=True,
    use_qk_norm=True)
MIXTRAL = dict(**COMMON, intermediate_size=32, num_local_experts=6, sliding_window=None)
MINIMAX_M2 = dict(**COMMON, intermediate_size=32, num_local_experts=8)
DEEPSEEK_V3 = dict(
    vocab_size=320, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
    intermediate_size=96, moe_intermediate_size=24, n_routed_experts=8, n_shared_experts=1, num_experts_per_tok=3,
    n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=2.5, first_k_dense_replace=1,
    q_lora_rank=24, kv_lora_rank=32, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=12, attention_bias=False,
    max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1,
    pad_token_id=None)
GPT_OSS = dict(
    {**COMMON, "hidden_size": 32}, intermediate_size=16, num_local_experts=6, sliding_window=20, attention_bias=True,
    swiglu_limit=7.0)
YI_LIGHTNING = dict({**COMMON, "hidden_size": 32}, moe_intermediate_size=12, num_experts=7, sliding_window=20)
DEEPSEEK_V32 = dict(
    DEEPSEEK_V3, num_hidden_layers=2, moe_intermediate_size=16, index_topk=20, index_head_dim=16, index_n_heads=4)
DEEPSEEK_V4 = dict(
    vocab_size=320, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=1, head_dim=16,
    q_lora_rank=24, o_groups=2, o_lora_rank=12, sliding_window=16, index_n_heads=32, index_head_dim=12, index_topk=9,
    moe_intermediate_size=16, n_routed_experts=8, n_shared_experts=1, num_experts_per_tok=3,
    routed_scaling_factor=1.5, swiglu_limit=2.0, hc_mult=4, hc_sinkhorn_iters=20, hc_eps=1e-6,
    max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1,
    pad_token_id=None)
QWEN3_5_MOE = dict(
    **{**COMMON, "hidden_size": 32, "num_hidden_layers": 4, "rms_norm_eps": 1e-6}, moe_intermediate_size=24,
    shared_expert_intermediate_size=20, num_experts=8, linear_conv_kernel_dim=4, linear_key_head_dim=16,
    linear_num_key_heads=2, linear_num_value_heads=4, linear_value_head_dim=24)
FAMILIES = {
    "deepseek_v3": ("DeepseekV3", DEEPSEEK_V3),
    "deepseek_v32": ("DeepseekV32", DEEPSEEK_V32),
    "deepseek_v4": ("DeepseekV4", DEEPSEEK_V4),
    "glm4_moe": ("Glm4Moe", GLM4_MOE),
    "glm_moe_dsa": ("GlmMoeDsa", DEEPSEEK_V32),
    "gpt_oss": ("GptOss", GPT_OSS),
    "minimax_m2": ("MiniMaxM2", MINIMAX_M2),
    "mixtral": ("Mixtral", MIXTRAL),
    "qwen3_5_moe": ("Qwen3_5Moe", QWEN3_5_MOE),
    "qwen3_5_moe_text": ("Qwen3_5Moe", QWEN3_5_MOE),
    "qwen3_moe": ("Qwen3Moe", QWEN3_MOE),
    "yi_lightning": ("YiLightning", YI_LIGHTNING),
}

# rope is given in the layout of the published config files ("rope_theta" and "rope_scaling" at the top); the
# "parameters" variant has the newer one ("rope_parameters").
VARIANTS = {
    "qwen3_moe_bf16": dict(
        seed=1, dtype=torch.bfloat16, shards=2, changes={}, rope_theta=10000.0, rope_scaling=None),
    "qwen3_moe_f32": dict(
        seed=2, dtype=torch.float32, shards=1, changes=dict(num_hidden_layers=2, moe_intermediate_size=40),
        rope_theta=1000000.0, rope_scaling=None, rope_layout="parameters"),
    "qwen3_moe_fused_f16": dict(
        seed=3, dtype=torch.float16, shards=1, fused=True, changes={}, rope_theta=10000.0,
        rope_scaling=dict(rope_type="linear", factor=2.0)),
    "qwen3_moe_mixed": dict(
        seed=4, dtype=torch.bfloat16, shards=1,
        changes=dict(
            num_hidden_layers=4, mlp_only_layers=[1], decoder_sparse_step=2, norm_topk_prob=False,
            attention_bias=True, tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=3,
            num_experts=7, num_experts_per_tok=2, moe_intermediate_size=40, intermediate_size=88,
            max_position_embeddings=256),
        rope_theta=10000.0,
        rope_scaling=dict(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0)),
    "deepseek_v3_bf16": dict(
        family="deepseek_v3", seed=11, dtype=torch.bfloat16, shards=2, changes={},
        rope_theta=10000.0,
        published_keys=dict(
            num_nextn_predict_layers=1, moe_layer_freq=1, scoring_func="sigmoid", topk_method="noaux_tc"),
        rope_scaling=dict(
            type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=32, beta_slow=1, mscale=1.0,
            mscale_all_dim=1.0)),
    "deepseek_v3_direct_f32": dict(
        family="deepseek_v3", seed=12, dtype=torch.float32, shards=1, fused=True,
        changes=dict(
            q_lora_rank=None, rope_interleave=False, attention_bias=True, num_attention_heads=3, num_key_value_heads=3,
            kv_lora_rank=20, qk_nope_head_dim=12, v_head_dim=10, n_group=1, topk_group=1, n_shared_experts=2,
            first_k_dense_replace=0, num_hidden_layers=2, norm_topk_prob=False, routed_scaling_factor=1.0,
            n_routed_experts=7, rms_norm_eps=1e-4, tie_word_embeddings=True),
        rope_theta=50000.0, rope_layout="parameters",
        rope_scaling=dict(
            rope_type="yarn", factor=8.0, original_max_position_embeddings=64, mscale_all_dim=0.7)),
    "deepseek_v32_bf16": dict(
        family="deepseek_v32", seed=13, dtype=torch.bfloat16, shards=1, changes={}, rope_theta=10000.0,
        published_keys=dict(num_nextn_predict_layers=1, scoring_func="sigmoid", topk_method="noaux_tc"),
        rope_scaling=dict(
            type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=32, beta_slow=1, mscale=1.0,
            mscale_all_dim=1.0)),
    "deepseek_v4_bf16": dict(
        family="deepseek_v4", seed=41, dtype=torch.bfloat16, shards=2, changes={}, rope_theta=10000.0,
        extra_keys=dict(
            compress_ratios=[0, 4, 128, 4], num_hash_layers=1, qk_rope_head_dim=8, compress_rope_theta=160000.0),
        published_keys=dict(num_nextn_predict_layers=1, scoring_func="sqrtsoftplus", topk_method="noaux_tc"),
        rope_scaling=dict(
            type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=32, beta_slow=1)),
    "deepseek_v4_f32": dict(
        family="deepseek_v4", seed=45, dtype=torch.float32, shards=1, fused=True,
        changes=dict(
            hidden_size=24, moe_intermediate_size=12, num_attention_heads=6, o_groups=3, o_lora_rank=10, head_dim=20,
            index_head_dim=8, sliding_window=7, hc_mult=2, hc_sinkhorn_iters=3, n_routed_experts=7,
            num_experts_per_tok=2, routed_scaling_factor=2.5, swiglu_limit=10.0, tie_word_embeddings=True),
        extra_keys=dict(
            layer_types=["heavily_compressed_attention", "compressed_sparse_attention", "sliding_attention",
                         "compressed_sparse_attention"],
            mlp_layer_types=["moe", "hash_moe", "moe", "hash_moe"], partial_rotary_factor=0.4,
            compress_rates=dict(compressed_sparse_attention=3, heavily_compressed_attention=20)),
        rope_theta=10000.0, rope_layout="nested", rope_scaling=None, rope_keys=dict(
            main=dict(rope_type="default", rope_theta=5000.0, partial_rotary_factor=0.4),
            compress=dict(rope_type="default", rope_theta=80000.0, partial_rotary_factor=0.4))),
    "deepseek_v4_fp4": dict(
        family="deepseek_v4", seed=43, dtype=torch.bfloat16, shards=1, weights="deepseek_v4",
        changes=dict(num_hidden_layers=3, moe_intermediate_size=32, n_routed_experts=6, index_topk=6, hc_mult=3),
        rope_theta=10000.0,
        extra_keys=dict(
            compress_ratios=[0, 4, 128, 4], num_hash_layers=1, qk_rope_head_dim=8, compress_rope_theta=160000.0),
        published_keys=dict(expert_dtype="fp4", scoring_func="sqrtsoftplus", topk_method="noaux_tc"),
        rope_scaling=dict(
            type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=32, beta_slow=1)),
    "glm_moe_dsa_bf16": dict(
        family="glm_moe_dsa", seed=14, dtype=torch.bfloat16, shards=1,
        changes=dict(
            num_hidden_layers=4, hidden_size=48, n_group=1, topk_group=1, index_topk=37, index_n_heads=6,
            indexer_types=["full", "shared", "full", "shared"],
            mlp_layer_types=["dense", "sparse", "sparse", "sparse"], n_routed_experts=6, rms_norm_eps=1e-5),
        rope_theta=1000000.0, rope_scaling=None, rope_layout="parameters"),
    "glm4_moe_bf16": dict(
        family="glm4_moe", seed=5, dtype=torch.bfloat16, shards=2, changes=dict(num_hidden_layers=3),
        extra_keys=dict(partial_rotary_factor=0.5), published_keys=dict(num_nextn_predict_layers=1),
        rope_theta=1000000.0, rope_scaling=None),
    "glm4_moe_groups_f32": dict(
        family="glm4_moe", seed=6, dtype=torch.float32, shards=1, fused=True,
        changes=dict(
            n_routed_experts=12, n_group=4, topk_group=2, n_shared_experts=2, norm_topk_prob=False, use_qk_norm=False,
            attention_bias=False, tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=3,
            moe_intermediate_size=16, routed_scaling_factor=1.0),
        rope_theta=10000.0, rope_scaling=None, rope_layout="parameters", rotated_share=0.25),
    "gpt_oss_bf16": dict(
        family="gpt_oss", seed=25, dtype=torch.bfloat16, shards=2, changes=dict(num_hidden_layers=3),
        rope_theta=150000.0,
        rope_scaling=dict(
            rope_type="yarn", factor=8.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0,
            truncate=False)),
    "gpt_oss_f32": dict(
        family="gpt_oss", seed=22, dtype=torch.float32, shards=1,
        changes=dict(
            num_hidden_layers=3, layer_types=["full_attention", "sliding_attention", "sliding_attention"],
            attention_bias=False, num_attention_heads=6, num_key_value_heads=2, head_dim=10, num_local_experts=5,
            intermediate_size=12, swiglu_limit=0.75, swiglu_alpha=1.4, tie_word_embeddings=True),
        rope_theta=10000.0, rope_scaling=None, rope_layout="parameters"),
    "minimax_m2_bf16": dict(
        family="minimax_m2", seed=7, dtype=torch.bfloat16, shards=1, changes={}, rope_theta=5000000.0,
        rope_scaling=None, extra_keys=dict(rotary_dim=8, scoring_func="sigmoid", use_qk_norm=True)),
    "mixtral_bf16": dict(
        family="mixtral", seed=10, dtype=torch.bfloat16, shards=1, changes=dict(num_experts_per_tok=2),
        rope_theta=1000000.0, rope_scaling=None),
    "mixtral_fused_f16": dict(
        family="mixtral", seed=9, dtype=torch.float16, shards=1, fused=True, changes=dict(sliding_window=24),
        rope_theta=10000.0, rope_scaling=None, rope_layout="parameters"),
    "yi_lightning_bf16": dict(
        family="yi_lightning", seed=23, dtype=torch.bfloat16, shards=1, changes=dict(num_hidden_layers=6),
        rope_theta=5000000.0, rope_scaling=None),
    "yi_lightning_fused_f16": dict(
        family="yi_lightning", seed=26, dtype=torch.float16, shards=1, fused=True,
        changes=dict(
            num_hidden_layers=5, num_attention_heads=6, num_key_value_heads=3, head_dim=8, sliding_window=7,
            num_experts=9, num_experts_per_tok=5, tie_word_embeddings=True, kv_source_layer=[0, 1, 0, 1, 0],
            layer_types=["full_attention", "sliding_attention", "full_attention", "sliding_attention"]
            + ["full_attention"]),
        rope_theta=10000.0, rope_scaling=None, rope_layout="parameters"),
    # Weights quantised as in published checkpoints, see quantise.py.
    "glm4_moe_compressed": dict(
        family="glm4_moe", seed=21, dtype=torch.bfloat16, shards=1, weights="compressed",
        changes=dict(n_routed_experts=6, moe_intermediate_size=32),
        rope_theta=1000000.0, rope_scaling=None, extra_keys=dict(partial_rotary_factor=0.5)),
    "gpt_oss_mxfp4": dict(
        family="gpt_oss", seed=27, dtype=torch.bfloat16, shards=1, weights="mxfp4",
        changes=dict(
            num_hidden_layers=2, intermediate_size=32, num_local_experts=5, num_attention_heads=6,
            num_key_value_heads=3, sliding_window=9),
        rope_theta=150000.0,
        rope_scaling=dict(
            rope_type="yarn", factor=32.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0,
            truncate=False)),
    "minimax_m2_fp8": dict(
        family="minimax_m2", seed=22, dtype=torch.bfloat16, shards=2, weights="fp8",
        changes=dict(intermediate_size=40, num_local_experts=6), rope_theta=5000000.0, rope_scaling=None,
        extra_keys=dict(rotary_dim=8)),
    "mixtral_gptq8": dict(
        family="mixtral", seed=23, dtype=torch.bfloat16, shards=1, weights="gptq8", changes=dict(num_local_experts=5),
        rope_theta=1000000.0, rope_scaling=None),
    "qwen3_moe_awq": dict(
        seed=24, dtype=torch.float16, shards=1, weights="awq", changes=dict(num_hidden_layers=2, num_experts=5),
        rope_theta=10000.0, rope_scaling=None),
    "qwen3_moe_fp4": dict(
        seed=25, dtype=torch.bfloat16, shards=1, weights="fp4", changes=dict(num_hidden_layers=2, num_experts=5),
        rope_theta=10000.0, rope_scaling=None),
    "qwen3_moe_gptq4": dict(
        seed=26, dtype=torch.float16, shards=1, weights="gptq4",
        changes=dict(num_hidden_layers=2, num_experts=5, moe_intermediate_size=64), rope_theta=10000.0,
        rope_scaling=None),
    "qwen3_5_moe_bf16": dict(
        family="qwen3_5_moe", seed=34, dtype=torch.bfloat16, shards=2, fused=True, changes={}, rope_theta=10000000.0,
        published_keys=dict(mtp_num_hidden_layers=1),
        rope_scaling=None, rope_layout="parameters", rotated_share=0.25,
        rope_keys=dict(mrope_section=[1, 1, 0], mrope_interleaved=True)),
    "qwen3_5_moe_text_f32": dict(
        family="qwen3_5_moe_text", seed=36, dtype=torch.float32, shards=1,
        changes=dict(
            num_hidden_layers=3, layer_types=["full_attention", "linear_attention", "linear_attention"],
            attention_bias=True, tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=3,
            num_experts=7, linear_conv_kernel_dim=3, linear_key_head_dim=12, linear_num_key_heads=1,
            linear_num_value_heads=3, linear_value_head_dim=20),
        rope_theta=10000.0, rope_scaling=None, rope_layout="parameters", rotated_share=0.5),
}


def first_of_equals(values, k, dim=-1, largest=True, sorted=True):
    """torch.topk, which takes any of equal values; an indexer's scores are often exactly 0, and we take the first."""
    result = torch.sort(values, dim=dim, descending=largest, stable=True)
    return torch.return_types.topk((result.values.narrow(dim, 0, k), result.indices.narrow(dim, 0, k)))


CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}")
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_end|>", "<|im_start|>")
TEXT = (
    "Swallows return to the same cliff each spring, and every pair finds the nest that it left.",
    "The router picks three experts for a token; each answers from its own machine, and the sum goes on.",
    "if (count > 0) { total += values[count - 1]; }  // 3.14159, 2026",
    "Größe, façade, ёлка, 蜂の巣, 燕子归来 🪺",
)


def family_of(variant):
    return variant.get("family", "qwen3_moe")


def class_name(variant):
    return FAMILIES[family_of(variant)][0] + "ForCausalLM"


def random_weights(model, seed):
    """Gives every parameter a spread at which it moves the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, buffer in sorted(model.named_buffers()):
            if name.endswith("e_score_correction_bias"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
        deepseek_v4.random_tables(model, generator)
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                # 1 for most families, 0 where norms are stored zero-centred.
                parameter.copy_(parameter.mean() + 0.15 * noise)
            elif name.endswith("sinks"):
                parameter.copy_(noise)
            elif name.endswith(("_hc.scale", "hc_scale")):
                parameter.copy_(0.5 + 0.1 * noise.abs())
            elif name.endswith(("_hc.base", "hc_base")):
                parameter.copy_(0.2 * noise)
            elif name.endswith("A_log"):
                parameter.copy_(noise - 1)
            elif name.endswith("conv1d.weight"):
                parameter.copy_(0.5 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            elif "embed_tokens" in name and not model.config.tie_word_embeddings:
                parameter.copy_(noise)
            elif "lm_head" in name:
                parameter.copy_(noise * 2 / parameter.shape[-1] ** 0.5)
            else:
                parameter.copy_(noise / parameter.shape[-1] ** 0.5)


def split_experts(tensors, family):
    """transformers holds the experts of a layer as two 3-D tensors; published checkpoints have one triple each."""
    if family == "gpt_oss":
        return tensors
    like_mixtral = family in ("minimax_m2", "mixtral")
    names = ("w1", "w3", "w2") if like_mixtral else ("gate_proj", "up_proj", "down_proj")
    split = {}
    for name, tensor in tensors.items():
        published = name.replace(".mlp.", ".block_sparse_moe.") if like_mixtral else name
        if name.endswith("mlp.experts.gate_up_proj"):
            prefix = published.removesuffix("gate_up_proj")
            for expert, both in enumerate(tensor):
                for part, half in zip(names, both.chunk(2)):
                    split[f"{prefix}{expert}.{part}.weight"] = half
        elif name.endswith("mlp.experts.down_proj"):
            prefix = published.removesuffix("down_proj")
            for expert, down in enumerate(tensor):
                split[f"{prefix}{expert}.{names[2]}.weight"] = down
        else:
            split[published] = tensor
    return split


def as_published_with_images(tensors, settings):
    """Qwen3.5's names: the text part has a prefix of its own, beside the images'."""
    width = settings["hidden_size"]
    named = {name.replace("model.", "model.language_model.", 1): tensor for name, tensor in tensors.items()}
    named["model.visual.blocks.0.norm1.weight"] = torch.ones(width, dtype=torch.bfloat16)
    return named


def write_weights(directory, tensors, shard_count):
    """Writes model.safetensors, or numbered files with an index."""
    tensors = {name: tensors[name].contiguous().clone() for name in sorted(tensors)}
    if shard_count == 1:
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        return
    total = sum(tensor.nbytes for tensor in tensors.values())
    shards = [{} for _ in range(shard_count)]
    seen = 0
    for name, tensor in tensors.items():
        shards[min(seen * shard_count // total, shard_count - 1)][name] = tensor
        seen += tensor.nbytes
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{shard_count:05d}.safetensors"
        save_file(shard, directory / file, metadata={"format": "pt"})
        weight_map.update({name: file for name in shard})
    index = dict(metadata=dict(total_size=total), weight_map=dict(sorted(weight_map.items())))
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def write_configuration(directory, settings, variant):
    """Writes config.json with the keys that the family's published checkpoints have."""
    written = dict(
        architectures=[class_name(variant)], model_type=family_of(variant), hidden_act="silu", **settings,
        **variant.get("extra_keys", {}), **variant.get("published_keys", {}),
        torch_dtype=str(variant["dtype"]).removeprefix("torch."))
    del written["pad_token_id"]
    if "weights" in variant:
        written["quantization_config"] = quantise.KINDS[variant["weights"]][2]
    if variant.get("rope_layout") == "nested":
        written["rope_parameters"] = variant["rope_keys"]
        written["dtype"] = written.pop("torch_dtype")
    elif variant.get("rope_layout") == "parameters":
        written["rope_parameters"] = dict(
            rope_theta=variant["rope_theta"], **(variant["rope_scaling"] or dict(rope_type="default")))
        if "rotated_share" in variant:
            written["rope_parameters"]["partial_rotary_factor"] = variant["rotated_share"]
        written["rope_parameters"].update(variant.get("rope_keys", {}))
        written["dtype"] = written.pop("torch_dtype")
    else:
        written["rope_theta"] = variant["rope_theta"]
        written["rope_scaling"] = variant["rope_scaling"]
    if family_of(variant) == "qwen3_5_moe":
        written = dict(
            architectures=["Qwen3_5MoeForConditionalGeneration"], model_type="qwen3_5_moe", image_token_id=319,
            tie_word_embeddings=written["tie_word_embeddings"], vision_config=dict(model_type="qwen3_5_moe", depth=1),
            text_config={**written, "model_type": "qwen3_5_moe_text"})
        del written["text_config"]["architectures"]
    (directory / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")


def write_tokenizer(directory, vocabulary_size):
    """Trains a byte-level BPE on a few sentences and writes its files."""
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(SPECIAL_TOKENS), show_progress=False,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(dict(
        bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>", add_bos_token=False,
        tokenizer_class="Qwen2Tokenizer", model_max_length=512, chat_template=CHAT_TEMPLATE), indent=1) + "\n")
    (directory / "generation_config.json").write_text(json.dumps(dict(
        bos_token_id=0, eos_token_id=[1, 0], do_sample=True, temperature=0.7, top_p=0.8, top_k=20), indent=1) + "\n")


def configuration_of(settings, variant, **others):
    text = "Text" if family_of(variant).startswith("qwen3_5_moe") else ""
    kind = getattr(transformers, FAMILIES[family_of(variant)][0] + text + "Config")
    return kind(**settings, **variant.get("extra_keys", {}), **others)


def new_model(settings, variant):
    if family_of(variant) == "yi_lightning":
        return yi_lightning.YiLightning(settings, variant["rope_theta"])
    if family_of(variant) != "deepseek_v4":
        return transformers.AutoModelForCausalLM.from_config(configuration_of(settings, variant))
    scaling = dict(variant["rope_scaling"] or {})
    rope = variant.get("rope_keys") or {"rope_type": scaling.pop("type"), **scaling}
    configuration = configuration_of(settings, variant, rope_parameters=rope)
    configuration._attn_implementation = "eager"
    return transformers.AutoModelForCausalLM.from_config(configuration)


def reference(settings, variant, stored):
    """The family's own class in float32 with the weights as they were rounded for storage, read back by file."""
    if family_of(variant) == "yi_lightning":
        model = new_model(settings, variant)
        model.load_state_dict({name: tensor.float() for name, tensor in stored.items()}, strict=False)
        return model.eval()
    if family_of(variant) == "deepseek_v4":
        return deepseek_v4.load(new_model(settings, variant), stored)
    rope = dict(rope_theta=variant["rope_theta"], **(variant["rope_scaling"] or dict(rope_type="default")))
    if "rotated_share" in variant:
        rope["partial_rotary_factor"] = variant["rotated_share"]
    rope.update(variant.get("rope_keys", {}))
    configuration = configuration_of(settings, variant, rope_parameters=rope)
    configuration._attn_implementation = "eager"
    with tempfile.TemporaryDirectory() as directory:
        configuration.architectures = [class_name(variant)]
        configuration.save_pretrained(directory)
        plain = {name: tensor.float().contiguous().clone() for name, tensor in stored.items()}
        save_file(plain, pathlib.Path(directory) / "model.safetensors", metadata={"format": "pt"})
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [name for name in report["missing_keys"] if not (settings["tie_word_embeddings"] and "lm_head" in name)]
    assert not missing and not report["unexpected_keys"], (missing, report["unexpected_keys"])
    return model.eval()


def rounded(tensor, digits=6):
    return [round(float(value), digits) for value in tensor]


def choices(module, arguments, logits):
    """What a router ranks experts by: probabilities; or scores with a bias, -inf outside of the best groups."""
    bias = arguments[1] if len(arguments) > 1 else getattr(module, "e_score_correction_bias", None)
    if bias is None:
        return logits.softmax(-1)
    ranked = logits.sigmoid() + bias
    if getattr(module, "num_group", 1) > 1:
        groups = ranked.unflatten(-1, (module.num_group, -1))
        best = groups.topk(2, -1).values.sum(-1).topk(module.topk_group, -1).indices
        chosen = torch.zeros(groups.shape[:-1], dtype=torch.bool).scatter(-1, best, True)
        ranked = groups.masked_fill(~chosen[..., None], float("-inf")).flatten(-2)
    return ranked


def record_routers(model):
    """What the routers say during the next forward passes: a list that fills, one pair per layer with a router."""
    records = []

    def record(module, arguments, result):
        if "DeepseekV4" in type(module).__name__:
            return records.append(deepseek_v4.choices(module, result[0], result[2]))
        ranked, chosen = choices(module, arguments, result[0]), result[2]
        order = ranked.gather(-1, chosen).sort(dim=-1, descending=True, stable=True).indices
        records.append((ranked, chosen.gather(-1, order)))

    for name, module in model.named_modules():
        if name.endswith(("mlp.gate", "mlp.router")):
            module.register_forward_hook(record)
    return records


def routed_experts(records, positions):
    """Per position, per layer: the experts in the router's order; and how close the closest decision was."""
    experts = [[chosen[position].tolist() for _, chosen in records] for position in positions]
    margins = [float("inf")]
    for probabilities, chosen in records:
        ranked = probabilities[positions].sort(-1, descending=True).values[:, :chosen.shape[-1] + 1]
        margins.append(float((ranked[:, :-1] - ranked[:, 1:]).min()))
    return experts, min(margins)


def answer(model, prompt, records, predict):
    """Greedy continuation by whole-sequence computation (no cache), and what the model thinks at every position; also
    what `predict` says, if there is one."""
    ids = prompt
    margins = []
    with torch.no_grad():
        for _ in range(GREEDY_TOKENS):
            best = model(ids[None], use_cache=False).logits[0, -1].topk(2)
            margins.append(float(best.values[0] - best.values[1]))
            ids = torch.cat([ids, best.indices[:1]])
        records.clear()
        logits = model(ids[None], use_cache=False).logits[0]
        passed = list(records)
        predictions = {"prediction": prediction.answer(predict(model, ids), ids, rounded)} if predict else {}
    last = len(prompt) - 1
    experts, router_margin = routed_experts(passed, list(range(last, len(ids) - 1)))
    top = logits.topk(TOP, dim=-1)
    return dict(
        prompt=prompt.tolist(), greedy=ids[len(prompt):].tolist(), greedy_margins=rounded(margins),
        routed_experts=experts, router_margin=round(router_margin, 6),
        log_sum_exp=rounded(logits.double().logsumexp(-1)), token_logits=rounded(
            logits[:-1].gather(1, ids[1:, None])[:, 0]),
        top_ids=top.indices.tolist(), top_logits=[rounded(row, 5) for row in top.values],
        full_logits={str(last): rounded(logits[last]), str(len(ids) - 1): rounded(logits[-1])}, **predictions)


def stored_as(model, variant):
    """The tensors of a model as they are rounded for storage."""
    is_v4 = family_of(variant) == "deepseek_v4"
    return {
        key: value if key.endswith("e_score_correction_bias") or is_v4 and deepseek_v4.is_stored_exactly(key)
        else value.to(variant["dtype"])
        for key, value in model.state_dict().items()}


def published_names(stored, variant):
    """The split form, which is the one that is published and that the reference gets."""
    family = family_of(variant)
    return deepseek_v4.publish(stored) if family == "deepseek_v4" else split_experts(stored, family)


def prediction_layer(settings, variant):
    """The tensors of a layer that predicts a further token, and what computes it with the reference and its tokens."""
    family = family_of(variant)
    keys = {**variant.get("extra_keys", {}), **prediction.KEYS_OF_FAMILY.get(family, {})}
    own = prediction.settings_of_layer(settings, family)
    own_variant = {**variant, "extra_keys": keys}
    model = new_model(own, own_variant)
    random_weights(model, variant["seed"] + 2000)
    stored = stored_as(model, variant)
    meant = published_names(stored, variant)
    layer = reference(own, own_variant, meant)
    entry = prediction.random_entry(settings["hidden_size"], family, variant["seed"] + 3000, variant["dtype"])
    tensors = prediction.published(
        stored if variant.get("fused") else meant, entry, family, settings["num_hidden_layers"])
    return tensors, lambda oracle, ids: prediction.logits(oracle, layer, entry, family, ids)


def make(name):
    variant = VARIANTS[name]
    settings = {**FAMILIES[family_of(variant)][1], **variant["changes"]}
    directory = HERE / "checkpoints" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    model = new_model(settings, variant)
    random_weights(model, variant["seed"])
    stored = stored_as(model, variant)
    if settings["tie_word_embeddings"]:
        stored.pop("lm_head.weight", None)
    meant = published_names(stored, variant)
    if family_of(variant) == "yi_lightning":
        stored = yi_lightning.fuse_experts(stored) if variant.get("fused") else stored
    elif not variant.get("fused"):
        stored = meant
    if "weights" in variant:
        stored, meant = quantise.quantise(stored, variant["weights"])
    oracle = reference(settings, variant, meant)
    if family_of(variant) == "qwen3_5_moe":
        stored = as_published_with_images(stored, settings)
    predict = None
    if any(count in variant.get("published_keys", {}) for count in PREDICTION_COUNTS):
        tensors, predict = prediction_layer(settings, variant)
        stored.update(tensors)
    write_weights(directory, stored, variant["shards"])
    write_configuration(directory, settings, variant)
    write_tokenizer(directory, settings["vocab_size"])
    records = record_routers(oracle)
    generator = torch.Generator().manual_seed(variant["seed"] + 1000)
    prompts = [torch.randint(3, settings["vocab_size"], (length,), generator=generator) for length in PROMPT_LENGTHS]
    golden = dict(
        model=name, seed=variant["seed"], transformers=transformers.__version__, torch=torch.__version__.split("+")[0],
        answers=[answer(oracle, prompt, records, predict) for prompt in prompts])
    (directory / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for path in directory.iterdir():
        path.chmod(0o644)
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    assert max(sizes.values()) <= SHARD_BYTES_MAX, sizes
    margin = min(min(entry["greedy_margins"]) for entry in golden["answers"])
    router_margin = min(entry["router_margin"] for entry in golden["answers"])
    print(f"{name}: {sum(sizes.values()) / 1e6:.2f} MB, smallest greedy margin {margin:.4f}, "
          f"of a router {router_margin:.6f}, golden {sizes['golden.json'] / 1e3:.0f} kB")


if __name__ == "__main__":
    torch.Tensor.topk = torch.topk = first_of_equals
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for requested in sys.argv[1:] or VARIANTS:
        make(requested)
