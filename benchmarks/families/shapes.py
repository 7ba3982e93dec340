"""Families at the layer shapes of their published models: fewer layers and experts, nothing else is smaller.

Four times as many experts as a token picks are enough for a prompt to spread over them as it does over all. The
vocabulary is small, so that the layers are what is timed.
"""

VOCABULARY = 4096

Tensors = dict[str, tuple[int, ...]]


def base(family: str, hidden: int, layers: int, **more) -> dict:
    return {
        "model_type": family, "hidden_size": hidden, "num_hidden_layers": layers, "vocab_size": VOCABULARY,
        "max_position_embeddings": 65536, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": False,
        **more}


def outer(hidden: int, prefix: str = "model") -> Tensors:
    return {
        f"{prefix}.embed_tokens.weight": (VOCABULARY, hidden), f"{prefix}.norm.weight": (hidden,),
        "lm_head.weight": (VOCABULARY, hidden)}


def norms(prefix: str, hidden: int) -> Tensors:
    return {f"{prefix}.{name}.weight": (hidden,) for name in ("input_layernorm", "post_attention_layernorm")}


def ffn(prefix: str, hidden: int, width: int, names=("gate_proj", "up_proj", "down_proj")) -> Tensors:
    gate, up, down = names
    return {
        f"{prefix}.{gate}.weight": (width, hidden), f"{prefix}.{up}.weight": (width, hidden),
        f"{prefix}.{down}.weight": (hidden, width)}


def experts(prefix: str, hidden: int, width: int, count: int, **names) -> Tensors:
    found = {f"{prefix}.gate.weight": (count, hidden)}
    for index in range(count):
        found |= ffn(f"{prefix}.experts.{index}", hidden, width, **names)
    return found


def grouped_query(prefix: str, hidden: int, heads: int, key_heads: int, width: int, biases=()) -> Tensors:
    widths = {"q_proj": heads * width, "k_proj": key_heads * width, "v_proj": key_heads * width}
    found = {f"{prefix}.{name}.weight": (rows, hidden) for name, rows in widths.items()}
    found |= {f"{prefix}.{name}.bias": (rows,) for name, rows in widths.items() if name in biases}
    return found | {f"{prefix}.o_proj.weight": (hidden, heads * width)}


def qwen3_moe() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width = 2048, 6, 32, 768
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        tensors |= norms(prefix, hidden) | grouped_query(f"{prefix}.self_attn", hidden, 32, 4, 128)
        tensors |= {f"{prefix}.self_attn.{name}.weight": (128,) for name in ("q_norm", "k_norm")}
        tensors |= experts(f"{prefix}.mlp", hidden, width, count)
    return "Qwen3-30B-A3B", base(
        "qwen3_moe", hidden, layers, num_attention_heads=32, num_key_value_heads=4, head_dim=128, num_experts=count,
        num_experts_per_tok=8, moe_intermediate_size=width, norm_topk_prob=True, rope_theta=1e6), tensors


def glm4_moe() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width, dense = 4096, 3, 32, 1408, 10944
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        tensors |= norms(prefix, hidden)
        tensors |= grouped_query(f"{prefix}.self_attn", hidden, 96, 8, 128, biases=("q_proj", "k_proj", "v_proj"))
        if layer == 0:
            tensors |= ffn(f"{prefix}.mlp", hidden, dense)
            continue
        tensors |= experts(f"{prefix}.mlp", hidden, width, count) | ffn(f"{prefix}.mlp.shared_experts", hidden, width)
        tensors[f"{prefix}.mlp.gate.e_score_correction_bias"] = (count,)
    return "GLM-4.5-Air", base(
        "glm4_moe", hidden, layers, num_attention_heads=96, num_key_value_heads=8, head_dim=128,
        partial_rotary_factor=0.5, attention_bias=True, n_routed_experts=count, num_experts_per_tok=8,
        n_shared_experts=1, moe_intermediate_size=width, intermediate_size=dense, first_k_dense_replace=1,
        n_group=1, topk_group=1, norm_topk_prob=True, routed_scaling_factor=1.0, rope_theta=1e6), tensors


def minimax_m2() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width = 3072, 3, 32, 1536
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        mixture = f"{prefix}.block_sparse_moe"
        tensors |= norms(prefix, hidden) | grouped_query(f"{prefix}.self_attn", hidden, 48, 8, 128)
        tensors[f"{prefix}.self_attn.q_norm.weight"] = (48 * 128,)
        tensors[f"{prefix}.self_attn.k_norm.weight"] = (8 * 128,)
        tensors |= experts(mixture, hidden, width, count, names=("w1", "w3", "w2"))
        tensors[f"{mixture}.e_score_correction_bias"] = (count,)
    return "MiniMax-M2", base(
        "minimax_m2", hidden, layers, num_attention_heads=48, num_key_value_heads=8, head_dim=128, rotary_dim=64,
        num_local_experts=count, num_experts_per_tok=8, intermediate_size=width, scoring_func="sigmoid",
        use_qk_norm=True, qk_norm_type="per_layer", use_routing_bias=True, rope_theta=5e6), tensors


def mixtral() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width = 4096, 1, 8, 14336
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        tensors |= norms(prefix, hidden) | grouped_query(f"{prefix}.self_attn", hidden, 32, 8, 128)
        tensors |= experts(f"{prefix}.block_sparse_moe", hidden, width, count, names=("w1", "w3", "w2"))
    return "Mixtral 8x7B", base(
        "mixtral", hidden, layers, num_attention_heads=32, num_key_value_heads=8, num_local_experts=count,
        num_experts_per_tok=2, intermediate_size=width, rope_theta=1e6), tensors


def latent(prefix: str, hidden: int, heads: int, query: int, key: int, plain: int, rotated: int, value: int) -> Tensors:
    return {
        f"{prefix}.q_a_proj.weight": (query, hidden), f"{prefix}.q_a_layernorm.weight": (query,),
        f"{prefix}.q_b_proj.weight": (heads * (plain + rotated), query),
        f"{prefix}.kv_a_proj_with_mqa.weight": (key + rotated, hidden), f"{prefix}.kv_a_layernorm.weight": (key,),
        f"{prefix}.kv_b_proj.weight": (heads * (plain + value), key),
        f"{prefix}.o_proj.weight": (hidden, heads * value)}


def indexer(prefix: str, hidden: int, heads: int, query: int) -> Tensors:
    return {
        f"{prefix}.wq_b.weight": (heads * 128, query), f"{prefix}.wk.weight": (128, hidden),
        f"{prefix}.k_norm.weight": (128,), f"{prefix}.k_norm.bias": (128,),
        f"{prefix}.weights_proj.weight": (heads, hidden)}


def latent_family(family: str, hidden: int, heads: int, query: int, plain: int, value: int, dense: int, indexers=0):
    """Two layers, a dense one and one with experts, as those of DeepSeek-V3 and its kin."""
    count, width = 16, 2048
    tensors = outer(hidden)
    for layer in range(2):
        prefix = f"model.layers.{layer}"
        tensors |= norms(prefix, hidden) | latent(f"{prefix}.self_attn", hidden, heads, query, 512, plain, 64, value)
        if indexers:
            tensors |= indexer(f"{prefix}.self_attn.indexer", hidden, indexers, query)
        if layer == 0:
            tensors |= ffn(f"{prefix}.mlp", hidden, dense)
            continue
        tensors |= experts(f"{prefix}.mlp", hidden, width, count) | ffn(f"{prefix}.mlp.shared_experts", hidden, width)
        tensors[f"{prefix}.mlp.gate.e_score_correction_bias"] = (count,)
    configuration = base(
        family, hidden, 2, num_attention_heads=heads, num_key_value_heads=heads, q_lora_rank=query, kv_lora_rank=512,
        qk_nope_head_dim=plain, qk_rope_head_dim=64, v_head_dim=value, n_routed_experts=count, num_experts_per_tok=8,
        n_shared_experts=1, n_group=1, topk_group=1, moe_intermediate_size=width, intermediate_size=dense,
        first_k_dense_replace=1, norm_topk_prob=True, scoring_func="sigmoid", routed_scaling_factor=2.5, rope_theta=1e4)
    if indexers:
        configuration |= {"index_n_heads": indexers, "index_head_dim": 128, "index_topk": 2048}
    return configuration, tensors


def deepseek_v3() -> tuple[str, dict, Tensors]:
    return "DeepSeek-V3", *latent_family("deepseek_v3", 7168, 128, 1536, 128, 128, 18432)


def deepseek_v32() -> tuple[str, dict, Tensors]:
    return "DeepSeek-V3.2", *latent_family("deepseek_v32", 7168, 128, 1536, 128, 128, 18432, indexers=64)


def glm_moe_dsa() -> tuple[str, dict, Tensors]:
    return "GLM-5", *latent_family("glm_moe_dsa", 6144, 64, 2048, 192, 256, 12288, indexers=32)


def qwen3_5_moe() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width = 2048, 8, 32, 512
    keys, values = 16 * 128, 32 * 128
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        tensors |= norms(prefix, hidden)
        if layer % 4 == 3:
            attention = f"{prefix}.self_attn"
            tensors |= grouped_query(attention, hidden, 16, 2, 256)
            tensors[f"{attention}.q_proj.weight"] = (2 * 16 * 256, hidden)
            tensors |= {f"{attention}.{name}.weight": (256,) for name in ("q_norm", "k_norm")}
        else:
            delta = f"{prefix}.linear_attn"
            tensors |= {
                f"{delta}.A_log": (32,), f"{delta}.dt_bias": (32,), f"{delta}.norm.weight": (128,),
                f"{delta}.conv1d.weight": (2 * keys + values, 1, 4), f"{delta}.in_proj_a.weight": (32, hidden),
                f"{delta}.in_proj_b.weight": (32, hidden), f"{delta}.in_proj_qkv.weight": (2 * keys + values, hidden),
                f"{delta}.in_proj_z.weight": (values, hidden), f"{delta}.out_proj.weight": (hidden, values)}
        tensors |= experts(f"{prefix}.mlp", hidden, width, count) | ffn(f"{prefix}.mlp.shared_expert", hidden, width)
        tensors[f"{prefix}.mlp.shared_expert_gate.weight"] = (1, hidden)
    return "Qwen3.5-35B-A3B", base(
        "qwen3_5_moe_text", hidden, layers, num_attention_heads=16, num_key_value_heads=2, head_dim=256,
        linear_conv_kernel_dim=4, linear_key_head_dim=128, linear_num_key_heads=16, linear_num_value_heads=32,
        linear_value_head_dim=128, num_experts=count, num_experts_per_tok=8, moe_intermediate_size=width,
        shared_expert_intermediate_size=width, rope_parameters={"rope_theta": 1e7, "rope_type": "default"}), tensors


def gpt_oss() -> tuple[str, dict, Tensors]:
    hidden, layers, count, width = 2880, 4, 16, 2880
    tensors = outer(hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        attention, mixture = f"{prefix}.self_attn", f"{prefix}.mlp"
        tensors |= norms(prefix, hidden)
        tensors |= grouped_query(attention, hidden, 64, 8, 64, biases=("q_proj", "k_proj", "v_proj"))
        tensors |= {
            f"{attention}.o_proj.bias": (hidden,), f"{attention}.sinks": (64,),
            f"{mixture}.router.weight": (count, hidden), f"{mixture}.router.bias": (count,),
            f"{mixture}.experts.gate_up_proj": (count, hidden, 2 * width),
            f"{mixture}.experts.gate_up_proj_bias": (count, 2 * width),
            f"{mixture}.experts.down_proj": (count, width, hidden),
            f"{mixture}.experts.down_proj_bias": (count, hidden)}
    return "GPT-OSS 20B", base(
        "gpt_oss", hidden, layers, num_attention_heads=64, num_key_value_heads=8, head_dim=64, attention_bias=True,
        num_local_experts=count, num_experts_per_tok=4, intermediate_size=width, sliding_window=128,
        swiglu_limit=7.0), tensors


ALL = {
    "qwen3_moe": qwen3_moe, "deepseek_v3": deepseek_v3, "deepseek_v32": deepseek_v32, "glm4_moe": glm4_moe,
    "glm_moe_dsa": glm_moe_dsa, "gpt_oss": gpt_oss, "minimax_m2": minimax_m2, "mixtral": mixtral,
    "qwen3_5_moe": qwen3_5_moe}
