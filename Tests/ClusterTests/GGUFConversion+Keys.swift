import Basics
import TestSupport

extension GGUFConversion {
    /// The keys of the file.
    func keys() -> [(String, GGUFBuilder.Value)] {
        var keys: [(String, GGUFBuilder.Value)] = [
            ("general.architecture", .string(conversion.architecture)),
            ("tokenizer.ggml.eos_token_id", .uint32(1)),
        ]
        let own = decoderKeys() + attentionKeys() + mixtureKeys() + scalingKeys() + recurrentKeys() + deepSeek4Keys()
        keys += own.map { (conversion.architecture + "." + $0, $1) }
        return keys
    }

    typealias Keys = [(String, GGUFBuilder.Value)]

    /// Those of `keys` that the configuration has, each under GGUF's name.
    func counts(_ keys: KeyValuePairs<String, String>) -> Keys {
        keys.compactMap { key, name in
            guard let number = configuration[key]?.integer else { return nil }
            return (name, .uint32(UInt32(number)))
        }
    }

    private func float(_ value: JSON?) -> GGUFBuilder.Value { .float32(Float(value?.double ?? 0)) }

    private var rotary: JSON { configuration["rope_parameters"] ?? configuration }

    private func decoderKeys() -> Keys {
        let further = UInt32(furtherLayers)
        return counts([
            "max_position_embeddings": "context_length", "hidden_size": "embedding_length",
            "num_attention_heads": "attention.head_count",
        ]) + [
            ("block_count", .uint32(UInt32(integer("num_hidden_layers")) + further)),
            ("nextn_predict_layers", .uint32(further)),
            ("attention.layer_norm_rms_epsilon", float(configuration["rms_norm_eps"])),
            ("rope.freq_base", float(rotary["rope_theta"])),
        ]
    }

    private func attentionKeys() -> Keys {
        guard configuration["kv_lora_rank"] != nil else {
            let share = (rotary["partial_rotary_factor"] ?? configuration["partial_rotary_factor"])?.double ?? 1
            let said = configuration["rotary_dim"] ?? configuration["qk_rope_head_dim"]
            let rotated = said?.integer ?? Int(Double(integer("head_dim")) * share)
            return counts([
                "num_key_value_heads": "attention.head_count_kv", "head_dim": "attention.key_length",
                "sliding_window": "attention.sliding_window",
            ]) + [
                ("attention.value_length", .uint32(UInt32(integer("head_dim")))),
                ("rope.dimension_count", .uint32(UInt32(rotated))),
            ]
        }
        let width = UInt32(integer("qk_nope_head_dim") + integer("qk_rope_head_dim"))
        let valueWidth = UInt32(integer("v_head_dim"))
        let latent = UInt32(integer("kv_lora_rank"))
        let lengths: Keys =
            conversion.isOld
            ? [
                ("attention.head_count_kv", .uint32(UInt32(integer("num_attention_heads")))),
                ("attention.key_length", .uint32(width)), ("attention.value_length", .uint32(valueWidth)),
            ]
            : [
                ("attention.head_count_kv", .uint32(1)),
                ("attention.key_length", .uint32(latent + UInt32(integer("qk_rope_head_dim")))),
                ("attention.value_length", .uint32(latent)), ("attention.key_length_mla", .uint32(width)),
                ("attention.value_length_mla", .uint32(valueWidth)),
            ]
        let owners = configuration["indexer_types"]?.array?.map { GGUFBuilder.Value.bool($0 == "full" ? 1 : 0) }
        return lengths
            + counts([
                "kv_lora_rank": "attention.kv_lora_rank", "q_lora_rank": "attention.q_lora_rank",
                "qk_rope_head_dim": "rope.dimension_count", "index_n_heads": "attention.indexer.head_count",
                "index_head_dim": "attention.indexer.key_length", "index_topk": "attention.indexer.top_k",
            ]) + (owners.map { [("attention.indexer.types", .array(kind: 7, $0))] } ?? [])
    }

    private func mixtureKeys() -> Keys {
        var keys = counts([
            "num_experts": "expert_count", "num_local_experts": "expert_count", "n_routed_experts": "expert_count",
            "num_experts_per_tok": "expert_used_count", "n_shared_experts": "expert_shared_count",
            "n_group": "expert_group_count", "topk_group": "expert_group_used_count",
            "first_k_dense_replace": "leading_dense_block_count", "intermediate_size": "feed_forward_length",
            "shared_expert_intermediate_size": "expert_shared_feed_forward_length",
        ])
        let widthKey = configuration["moe_intermediate_size"] == nil ? "intermediate_size" : "moe_intermediate_size"
        keys.append(("expert_feed_forward_length", .uint32(UInt32(integer(widthKey)))))
        if let scale = configuration["routed_scaling_factor"] {
            keys.append(("expert_weights_scale", float(scale)))
            let isNormalised = configuration["norm_topk_prob"] ?? true
            keys.append(("expert_weights_norm", .bool(isNormalised == true ? 1 : 0)))
            keys.append(("expert_gating_func", .uint32(conversion.architecture == "deepseek4" ? 4 : 2)))
        }
        return keys
    }

    private func scalingKeys() -> Keys {
        guard let scaling = configuration["rope_scaling"], !scaling.isNull else { return [] }
        return [
            ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", float(scaling["factor"])),
            (
                "rope.scaling.original_context_length",
                .uint32(UInt32(scaling["original_max_position_embeddings"]?.integer ?? 0))
            ),
        ]
            + (scaling["mscale_all_dim"]?.double.map {
                [("rope.scaling.yarn_log_multiplier", .float32(Float(0.1 * $0)))]
            } ?? [])
    }

    private func recurrentKeys() -> Keys {
        guard configuration["linear_num_value_heads"] != nil else { return [] }
        return counts([
            "linear_conv_kernel_dim": "ssm.conv_kernel", "linear_key_head_dim": "ssm.state_size",
            "linear_num_key_heads": "ssm.group_count", "linear_num_value_heads": "ssm.time_step_rank",
        ]) + [
            (
                "ssm.inner_size",
                .uint32(UInt32(integer("linear_num_value_heads") * integer("linear_value_head_dim")))
            ), ("full_attention_interval", .uint32(4)),
        ]
    }
}
