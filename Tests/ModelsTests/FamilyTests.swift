import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What the families make of their configurations, where they differ from `qwen3_moe`.
@Suite struct FamilyTests {
    /// Configurations as published, small.
    static let published: [String: JSON] = [
        "deepseek_v3": [
            "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4,
            "vocab_size": 320, "max_position_embeddings": 512, "n_routed_experts": 16, "num_experts_per_tok": 4,
            "moe_intermediate_size": 24, "intermediate_size": 96, "n_shared_experts": 1, "n_group": 4,
            "topk_group": 2, "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "norm_topk_prob": true,
            "scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1, "q_lora_rank": 24,
            "kv_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 12, "rms_norm_eps": 1e-5,
            "num_nextn_predict_layers": 1, "rope_theta": 10000,
            "rope_scaling": [
                "type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "beta_fast": 32, "beta_slow": 1,
                "mscale": 1.0, "mscale_all_dim": 1.0,
            ],
        ],
        "glm4_moe": [
            "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 512, "n_routed_experts": 8,
            "num_experts_per_tok": 2, "moe_intermediate_size": 24, "intermediate_size": 96, "n_shared_experts": 2,
            "n_group": 4, "topk_group": 2, "first_k_dense_replace": 1, "routed_scaling_factor": 2.5,
            "attention_bias": true, "use_qk_norm": true, "partial_rotary_factor": 0.5, "rope_theta": 1_000_000,
        ],
        "minimax_m2": [
            "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 512, "num_local_experts": 8,
            "num_experts_per_tok": 2, "intermediate_size": 32, "rotary_dim": 8, "rope_theta": 5_000_000,
            "scoring_func": "sigmoid", "qk_norm_type": "per_layer", "use_qk_norm": true, "attn_type_list": [1, 1],
            "shared_intermediate_size": 0, "use_routing_bias": true,
        ],
        "mixtral": [
            "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "vocab_size": 320, "max_position_embeddings": 512, "num_local_experts": 8, "num_experts_per_tok": 2,
            "intermediate_size": 32, "rope_theta": 1_000_000, "sliding_window": nil,
        ],
    ]

    static func describe(
        _ family: String, _ changes: [String: JSON] = [:], tensors: Set<String> = []
    ) throws -> ModelDescription {
        guard case .object(var members) = published[family], let architecture = Registry.architectures[family] else {
            preconditionFailure("the family is registered")
        }
        for (key, value) in changes { members[key] = value }
        return try architecture(ConfigurationReader(.object(members)), tensors)
    }

    @Test func glmHasDenseLayersFirstAndASharedExpert() throws {
        let model = try Self.describe("glm4_moe")
        guard case .dense(let dense) = model.layers[0].feedForward else {
            Issue.record("the first layer is dense")
            return
        }
        #expect(dense.width == 96)
        #expect(model.mixtures.map(\.sharedExpert?.width) == [48, 48])
        #expect(model.mixtures[0].sharedExpert?.upName == "model.layers.1.mlp.shared_experts.up_proj.weight")
        #expect(try Self.describe("glm4_moe", ["n_shared_experts": 0]).mixtures[0].sharedExpert == nil)
    }

    @Test func glmRoutesByBiasedSigmoidInGroups() throws {
        let router = try Self.describe("glm4_moe").mixtures[0].router
        #expect(router.choiceBiasName == "model.layers.1.mlp.gate.e_score_correction_bias")
        let expected = RouterRule(
            scoring: .sigmoid, expertsPerToken: 2, groupCount: 4, chosenGroupCount: 2, normalises: true,
            normaliserEpsilon: 1e-20, scale: 2.5)
        #expect(router.rule == expected)
    }

    @Test func glmRotatesHalfOfAHead() throws {
        let attention = try Self.describe("glm4_moe").layers[0].groupedQuery
        #expect(attention.rotary.inverseFrequencies.count == 4)
        #expect(attention.query.bias != nil && attention.output.bias == nil)
        #expect(
            try Self.describe("glm4_moe", ["partial_rotary_factor": nil]).layers[0].groupedQuery.rotary
                == attention.rotary
        )
        let other = try Self.describe(
            "glm4_moe", ["use_qk_norm": false, "rope_parameters": ["partial_rotary_factor": 0.25, "rope_theta": 10]])
        #expect(other.layers[0].groupedQuery.norms == .none)
        #expect(other.layers[0].groupedQuery.rotary.inverseFrequencies.count == 2)
    }

    @Test func minimaxNormsWholeProjections() throws {
        let model = try Self.describe("minimax_m2")
        let prefix = "model.layers.0.self_attn"
        let norms = GroupedQueryAttentionDescription.QueryKeyNorms.wholeProjection(
            queryName: prefix + ".q_norm.weight", keyName: prefix + ".k_norm.weight")
        #expect(model.layers[0].groupedQuery.norms == norms)
        #expect(model.layers[0].groupedQuery.rotary.inverseFrequencies.count == 4)
        #expect(model.mixtures[0].router.choiceBiasName == "model.layers.0.block_sparse_moe.e_score_correction_bias")
        #expect(model.mixtures[0].router.rule.normaliserEpsilon == 0)
    }

    @Test func mixtralHasTwoLayouts() throws {
        let published = try Self.describe("mixtral").mixtures[0]
        #expect(published.router.weightName == "model.layers.0.block_sparse_moe.gate.weight")
        #expect(published.storage == .separate(prefix: "model.layers.0.block_sparse_moe.experts", names: .numbers))
        let fused = try Self.describe(
            "mixtral", tensors: ["model.layers.0.mlp.gate.weight", "model.layers.0.mlp.experts.gate_up_proj"])
        #expect(fused.mixtures[0].router.weightName == "model.layers.0.mlp.gate.weight")
        #expect(fused.mixtures[0].storage == .fused(prefix: "model.layers.0.mlp.experts"))
    }

    @Test func mixtralsWindowCountsWhereItStands() throws {
        #expect(try Self.describe("mixtral").layers[0].groupedQuery.windowTokens == nil)
        #expect(try Self.describe("mixtral", ["sliding_window": 24]).layers[0].groupedQuery.windowTokens == 24)
    }

    @Test(
        arguments: [
            ("deepseek_v3", "scoring_func", "softmax", "'scoring_func' is 'softmax', supported: sigmoid"),
            ("deepseek_v3", "topk_method", "greedy", "'topk_method' is 'greedy', supported: noaux_tc"),
            ("deepseek_v3", "moe_layer_freq", 2, "'moe_layer_freq' is '2', supported: 1"),
            (
                "deepseek_v3", "num_key_value_heads", 2,
                "'num_key_value_heads' is '2', supported: num_attention_heads, 4"
            ),
            ("deepseek_v3", "q_lora_rank", 0, "'q_lora_rank' is 0, expected a whole number from 1 to 1048576"),
            ("deepseek_v3", "qk_rope_head_dim", 7, "'qk_rope_head_dim' is 7, expected an even number"),
            (
                "deepseek_v3", "partial_rotary_factor", 0.5,
                "'partial_rotary_factor' is '0.5', supported: 1"
            ),
            (
                "deepseek_v3", "rope_scaling", ["type": "linear", "mscale_all_dim": 1],
                "'factor' is missing"
            ),
            ("deepseek_v3", "hidden_act", "gelu", "'hidden_act' is 'gelu', supported: silu"),
            ("glm4_moe", "scoring_func", "softmax", "'scoring_func' is 'softmax', supported: sigmoid"),
            ("glm4_moe", "topk_method", "greedy", "'topk_method' is 'greedy', supported: noaux_tc"),
            ("glm4_moe", "topk_group", 5, "'topk_group' is 5, expected a whole number from 1 to 4"),
            (
                "glm4_moe", "n_group", 3,
                "'n_group' is 3, expected a divisor of the 8 experts, two or more in each group, and "
                    + "num_experts_per_tok, 2, in topk_group, 2, of them"
            ),
            (
                "glm4_moe", "num_experts_per_tok", 5,
                "'n_group' is 4, expected a divisor of the 8 experts, two or more in each group, and "
                    + "num_experts_per_tok, 5, in topk_group, 2, of them"
            ),
            (
                "glm4_moe", "partial_rotary_factor", 0.3125,
                "'partial_rotary_factor' is 0.3125, expected a share of head_dim, 16, that is an even number of "
                    + "dimensions"
            ),
            (
                "glm4_moe", "rope_scaling", ["rope_type": "longrope"],
                "'rope_type' is 'longrope', supported: default, dynamic, linear, llama3, yarn"
            ),
            ("minimax_m2", "scoring_func", "softmax", "'scoring_func' is 'softmax', supported: sigmoid"),
            ("minimax_m2", "qk_norm_type", "per_head", "'qk_norm_type' is 'per_head', supported: per_layer"),
            ("minimax_m2", "use_routing_bias", false, "'use_routing_bias' is 'false', supported: true"),
            ("minimax_m2", "attn_type_list", [1, 0], "'attn_type_list' is '0', supported: 1"),
            ("minimax_m2", "shared_intermediate_size", 64, "'shared_intermediate_size' is '64', supported: 0"),
            ("minimax_m2", "rotary_dim", 32, "'rotary_dim' is 32, expected a whole number from 2 to 16"),
            ("mixtral", "num_local_experts", nil, "'num_local_experts' is missing"),
            (
                "mixtral", "num_experts_per_tok", 9,
                "'num_experts_per_tok' is 9, expected no more than num_local_experts, 8"
            ),
            ("mixtral", "hidden_act", "gelu", "'hidden_act' is 'gelu', supported: silu"),
        ] as [(String, String, JSON, String)])
    func variantsAreRefused(family: String, key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.describe(family, [key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
