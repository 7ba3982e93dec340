import Basics

extension GGUFArchitecture {
    /// DeepSeek-V3, R1, Kimi-K2, and others with their blocks. DeepSeek-V2, whose files have the same name, has a
    /// softmax router and is told apart by `expert_gating_func`.
    static let deepSeek2 = GGUFArchitecture(
        name: "deepseek2", layerTensors: deepSeekTensors, predictionTensors: prediction,
        configuration: { reader throws(WeightsError) in
            try reader.require("expert_gating_func", [2], isNeeded: true)
            return try reader.deepSeek("deepseek_v3", class: "DeepseekV3ForCausalLM")
        })

    /// DeepSeek-V3.2.
    static let deepSeek32 = GGUFArchitecture(
        name: "deepseek32", layerTensors: joined(deepSeekTensors, indexer), predictionTensors: prediction,
        configuration: { reader throws(WeightsError) in
            try reader.require("expert_gating_func", [2], isNeeded: true)
            return try reader.withIndexer(reader.deepSeek("deepseek_v32", class: "DeepseekV32ForCausalLM"))
        })

    /// GLM-5.
    static let glmDsa = GGUFArchitecture(
        name: "glm-dsa", layerTensors: joined(deepSeekTensors, indexer), predictionTensors: prediction,
        configuration: { reader throws(WeightsError) in
            // A sigmoid, also where the file does not say it.
            try reader.require("expert_gating_func", [2])
            let configuration = try reader.withIndexer(reader.deepSeek("glm_moe_dsa", class: "GlmMoeDsaForCausalLM"))
            if let owners = try reader.layerFlags("attention.indexer.types") {
                return configuration.setting("indexer_types", to: .array(owners.map { $0 ? "full" : "shared" }))
            }
            // GLM-5.2, the first with layers that share, is told by its context where the file does not say it.
            guard try reader.integer("context_length") >= 1 << 20 else { return configuration }
            return configuration.setting("index_topk_freq", to: 4).setting("index_skip_topk_offset", to: 3)
        })

    private static let deepSeekTensors = joined(
        attentionNorm, latentAttention, feedForwardNorm, denseFeedForward, mixture, choiceBias,
        sharedExpert("shared_experts"))
}

extension GGUFReader {
    /// The configuration of latent attention with a mixture of DeepSeek-V3's kind.
    fileprivate func deepSeek(_ modelType: String, class className: String) throws(WeightsError) -> JSON {
        let heads = try latentHeads()
        let groups = try expertGroups()
        // Converters leave the key out where queries do not come through a narrow layer.
        let hasQueryRank = metadata[key("attention.q_lora_rank")] != nil
        return try decoder(
            modelType, class: className, scaling: ropeScaling(scalesScores: true),
            [
                "num_key_value_heads": try count("attention.head_count"),
                "q_lora_rank": hasQueryRank ? try count("attention.q_lora_rank") : .null,
                "kv_lora_rank": try count("attention.kv_lora_rank"), "qk_nope_head_dim": heads.plainWidth,
                "qk_rope_head_dim": try count("rope.dimension_count"), "v_head_dim": heads.valueWidth,
                "n_routed_experts": try count("expert_count"),
                "num_experts_per_tok": try count("expert_used_count"),
                "moe_intermediate_size": try count("expert_feed_forward_length"),
                "intermediate_size": try count("feed_forward_length"),
                "n_shared_experts": try count("expert_shared_count", default: 0),
                "first_k_dense_replace": try count("leading_dense_block_count", default: 0),
                "norm_topk_prob": .bool(try flag("expert_weights_norm", default: false)),
                "routed_scaling_factor": .double(try number("expert_weights_scale", default: 1)),
                "n_group": groups.count, "topk_group": groups.chosenCount,
            ])
    }

    /// Widths of a head. Newer files, which describe one head of latents, have those of the others under names of their
    /// own.
    private func latentHeads() throws(WeightsError) -> (plainWidth: JSON, valueWidth: JSON) {
        let suffix = metadata[key("attention.key_length_mla")] == nil ? "" : "_mla"
        let name = "attention.key_length" + suffix
        let width = try integer(name)
        let rotated = try integer("rope.dimension_count")
        guard rotated >= 0, width > rotated else {
            throw .metadataInvalid(
                file: file, key: key(name), found: String(width),
                expected: "more than rope.dimension_count, \(rotated)")
        }
        return (.integer(Int64(width - rotated)), try count("attention.value_length" + suffix))
    }

    fileprivate func withIndexer(_ configuration: JSON) throws(WeightsError) -> JSON {
        configuration.setting("index_n_heads", to: try count("attention.indexer.head_count"))
            .setting("index_head_dim", to: try count("attention.indexer.key_length"))
            .setting("index_topk", to: try count("attention.indexer.top_k"))
    }
}
