import Basics

extension GGUFArchitecture {
    /// GPT-OSS. Converters take the rows of gate and up apart, which lie by turns in the published files.
    static let gptOss = GGUFArchitecture(
        name: "gpt-oss",
        layerTensors: joined(
            attentionNorm, groupedQuery, queryKeyValueBiases, postAttentionNorm,
            [
                "attn_output.bias": "self_attn.o_proj.bias",
                "attn_sinks.weight": "self_attn.sinks",
                "ffn_gate_inp.weight": "mlp.router.weight",
                "ffn_gate_inp.bias": "mlp.router.bias",
                "ffn_gate_exps.weight": "mlp.experts.gate_proj",
                "ffn_up_exps.weight": "mlp.experts.up_proj",
                "ffn_down_exps.weight": "mlp.experts.down_proj",
                "ffn_gate_exps.bias": "mlp.experts.gate_proj_bias",
                "ffn_up_exps.bias": "mlp.experts.up_proj_bias",
                "ffn_down_exps.bias": "mlp.experts.down_proj_bias",
            ]),
        configuration: { reader throws(WeightsError) in try gptOssConfiguration(reader) })

    private static func gptOssConfiguration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        let heads = try reader.heads()
        try reader.require("rope.dimension_count", [Double(try reader.headWidth())])
        try reader.require("rope.freq_base_swa", [try reader.number("rope.freq_base", default: 10_000)])
        let scaling = try reader.ropeScaling()
        // The published models do not round the ends of YaRN's ramp, which no key says.
        let positions: JSON = scaling.isNull ? ["rope_type": "default"] : scaling.setting("truncate", to: false)
        var configuration = try reader.decoder(
            "gpt_oss", class: "GptOssForCausalLM", scaling: .null,
            [
                "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width, "rope_parameters": positions,
                "sliding_window": try reader.count("attention.sliding_window"),
                "attention_bias": .bool(reader.has("self_attn.q_proj.bias")),
                "num_local_experts": try reader.count("expert_count"),
                "num_experts_per_tok": try reader.count("expert_used_count"),
                "intermediate_size": try reader.count("expert_feed_forward_length"),
            ])
        // Without the key every other layer has a window, as without `layer_types`.
        if let windows = try reader.layerFlags("attention.sliding_window_pattern") {
            configuration = configuration.setting(
                "layer_types", to: .array(windows.map { $0 ? "sliding_attention" : "full_attention" }))
        }
        return configuration
    }
}
