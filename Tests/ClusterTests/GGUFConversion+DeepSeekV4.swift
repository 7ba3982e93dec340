import Basics
import TestSupport

/// DeepSeek-V4, whose tensors have names of their own where it is published.
extension GGUFConversion {
    /// GGUF's name of a tensor; nil for those of single experts.
    static func deepSeek4Name(of name: String) -> String? {
        if let stored = deepSeek4Names[name] { return stored }
        guard let match = name.wholeMatch(of: /layers\.([0-9]+)\.(.+)/) else { return nil }
        return deepSeek4LayerNames[String(match.2)].map { "blk.\(match.1).\($0)" }
    }

    /// The keys that no other architecture has.
    func deepSeek4Keys() -> [(String, GGUFBuilder.Value)] {
        guard conversion.architecture == "deepseek4" else { return [] }
        let layers = integer("num_hidden_layers") + furtherLayers
        let ratios = (configuration["compress_ratios"]?.array ?? []).map { Int32($0.integer ?? 0) }
        let further = [Int32](repeating: 0, count: layers - ratios.count)
        let limit = GGUFBuilder.Value.float32(Float(configuration["swiglu_limit"]?.double ?? 0))
        return counts([
            "q_lora_rank": "attention.q_lora_rank", "o_groups": "attention.output_group_count",
            "o_lora_rank": "attention.output_lora_rank", "index_n_heads": "attention.indexer.head_count",
            "index_head_dim": "attention.indexer.key_length", "index_topk": "attention.indexer.top_k",
            "hc_mult": "hyper_connection.count", "hc_sinkhorn_iters": "hyper_connection.sinkhorn_iterations",
            "num_hash_layers": "hash_layer_count",
        ]) + [
            ("hyper_connection.epsilon", .float32(Float(configuration["hc_eps"]?.double ?? 0))),
            ("attention.compress_ratios", .array(kind: 5, (ratios + further).map(GGUFBuilder.Value.int32))),
            (
                "attention.compress_rope_freq_base",
                .float32(Float(configuration["compress_rope_theta"]?.double ?? 0))
            ),
            ("swiglu_clamp_exp", .array(kind: 6, [GGUFBuilder.Value](repeating: limit, count: layers))),
            ("swiglu_clamp_shexp", .array(kind: 6, [GGUFBuilder.Value](repeating: limit, count: layers))),
        ]
    }

    private static let deepSeek4Names = [
        "embed.weight": "token_embd.weight", "norm.weight": "output_norm.weight", "head.weight": "output.weight",
        "hc_head_fn": "output_hc_fn.weight", "hc_head_base": "output_hc_base.weight",
        "hc_head_scale": "output_hc_scale.weight",
    ]

    private static let deepSeek4LayerNames = [
        "attn_norm.weight": "attn_norm.weight", "ffn_norm.weight": "ffn_norm.weight",
        "hc_attn_fn": "hc_attn_fn.weight", "hc_attn_base": "hc_attn_base.weight",
        "hc_attn_scale": "hc_attn_scale.weight", "hc_ffn_fn": "hc_ffn_fn.weight",
        "hc_ffn_base": "hc_ffn_base.weight", "hc_ffn_scale": "hc_ffn_scale.weight",
        "attn.attn_sink": "attn_sinks.weight",
        "attn.wq_a.weight": "attn_q_a.weight", "attn.wq_b.weight": "attn_q_b.weight",
        "attn.q_norm.weight": "attn_q_a_norm.weight",
        "attn.wkv.weight": "attn_kv.weight", "attn.kv_norm.weight": "attn_kv_a_norm.weight",
        "attn.wo_a.weight": "attn_output_a.weight", "attn.wo_b.weight": "attn_output_b.weight",
        "attn.compressor.ape": "attn_compressor_ape.weight",
        "attn.compressor.wkv.weight": "attn_compressor_kv.weight",
        "attn.compressor.wgate.weight": "attn_compressor_gate.weight",
        "attn.compressor.norm.weight": "attn_compressor_norm.weight",
        "attn.indexer.wq_b.weight": "indexer.attn_q_b.weight",
        "attn.indexer.weights_proj.weight": "indexer.proj.weight",
        "attn.indexer.compressor.ape": "indexer_compressor_ape.weight",
        "attn.indexer.compressor.wkv.weight": "indexer_compressor_kv.weight",
        "attn.indexer.compressor.wgate.weight": "indexer_compressor_gate.weight",
        "attn.indexer.compressor.norm.weight": "indexer_compressor_norm.weight",
        "ffn.gate.weight": "ffn_gate_inp.weight", "ffn.gate.bias": "exp_probs_b.bias",
        "ffn.shared_experts.w1.weight": "ffn_gate_shexp.weight",
        "ffn.shared_experts.w2.weight": "ffn_down_shexp.weight",
        "ffn.shared_experts.w3.weight": "ffn_up_shexp.weight",
    ]
}
