import Basics

extension GGUFArchitecture {
    /// MiniMax-M2.
    static let miniMaxM2 = GGUFArchitecture(
        name: "minimax-m2",
        layerTensors: joined(
            attentionNorm, groupedQuery, queryKeyNorms, feedForwardNorm, mixture,
            ["exp_probs_b.bias": "mlp.e_score_correction_bias"]),
        configuration: { reader throws(WeightsError) in
            let heads = try reader.heads()
            let hasWidth = reader.metadata[reader.key("expert_feed_forward_length")] != nil
            try reader.require("expert_gating_func", [2])
            return try reader.decoder(
                "minimax_m2", class: "MiniMaxM2ForCausalLM", scaling: reader.ropeScaling(),
                [
                    "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width,
                    "rotary_dim": try reader.count("rope.dimension_count", default: reader.headWidth()),
                    "num_local_experts": try reader.count("expert_count"),
                    "num_experts_per_tok": try reader.count("expert_used_count"),
                    "intermediate_size": try reader.count(
                        hasWidth ? "expert_feed_forward_length" : "feed_forward_length"),
                ])
        })
}
