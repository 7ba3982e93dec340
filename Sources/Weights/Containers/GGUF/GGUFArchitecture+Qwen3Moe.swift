import Basics

extension GGUFArchitecture {
    /// Qwen3-MoE: Qwen3-30B-A3B and its sisters.
    static let qwen3Moe = GGUFArchitecture(
        name: "qwen3moe",
        layerTensors: joined(attentionNorm, groupedQuery, queryKeyNorms, feedForwardNorm, mixture),
        configuration: { reader throws(WeightsError) in try qwen3MoeConfiguration(reader) })

    private static func qwen3MoeConfiguration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        let heads = try reader.heads()
        let expertsPerToken = try reader.integer("expert_used_count")
        let denseWidth = try reader.integer("feed_forward_length", default: 0)
        // Files that do not say how wide an expert is mean that those of a token are as wide as a dense block.
        let expertWidth = try reader.integer(
            "expert_feed_forward_length", default: expertsPerToken > 0 ? denseWidth / expertsPerToken : 0)
        try reader.require("rope.dimension_count", [Double(try reader.headWidth())])
        // 1 is a softmax over all experts. The weights of the chosen ones are divided by their sum, always.
        try reader.require("expert_gating_func", [1])
        return try reader.decoder(
            "qwen3_moe", class: "Qwen3MoeForCausalLM", scaling: reader.ropeScaling(),
            [
                "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width,
                "num_experts": try reader.count("expert_count"),
                "num_experts_per_tok": .integer(Int64(expertsPerToken)),
                "moe_intermediate_size": .integer(Int64(expertWidth)),
                "intermediate_size": .integer(Int64(denseWidth > 0 ? denseWidth : expertWidth)),
                "norm_topk_prob": true,
            ])
    }
}
