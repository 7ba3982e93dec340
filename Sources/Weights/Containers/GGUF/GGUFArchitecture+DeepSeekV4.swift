import Basics

extension GGUFArchitecture {
    /// DeepSeek-V4. Tensors keep their shapes and orders; only the table of experts becomes 32-bit numbers.
    static let deepSeek4 = GGUFArchitecture(
        name: "deepseek4",
        modelTensors: [
            "token_embd.weight": "model.embed_tokens.weight",
            "output_norm.weight": "model.norm.weight",
            "output.weight": "lm_head.weight",
            "output_hc_fn.weight": "model.hc_head.hc_fn",
            "output_hc_base.weight": "model.hc_head.hc_base",
            "output_hc_scale.weight": "model.hc_head.hc_scale",
        ],
        layerTensors: joined(
            attentionNorm, compressedAttention, entryIndexer, streams("attn"), feedForwardNorm, streams("ffn"), mixture,
            choiceBias, sharedExpert("shared_experts"),
            [
                "ffn_gate_tid2eid.weight": "mlp.gate.tid2eid",
                // Of models that can see: for tokens of images alone, which are not served.
                "exp_probs_b_vl.bias": "mlp.gate.bias_vl",
            ]),
        configuration: { reader throws(WeightsError) in try deepSeek4Configuration(reader) })

    private static let compressedAttention = [
        "attn_q_a.weight": "self_attn.q_a_proj.weight",
        "attn_q_a_norm.weight": "self_attn.q_a_norm.weight",
        "attn_q_b.weight": "self_attn.q_b_proj.weight",
        "attn_kv.weight": "self_attn.kv_proj.weight",
        "attn_kv_a_norm.weight": "self_attn.kv_norm.weight",
        "attn_sinks.weight": "self_attn.sinks",
        "attn_output_a.weight": "self_attn.o_a_proj.weight",
        "attn_output_b.weight": "self_attn.o_b_proj.weight",
        "attn_compressor_kv.weight": "self_attn.compressor.kv_proj.weight",
        "attn_compressor_gate.weight": "self_attn.compressor.gate_proj.weight",
        "attn_compressor_ape.weight": "self_attn.compressor.position_bias",
        "attn_compressor_norm.weight": "self_attn.compressor.kv_norm.weight",
    ]
    private static let entryIndexer = [
        "indexer.attn_q_b.weight": "self_attn.compressor.indexer.q_b_proj.weight",
        "indexer.proj.weight": "self_attn.compressor.indexer.scorer.weights_proj.weight",
        "indexer_compressor_kv.weight": "self_attn.compressor.indexer.kv_proj.weight",
        "indexer_compressor_gate.weight": "self_attn.compressor.indexer.gate_proj.weight",
        "indexer_compressor_ape.weight": "self_attn.compressor.indexer.position_bias",
        "indexer_compressor_norm.weight": "self_attn.compressor.indexer.kv_norm.weight",
    ]

    /// What mixes the streams of the residual around the block that `name` says.
    private static func streams(_ name: String) -> [String: String] {
        [
            "hc_\(name)_fn.weight": "\(name)_hc.fn", "hc_\(name)_base.weight": "\(name)_hc.base",
            "hc_\(name)_scale.weight": "\(name)_hc.scale",
        ]
    }

    private static func deepSeek4Configuration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        let width = try reader.integer("attention.key_length")
        try reader.require("attention.value_length", [Double(width)])
        // 4 is the root of softplus.
        try reader.require("expert_gating_func", [4], isNeeded: true)
        let limit = try reader.numberOfAllLayers("swiglu_clamp_exp")
        if reader.metadata[reader.key("swiglu_clamp_shexp")] != nil {
            _ = try reader.numberOfAllLayers("swiglu_clamp_shexp", expected: limit)
        }
        return try reader.decoder(
            "deepseek_v4", class: "DeepseekV4ForCausalLM", scaling: reader.ropeScaling(),
            [
                "num_key_value_heads": try reader.count("attention.head_count_kv", default: 1),
                "head_dim": .integer(Int64(width)), "qk_rope_head_dim": try reader.count("rope.dimension_count"),
                "q_lora_rank": try reader.count("attention.q_lora_rank"),
                "o_groups": try reader.count("attention.output_group_count"),
                "o_lora_rank": try reader.count("attention.output_lora_rank"),
                "sliding_window": try reader.count("attention.sliding_window"),
                "compress_ratios": try reader.integers("attention.compress_ratios"),
                "compress_rope_theta": .double(try reader.number("attention.compress_rope_freq_base")),
                "index_n_heads": try reader.count("attention.indexer.head_count"),
                "index_head_dim": try reader.count("attention.indexer.key_length"),
                "index_topk": try reader.count("attention.indexer.top_k"),
                "hc_mult": try reader.count("hyper_connection.count"),
                "hc_sinkhorn_iters": try reader.count("hyper_connection.sinkhorn_iterations"),
                "hc_eps": .double(try reader.number("hyper_connection.epsilon")),
                "num_hash_layers": try reader.count("hash_layer_count"),
                "n_routed_experts": try reader.count("expert_count"),
                "num_experts_per_tok": try reader.count("expert_used_count"),
                "moe_intermediate_size": try reader.count("expert_feed_forward_length"),
                "n_shared_experts": try reader.count("expert_shared_count"),
                "norm_topk_prob": .bool(try reader.flag("expert_weights_norm", default: true)),
                "routed_scaling_factor": .double(try reader.number("expert_weights_scale")),
                "scoring_func": "sqrtsoftplus", "swiglu_limit": .double(limit),
            ])
    }
}

extension GGUFReader {
    /// A list of whole numbers. How many there have to be is the model's business.
    fileprivate func integers(_ name: String) throws(WeightsError) -> JSON {
        let key = key(name)
        let expected = "a list of whole numbers"
        guard let value = metadata[key] else {
            throw .metadataInvalid(file: file, key: key, found: "missing", expected: expected)
        }
        guard let elements = value.array, elements.allSatisfy({ $0.integer != nil }) else {
            throw invalid(key, value, expected)
        }
        return value
    }

    /// A number that is written once, or for each layer and is the same for all.
    /// - Parameter other: what it has to be; nil if it may be any.
    fileprivate func numberOfAllLayers(
        _ name: String, expected other: Double? = nil
    ) throws(WeightsError) -> Double {
        let key = key(name)
        let expected = other.map { "\($0)" } ?? "a number"
        guard let value = metadata[key] else {
            throw .metadataInvalid(file: file, key: key, found: "missing", expected: expected)
        }
        let numbers = (value.array ?? [value]).map(\.double)
        guard let first = numbers.first ?? nil, first.isFinite, numbers.allSatisfy({ $0 == first }) else {
            throw invalid(key, value, "\(expected), the same for all layers")
        }
        let number = Self.decimal(first)
        guard other == nil || number == other else { throw invalid(key, .double(number), "\(expected) as of experts") }
        return number
    }
}
