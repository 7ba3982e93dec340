import Basics

extension GGUFArchitecture {
    /// Qwen3.5 and Qwen3.6 with experts.
    ///
    /// Converters add 1 to the weights of most norms, and take `-exp` of the logarithms of the rates at which heads
    /// forget: the configuration says so of the former, a name of its own of the latter. Heads of values, of which
    /// several share a key, are stored by turns of the keys.
    static let qwen35Moe = GGUFArchitecture(
        name: "qwen35moe",
        layerTensors: joined(
            attentionNorm, groupedQuery, queryKeyNorms, postAttentionNorm, mixture, sharedExpert("shared_expert"),
            [
                "ffn_gate_inp_shexp.weight": "mlp.shared_expert_gate.weight",
                "attn_qkv.weight": "linear_attn.in_proj_qkv.weight",
                "attn_gate.weight": "linear_attn.in_proj_z.weight",
                "ssm_alpha.weight": "linear_attn.in_proj_a.weight",
                "ssm_beta.weight": "linear_attn.in_proj_b.weight",
                "ssm_conv1d.weight": "linear_attn.conv1d.weight",
                "ssm_dt.bias": "linear_attn.dt_bias",
                "ssm_a": "linear_attn.A",
                "ssm_norm.weight": "linear_attn.norm.weight",
                "ssm_out.weight": "linear_attn.out_proj.weight",
            ]),
        predictionTensors: prediction,
        orders: { reader throws(WeightsError) in try qwen35MoeOrders(reader) },
        configuration: { reader throws(WeightsError) in try qwen35MoeConfiguration(reader) })

    private static func qwen35MoeOrders(_ reader: GGUFReader) throws(WeightsError) -> [String: StoredOrder] {
        let keyHeads = try reader.integer("ssm.group_count")
        let valueHeads = try reader.integer("ssm.time_step_rank")
        // Queries and keys come before the values.
        let (keys, keysOverflow) = keyHeads.multipliedReportingOverflow(by: try reader.integer("ssm.state_size"))
        let (queriesAndKeys, overflow) = keys.multipliedReportingOverflow(by: 2)
        let width = try valueHeadWidth(reader, headCount: valueHeads)
        let shared = keyHeads > 0 && valueHeads % keyHeads == 0 ? valueHeads / keyHeads : 0
        guard !keysOverflow, !overflow, let heads = IndexExchange(outer: keyHeads, inner: shared),
            let values = IndexExchange(outer: keyHeads, inner: shared, unit: width),
            let mixed = IndexExchange(first: queriesAndKeys, outer: keyHeads, inner: shared, unit: width)
        else {
            throw .metadataInvalid(
                file: reader.file, key: reader.key("ssm.time_step_rank"), found: String(valueHeads),
                expected: "a multiple of ssm.group_count, \(keyHeads)")
        }
        return [
            "linear_attn.in_proj_qkv.weight": StoredOrder(rows: mixed),
            "linear_attn.conv1d.weight": StoredOrder(rows: mixed),
            "linear_attn.in_proj_z.weight": StoredOrder(rows: values),
            "linear_attn.in_proj_a.weight": StoredOrder(rows: heads),
            "linear_attn.in_proj_b.weight": StoredOrder(rows: heads),
            "linear_attn.dt_bias": StoredOrder(rows: heads),
            "linear_attn.A": StoredOrder(rows: heads),
            "linear_attn.out_proj.weight": StoredOrder(columns: values),
        ]
    }

    private static func valueHeadWidth(_ reader: GGUFReader, headCount: Int) throws(WeightsError) -> Int {
        let inner = try reader.integer("ssm.inner_size")
        guard headCount > 0, inner > 0, inner % headCount == 0 else {
            throw .metadataInvalid(
                file: reader.file, key: reader.key("ssm.inner_size"), found: String(inner),
                expected: "a multiple of ssm.time_step_rank, \(headCount)")
        }
        return inner / headCount
    }

    private static func qwen35MoeConfiguration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        let heads = try reader.heads()
        try reader.require("expert_gating_func", [1])
        let valueHeads = try reader.integer("ssm.time_step_rank")
        let configuration = try reader.decoder(
            "qwen3_5_moe_text", class: "Qwen3_5MoeForCausalLM", scaling: reader.ropeScaling(),
            [
                "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width,
                "partial_rotary_factor": heads.rotatedShare, "rms_norm_weight_offset": 0,
                "attention_bias": false,
                "linear_num_key_heads": try reader.count("ssm.group_count"),
                "linear_num_value_heads": .integer(Int64(valueHeads)),
                "linear_key_head_dim": try reader.count("ssm.state_size"),
                "linear_value_head_dim": .integer(Int64(try valueHeadWidth(reader, headCount: valueHeads))),
                "linear_conv_kernel_dim": try reader.count("ssm.conv_kernel"),
                "num_experts": try reader.count("expert_count"),
                "num_experts_per_tok": try reader.count("expert_used_count"),
                "moe_intermediate_size": try reader.count("expert_feed_forward_length"),
                "shared_expert_intermediate_size": try reader.count("expert_shared_feed_forward_length"),
                "full_attention_interval": try reader.count("full_attention_interval", default: 4),
            ])
        guard let recurrent = try reader.layerFlags("attention.recurrent_layers") else { return configuration }
        return configuration.setting(
            "layer_types", to: .array(recurrent.map { $0 ? "linear_attention" : "full_attention" }))
    }
}
