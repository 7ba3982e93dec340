import Basics

extension GGUFArchitecture {
    /// Qwen3-MoE: Qwen3-30B-A3B and its sisters.
    static let qwen3Moe = GGUFArchitecture(
        name: "qwen3moe",
        modelTensors: [
            "token_embd.weight": "model.embed_tokens.weight",
            "output_norm.weight": "model.norm.weight",
            "output.weight": "lm_head.weight",
        ],
        layerTensors: [
            "attn_norm.weight": "input_layernorm.weight",
            "attn_q.weight": "self_attn.q_proj.weight",
            "attn_k.weight": "self_attn.k_proj.weight",
            "attn_v.weight": "self_attn.v_proj.weight",
            "attn_output.weight": "self_attn.o_proj.weight",
            "attn_q_norm.weight": "self_attn.q_norm.weight",
            "attn_k_norm.weight": "self_attn.k_norm.weight",
            "ffn_norm.weight": "post_attention_layernorm.weight",
            "ffn_gate_inp.weight": "mlp.gate.weight",
            // The experts of a layer in one tensor each, stacked; newer files may have gate and up in one.
            "ffn_gate_exps.weight": "mlp.experts.gate_proj",
            "ffn_up_exps.weight": "mlp.experts.up_proj",
            "ffn_gate_up_exps.weight": "mlp.experts.gate_up_proj",
            "ffn_down_exps.weight": "mlp.experts.down_proj",
        ],
        configuration: { reader throws(WeightsError) in try qwen3MoeConfiguration(reader) })

    private static func qwen3MoeConfiguration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        func integer(_ name: String, default fallback: Int? = nil) throws(WeightsError) -> JSON {
            .integer(Int64(try reader.integer(name, default: fallback)))
        }
        let hidden = try reader.integer("embedding_length")
        let heads = try reader.integer("attention.head_count")
        let headWidth = try reader.integer("attention.key_length", default: heads > 0 ? hidden / heads : 0)
        let expertsPerToken = try reader.integer("expert_used_count")
        let denseWidth = try reader.integer("feed_forward_length", default: 0)
        // Files that do not say how wide an expert is mean that those of a token are as wide as a dense block.
        let expertWidth = try reader.integer(
            "expert_feed_forward_length", default: expertsPerToken > 0 ? denseWidth / expertsPerToken : 0)
        try reader.require("attention.value_length", [Double(headWidth)])
        try reader.require("rope.dimension_count", [Double(headWidth)])
        // 1 is a softmax over all experts. The weights of the chosen ones are divided by their sum, always.
        try reader.require("expert_gating_func", [1])
        return [
            "architectures": ["Qwen3MoeForCausalLM"],
            "model_type": "qwen3_moe",
            "vocab_size": .integer(Int64(try reader.vocabularySize())),
            "hidden_size": .integer(Int64(hidden)),
            "num_hidden_layers": try integer("block_count"),
            "num_attention_heads": .integer(Int64(heads)),
            "num_key_value_heads": try integer("attention.head_count_kv", default: heads),
            "head_dim": .integer(Int64(headWidth)),
            "num_experts": try integer("expert_count"),
            "num_experts_per_tok": .integer(Int64(expertsPerToken)),
            "moe_intermediate_size": .integer(Int64(expertWidth)),
            "intermediate_size": .integer(Int64(denseWidth > 0 ? denseWidth : expertWidth)),
            "norm_topk_prob": true,
            "rms_norm_eps": .double(try reader.number("attention.layer_norm_rms_epsilon")),
            "rope_theta": .double(try reader.number("rope.freq_base", default: 10_000)),
            "rope_scaling": try reader.ropeScaling(),
            "max_position_embeddings": try integer("context_length"),
            "tie_word_embeddings": .bool(reader.tensors["lm_head.weight"] == nil),
            "bos_token_id": try reader.tokens("bos"),
            "eos_token_id": try reader.tokens("eos", "eot", "eom"),
        ]
    }
}
