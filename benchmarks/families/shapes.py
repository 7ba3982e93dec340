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


def compressor(prefix: str, hidden: int, positions: int, width: int) -> Tensors:
    """`width` is twice an entry's where windows overlap."""
    entry = width // 2 if positions == 4 else width
    return {
        f"{prefix}.wkv.weight": (width, hidden), f"{prefix}.wgate.weight": (width, hidden),
        f"{prefix}.ape": (positions, width), f"{prefix}.norm.weight": (entry,)}


def entries_attention(prefix: str, hidden: int, positions: int) -> Tensors:
    """Attention of DeepSeek-V4 with entries of so many positions, none if 0."""
    heads, head, query, groups, rank = 64, 512, 1024, 8, 1024
    found = {
        f"{prefix}.wq_a.weight": (query, hidden), f"{prefix}.q_norm.weight": (query,),
        f"{prefix}.wq_b.weight": (heads * head, query), f"{prefix}.wkv.weight": (head, hidden),
        f"{prefix}.kv_norm.weight": (head,), f"{prefix}.attn_sink": (heads,),
        f"{prefix}.wo_a.weight": (groups * rank, heads * head // groups),
        f"{prefix}.wo_b.weight": (hidden, groups * rank)}
    if positions == 128:
        found |= compressor(f"{prefix}.compressor", hidden, positions, head)
    if positions == 4:
        found |= compressor(f"{prefix}.compressor", hidden, positions, 2 * head)
        found |= compressor(f"{prefix}.indexer.compressor", hidden, positions, 2 * 128)
        found |= {
            f"{prefix}.indexer.wq_b.weight": (64 * 128, query), f"{prefix}.indexer.weights_proj.weight": (64, hidden)}
    return found


def deepseek_v4() -> tuple[str, dict, Tensors]:
    hidden, ratios, count, width, streams = 4096, [4, 128, 4, 128], 12, 2048, 4
    tensors = {
        "embed.weight": (VOCABULARY, hidden), "norm.weight": (hidden,), "head.weight": (VOCABULARY, hidden),
        "hc_head_fn": (streams, streams * hidden), "hc_head_base": (streams,), "hc_head_scale": (1,)}
    for layer, positions in enumerate(ratios):
        prefix = f"layers.{layer}"
        tensors |= {f"{prefix}.attn_norm.weight": (hidden,), f"{prefix}.ffn_norm.weight": (hidden,)}
        for block in ("attn", "ffn"):
            mixes = (2 + streams) * streams
            tensors |= {
                f"{prefix}.hc_{block}_fn": (mixes, streams * hidden), f"{prefix}.hc_{block}_base": (mixes,),
                f"{prefix}.hc_{block}_scale": (3,)}
        names = ("w1", "w3", "w2")
        tensors |= entries_attention(f"{prefix}.attn", hidden, positions)
        tensors |= experts(f"{prefix}.ffn", hidden, width, count, names=names)
        tensors |= ffn(f"{prefix}.ffn.shared_experts", hidden, width, names)
        tensors[f"{prefix}.ffn.gate.bias"] = (count,)
    return "DeepSeek-V4-Flash", base(
        "deepseek_v4", hidden, len(ratios), num_attention_heads=64, num_key_value_heads=1, head_dim=512,
        q_lora_rank=1024, o_groups=8, o_lora_rank=1024, qk_rope_head_dim=64, sliding_window=128, index_n_heads=64,
        index_head_dim=128, index_topk=512, compress_ratios=ratios, num_hash_layers=0, n_routed_experts=count,
        n_shared_experts=1, num_experts_per_tok=6, moe_intermediate_size=width, routed_scaling_factor=1.5,
        swiglu_limit=10.0, hc_mult=streams, hc_sinkhorn_iters=20, hc_eps=1e-6, scoring_func="sqrtsoftplus",
        rope_theta=1e4, compress_rope_theta=1.6e5, rope_scaling={
            "type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1,
            "original_max_position_embeddings": 65536}), tensors


ALL = {
    "qwen3_moe": qwen3_moe, "deepseek_v3": deepseek_v3, "deepseek_v32": deepseek_v32, "deepseek_v4": deepseek_v4,
    "glm4_moe": glm4_moe, "glm_moe_dsa": glm_moe_dsa, "gpt_oss": gpt_oss, "minimax_m2": minimax_m2, "mixtral": mixtral,
    "qwen3_5_moe": qwen3_5_moe}
