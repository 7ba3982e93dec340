import Basics

extension GGUFArchitecture {
    /// GLM-4.5 and its successors with the same blocks.
    static let glm4Moe = GGUFArchitecture(
        name: "glm4moe",
        layerTensors: joined(
            attentionNorm, groupedQuery, queryKeyValueBiases, queryKeyNorms, postAttentionNorm, denseFeedForward,
            mixture, choiceBias, sharedExpert("shared_experts")),
        predictionTensors: prediction,
        configuration: { reader throws(WeightsError) in
            let heads = try reader.heads()
            let groups = try reader.expertGroups()
            // 2 is a sigmoid, also where the file does not say it.
            try reader.require("expert_gating_func", [2])
            return try reader.decoder(
                "glm4_moe", class: "Glm4MoeForCausalLM", scaling: reader.ropeScaling(),
                [
                    "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width,
                    "partial_rotary_factor": heads.rotatedShare,
                    "use_qk_norm": .bool(reader.has("self_attn.q_norm.weight")),
                    "attention_bias": .bool(reader.has("self_attn.q_proj.bias")),
                    "n_routed_experts": try reader.count("expert_count"),
                    "num_experts_per_tok": try reader.count("expert_used_count"),
                    "moe_intermediate_size": try reader.count("expert_feed_forward_length"),
                    "intermediate_size": try reader.count("feed_forward_length"),
                    "n_shared_experts": try reader.count("expert_shared_count", default: 0),
                    "first_k_dense_replace": try reader.count("leading_dense_block_count", default: 0),
                    "norm_topk_prob": .bool(try reader.flag("expert_weights_norm", default: false)),
                    "routed_scaling_factor": .double(try reader.number("expert_weights_scale", default: 1)),
                    "n_group": groups.count, "topk_group": groups.chosenCount,
                ])
        })
}
