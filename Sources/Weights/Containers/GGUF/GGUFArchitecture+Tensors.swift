/// Tensors that several architectures have under the same names. Only those are in an architecture's table that its
/// configuration makes the model read.
extension GGUFArchitecture {
    /// The norm before attention. That after it has two names.
    static let attentionNorm = ["attn_norm.weight": "input_layernorm.weight"]
    static let feedForwardNorm = ["ffn_norm.weight": "post_attention_layernorm.weight"]
    static let postAttentionNorm = ["post_attention_norm.weight": "post_attention_layernorm.weight"]

    static let groupedQuery = [
        "attn_q.weight": "self_attn.q_proj.weight",
        "attn_k.weight": "self_attn.k_proj.weight",
        "attn_v.weight": "self_attn.v_proj.weight",
        "attn_output.weight": "self_attn.o_proj.weight",
    ]
    static let queryKeyValueBiases = [
        "attn_q.bias": "self_attn.q_proj.bias",
        "attn_k.bias": "self_attn.k_proj.bias",
        "attn_v.bias": "self_attn.v_proj.bias",
    ]
    static let queryKeyNorms = [
        "attn_q_norm.weight": "self_attn.q_norm.weight",
        "attn_k_norm.weight": "self_attn.k_norm.weight",
    ]
    /// Keys and values of latent attention come in one tensor from older converters, in two from newer ones.
    static let latentAttention = [
        "attn_q.weight": "self_attn.q_proj.weight",
        "attn_q_a.weight": "self_attn.q_a_proj.weight",
        "attn_q_a_norm.weight": "self_attn.q_a_layernorm.weight",
        "attn_q_b.weight": "self_attn.q_b_proj.weight",
        "attn_kv_a_mqa.weight": "self_attn.kv_a_proj_with_mqa.weight",
        "attn_kv_a_norm.weight": "self_attn.kv_a_layernorm.weight",
        "attn_kv_b.weight": "self_attn.kv_b_proj.weight",
        "attn_k_b.weight": "self_attn.k_b_proj.weight",
        "attn_v_b.weight": "self_attn.v_b_proj.weight",
        "attn_output.weight": "self_attn.o_proj.weight",
    ]
    static let indexer = [
        "indexer.attn_q_b.weight": "self_attn.indexer.wq_b.weight",
        "indexer.attn_k.weight": "self_attn.indexer.wk.weight",
        "indexer.k_norm.weight": "self_attn.indexer.k_norm.weight",
        "indexer.k_norm.bias": "self_attn.indexer.k_norm.bias",
        "indexer.proj.weight": "self_attn.indexer.weights_proj.weight",
    ]

    static let denseFeedForward = [
        "ffn_gate.weight": "mlp.gate_proj.weight",
        "ffn_up.weight": "mlp.up_proj.weight",
        "ffn_down.weight": "mlp.down_proj.weight",
    ]
    /// The router and the experts of a layer, these in one tensor each, stacked; newer files may have gate and up in
    /// one.
    static let mixture = [
        "ffn_gate_inp.weight": "mlp.gate.weight",
        "ffn_gate_exps.weight": "mlp.experts.gate_proj",
        "ffn_up_exps.weight": "mlp.experts.up_proj",
        "ffn_gate_up_exps.weight": "mlp.experts.gate_up_proj",
        "ffn_down_exps.weight": "mlp.experts.down_proj",
    ]
    /// The bias for the choice, where it belongs to the router.
    static let choiceBias = ["exp_probs_b.bias": "mlp.gate.e_score_correction_bias"]

    /// The FFN beside the experts; `name` is what Hugging Face calls it.
    static func sharedExpert(_ name: String) -> [String: String] {
        [
            "ffn_gate_shexp.weight": "mlp.\(name).gate_proj.weight",
            "ffn_up_shexp.weight": "mlp.\(name).up_proj.weight",
            "ffn_down_shexp.weight": "mlp.\(name).down_proj.weight",
        ]
    }

    /// What joins embedding and hidden state for a layer that predicts a further token, and its norm. Copies of the
    /// model's embedding and head (`nextn.embed_tokens`, `nextn.shared_head_head`) are not read.
    static let prediction = [
        "nextn.eh_proj.weight": "eh_proj.weight",
        "nextn.enorm.weight": "enorm.weight",
        "nextn.hnorm.weight": "hnorm.weight",
        "nextn.shared_head_norm.weight": "shared_head.norm.weight",
    ]

    /// All tables in one; no name stands in two of them.
    static func joined(_ tables: [String: String]...) -> [String: String] {
        tables.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
    }
}
