import Basics

extension GGUFArchitecture {
    /// Mixtral: Llama's name stands for it where there are experts. The two halves of each head of queries and keys, of
    /// which one pairs with the other, are stored as pairs. Files of the first months have the experts one by one.
    static let llama = GGUFArchitecture(
        name: "llama",
        layerTensors: joined(
            attentionNorm, groupedQuery, feedForwardNorm,
            [
                "ffn_gate_inp.weight": "block_sparse_moe.gate.weight",
                "ffn_gate_exps.weight": "block_sparse_moe.experts.gate_proj",
                "ffn_up_exps.weight": "block_sparse_moe.experts.up_proj",
                "ffn_gate_up_exps.weight": "block_sparse_moe.experts.gate_up_proj",
                "ffn_down_exps.weight": "block_sparse_moe.experts.down_proj",
                "ffn_gate.*.weight": "block_sparse_moe.experts.*.w1.weight",
                "ffn_up.*.weight": "block_sparse_moe.experts.*.w3.weight",
                "ffn_down.*.weight": "block_sparse_moe.experts.*.w2.weight",
            ]),
        orders: { reader throws(WeightsError) in
            let width = try reader.headWidth()
            guard let pairs = IndexExchange(outer: 2, inner: width / 2) else {
                throw .metadataInvalid(
                    file: reader.file, key: reader.key("attention.key_length"), found: String(width),
                    expected: "an even number of dimensions")
            }
            let order = StoredOrder(rows: pairs)
            return ["self_attn.q_proj.weight": order, "self_attn.k_proj.weight": order]
        },
        configuration: { reader throws(WeightsError) in
            let heads = try reader.heads()
            try reader.require("rope.dimension_count", [Double(try reader.headWidth())])
            try reader.require("expert_gating_func", [1])
            let key = reader.key("expert_count")
            guard try reader.integer("expert_count", default: 0) > 0 else {
                throw .metadataInvalid(
                    file: reader.file, key: key, found: reader.metadata[key]?.serialised() ?? "missing",
                    expected: "a number of experts: models without are not served")
            }
            return try reader.decoder(
                "mixtral", class: "MixtralForCausalLM", scaling: reader.ropeScaling(),
                [
                    "num_key_value_heads": heads.keyValueCount, "head_dim": heads.width,
                    "num_local_experts": try reader.count("expert_count"),
                    "num_experts_per_tok": try reader.count("expert_used_count"),
                    "intermediate_size": try reader.count("feed_forward_length"),
                ])
        })
}
