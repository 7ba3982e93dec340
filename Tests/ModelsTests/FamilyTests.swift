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
        "qwen3_5_moe": [
            "image_token_id": 319, "tie_word_embeddings": false, "vision_config": ["depth": 1],
            "text_config": [
                "model_type": "qwen3_5_moe_text", "hidden_size": 64, "num_hidden_layers": 8, "num_attention_heads": 4,
                "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 512,
                "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "hidden_act": "silu",
                "shared_expert_intermediate_size": 40, "attn_output_gate": true, "full_attention_interval": 4,
                "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16,
                "linear_value_head_dim": 24, "linear_conv_kernel_dim": 4, "mlp_only_layers": [],
                "rope_parameters": [
                    "rope_type": "default", "rope_theta": 10_000_000, "partial_rotary_factor": 0.25,
                    "mrope_section": [1, 1, 0],
                ],
            ],
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

    /// Describes Qwen3.5 with other members of `text_config`.
    static func describeQwen35(_ changes: [String: JSON], tensors: Set<String> = []) throws -> ModelDescription {
        guard case .object(let members) = published["qwen3_5_moe"], case .object(var text) = members["text_config"]
        else { preconditionFailure("the text part has a configuration of its own") }
        for (key, value) in changes { text[key] = value }
        return try describe("qwen3_5_moe", ["text_config": .object(text)], tensors: tensors)
    }

    @Test func qwen35MixesDeltaRulesAndGatedAttention() throws {
        let model = try Self.describe("qwen3_5_moe")
        let isFull = model.layers.map { layer in
            guard case .groupedQuery(let shape) = layer.attention else { return false }
            return shape.hasOutputGate
        }
        #expect(isFull == [false, false, false, true, false, false, false, true])
        guard case .gatedDelta(let delta) = model.layers[1].attention else { return }
        #expect(delta.heads == DeltaShape(keyHeadCount: 2, valueHeadCount: 4, keyDim: 16, valueDim: 24))
        #expect(delta.convolutionTaps == 4)
        #expect(delta.mixed.weight == "model.language_model.layers.1.linear_attn.in_proj_qkv.weight")
        #expect(model.layers[3].groupedQuery.rotary.inverseFrequencies.count == 2)
        #expect(model.normOffset == 1)
        #expect(model.headName == "lm_head.weight")
        #expect(model.mixtures[0].router.rule == RouterRule(scoring: .softmax, expertsPerToken: 2, normalises: true))
        #expect(
            model.mixtures[7].sharedExpertGateName == "model.language_model.layers.7.mlp.shared_expert_gate.weight")
        #expect(model.mixtures[7].sharedExpert?.width == 40)
    }

    @Test func qwen35LayersMayBeListed() throws {
        let types: JSON = ["full_attention", "linear_attention", "full_attention"]
        let model = try Self.describeQwen35(["layer_types": types, "num_hidden_layers": 3])
        #expect(model.layers.map { $0.attention.isGatedDelta } == [false, true, false])
    }

    @Test func qwen35HasDefaultsOfItsOwn() throws {
        let model = try Self.describeQwen35([
            "linear_num_key_heads": nil, "linear_num_value_heads": nil, "linear_key_head_dim": nil, "head_dim": nil,
            "linear_value_head_dim": nil, "full_attention_interval": nil, "rope_parameters": nil,
        ])
        guard case .gatedDelta(let delta) = model.layers[0].attention else { return }
        #expect(delta.heads == DeltaShape(keyHeadCount: 16, valueHeadCount: 32, keyDim: 128, valueDim: 128))
        #expect(model.layers[3].groupedQuery.headWidth == 256)
        #expect(model.layers[3].groupedQuery.rotary.inverseFrequencies.count == 32)
    }

    @Test func qwen35MayBeATextModelAlone() throws {
        guard case .object(let members) = Self.published["qwen3_5_moe"], let text = members["text_config"],
            let architecture = Registry.architectures["qwen3_5_moe_text"]
        else { preconditionFailure("the family is registered") }
        let model = try architecture(ConfigurationReader(text), [])
        #expect(model.embeddingName == "model.embed_tokens.weight")
        #expect(model.notices.isEmpty)
    }

    @Test func qwen35NamesFollowTheTensors() throws {
        let plain = try Self.describeQwen35([:], tensors: ["model.embed_tokens.weight"])
        #expect(plain.finalNormName == "model.norm.weight")
        let images = try Self.describeQwen35([:], tensors: ["model.visual.patch_embed.proj.weight"])
        #expect(images.notices == ["the model can see images, which are not served: only its text part is loaded"])
        let tied = try Self.describe("qwen3_5_moe", ["tie_word_embeddings": true])
        #expect(tied.headName == "model.language_model.embed_tokens.weight")
    }

    @Test(
        arguments: [
            ("attn_output_gate", false, "'attn_output_gate' is 'false', supported: true"),
            ("norm_topk_prob", false, "'norm_topk_prob' is 'false', supported: true"),
            ("mlp_only_layers", [2], "'mlp_only_layers' is '[2, …]', supported: []"),
            ("hidden_act", "gelu", "'hidden_act' is 'gelu', supported: silu"),
            (
                "linear_num_value_heads", 3,
                "'linear_num_value_heads' is 3, expected a multiple of linear_num_key_heads, 2"
            ),
            ("linear_conv_kernel_dim", 0, "'linear_conv_kernel_dim' is 0, expected a whole number from 1 to 64"),
            ("linear_key_head_dim", 5000, "'linear_key_head_dim' is 5000, expected a whole number from 1 to 4096"),
            (
                "layer_types", ["linear_attention"],
                "'layer_types' is [\"linear_attention\"], expected a list of 8 words, one per layer"
            ),
            (
                "layer_types", .array(Array(repeating: "mamba", count: 8)),
                "'layer_types' is 'mamba', supported: full_attention, linear_attention"
            ),
            ("num_experts", nil, "'num_experts' is missing"),
        ] as [(String, JSON, String)])
    func qwen35VariantsAreRefused(key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.describeQwen35([key: value]) }
        #expect(error?.description == "config.json: " + message)
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
