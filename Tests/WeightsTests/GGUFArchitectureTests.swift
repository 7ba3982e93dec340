import Basics
import TestSupport
import Testing
import Weights

/// What the keys of each architecture make of `config.json`, and what is refused.
@Suite struct GGUFArchitectureTests {
    typealias Value = GGUFBuilder.Value

    /// The keys that every architecture needs, and those of its own.
    private static let common: [String: Value] = [
        "block_count": .uint32(3), "context_length": .uint32(512), "embedding_length": .uint32(8),
        "attention.head_count": .uint32(4), "attention.layer_norm_rms_epsilon": .float32(1e-5),
        "expert_count": .uint32(6), "expert_used_count": .uint32(2),
    ]
    private static let grouped: [String: Value] = [
        "attention.head_count_kv": .uint32(2), "attention.key_length": .uint32(16),
        "attention.value_length": .uint32(16), "rope.freq_base": .float32(1e6),
    ]
    private static let latent: [String: Value] = [
        "attention.kv_lora_rank": .uint32(32), "attention.q_lora_rank": .uint32(24),
        "attention.key_length": .uint32(40), "attention.value_length": .uint32(32),
        "attention.key_length_mla": .uint32(24), "attention.value_length_mla": .uint32(12),
        "rope.dimension_count": .uint32(8), "expert_feed_forward_length": .uint32(20),
        "feed_forward_length": .uint32(48), "expert_shared_count": .uint32(1), "expert_gating_func": .uint32(2),
        "expert_weights_norm": .bool(1), "expert_weights_scale": .float32(2.5),
        "leading_dense_block_count": .uint32(1), "expert_group_count": .uint32(3),
        "expert_group_used_count": .uint32(2),
    ]
    private static let indexed: [String: Value] = [
        "attention.indexer.head_count": .uint32(4), "attention.indexer.key_length": .uint32(16),
        "attention.indexer.top_k": .uint32(20),
    ]
    private static let compressed: [String: Value] = [
        "attention.head_count_kv": .uint32(1), "attention.key_length": .uint32(16),
        "attention.value_length": .uint32(16), "attention.q_lora_rank": .uint32(24),
        "attention.sliding_window": .uint32(20), "attention.output_group_count": .uint32(2),
        "attention.output_lora_rank": .uint32(12),
        "attention.compress_ratios": .array(kind: 5, [.int32(0), .int32(4), .int32(128), .int32(0)]),
        "attention.compress_rope_freq_base": .float32(160_000), "rope.dimension_count": .uint32(8),
        "hyper_connection.count": .uint32(4), "hyper_connection.sinkhorn_iterations": .uint32(20),
        "hyper_connection.epsilon": .float32(1e-6), "hash_layer_count": .uint32(1),
        "expert_feed_forward_length": .uint32(20), "expert_shared_count": .uint32(1),
        "expert_gating_func": .uint32(4), "expert_weights_norm": .bool(1), "expert_weights_scale": .float32(1.5),
        "swiglu_clamp_exp": .array(kind: 6, [.float32(7.1), .float32(7.1), .float32(7.1)]),
    ]
    static let keys: [String: [String: Value]] = [
        "deepseek2": latent,
        "deepseek32": joined(latent, indexed),
        "deepseek4": joined(compressed, indexed),
        "glm-dsa": joined(latent, indexed),
        "glm4moe": joined(
            grouped,
            [
                "rope.dimension_count": .uint32(6), "expert_feed_forward_length": .uint32(20),
                "feed_forward_length": .uint32(48),
            ]),
        "gpt-oss": joined(
            grouped, ["attention.sliding_window": .uint32(20), "expert_feed_forward_length": .uint32(20)]),
        "llama": joined(grouped, ["feed_forward_length": .uint32(20)]),
        "minimax-m2": joined(
            grouped, ["rope.dimension_count": .uint32(8), "expert_feed_forward_length": .uint32(20)]),
        "qwen35moe": joined(
            grouped,
            [
                "rope.dimension_count": .uint32(4), "expert_feed_forward_length": .uint32(20),
                "expert_shared_feed_forward_length": .uint32(12), "ssm.conv_kernel": .uint32(4),
                "ssm.state_size": .uint32(16), "ssm.group_count": .uint32(2), "ssm.time_step_rank": .uint32(4),
                "ssm.inner_size": .uint32(96),
            ]),
    ]

    private static func joined(_ left: [String: Value], _ right: [String: Value]) -> [String: Value] {
        left.merging(right) { $1 }
    }

    /// A file of an architecture with an embedding and further tensors of one number; some keys set anew or left out.
    static func builder(
        _ architecture: String, _ changes: [String: Value?] = [:], tensors: [String] = []
    ) -> GGUFBuilder {
        var own = joined(common, keys[architecture] ?? [:])
        for (name, value) in changes { own[name] = value }
        var builder = GGUFBuilder(keys: [
            ("general.architecture", .string(architecture)), ("tokenizer.ggml.eos_token_id", .uint32(1)),
        ])
        for (name, value) in own.sorted(by: { $0.key < $1.key }) {
            builder.keys.append((architecture + "." + name, value))
        }
        builder.add("token_embd.weight", [8, 5], type: 0, [UInt8](repeating: 0, count: 160))
        for name in tensors { builder.add(name, [1], type: 0, [0, 0, 0, 0]) }
        return builder
    }

    private func configuration(
        _ architecture: String, _ changes: [String: Value?] = [:], tensors: [String] = []
    ) throws -> JSON {
        try open(architecture, changes, tensors: tensors).configuration
    }

    private func open(
        _ architecture: String, _ changes: [String: Value?] = [:], tensors: [String] = []
    ) throws -> Checkpoint {
        let directory = try TemporaryDirectory()
        let file = Self.builder(architecture, changes, tensors: tensors).file
        return try withExtendedLifetime(directory) { try Checkpoint.open(directory.write("m.gguf", file)) }
    }

    private func message(
        _ architecture: String, _ changes: [String: Value?] = [:], tensors: [String] = []
    ) throws -> String {
        do {
            _ = try configuration(architecture, changes, tensors: tensors)
            return "no error"
        } catch let error as WeightsError {
            return error.description
        }
    }

    /// What is said beside the keys that all have.
    private func expect(_ configuration: JSON, _ members: KeyValuePairs<String, JSON>) {
        #expect(configuration["vocab_size"] == 5 && configuration["hidden_size"] == 8)
        #expect(configuration["num_hidden_layers"] == 3 && configuration["num_attention_heads"] == 4)
        #expect(configuration["rms_norm_eps"] == 1e-5 && configuration["max_position_embeddings"] == 512)
        #expect(configuration["tie_word_embeddings"] == true && configuration["eos_token_id"] == 1)
        for (key, value) in members {
            #expect(configuration[key] == value, "\(key) is \(configuration[key]?.serialised() ?? "missing")")
        }
    }

    @Test func deepSeek() throws {
        let members: KeyValuePairs<String, JSON> = [
            "num_key_value_heads": 4, "q_lora_rank": 24, "kv_lora_rank": 32, "qk_nope_head_dim": 16,
            "qk_rope_head_dim": 8, "v_head_dim": 12, "n_routed_experts": 6, "num_experts_per_tok": 2,
            "moe_intermediate_size": 20, "intermediate_size": 48, "n_shared_experts": 1, "first_k_dense_replace": 1,
            "norm_topk_prob": true, "routed_scaling_factor": 2.5, "n_group": 3, "topk_group": 2,
            "rope_theta": 10_000.0, "rope_scaling": nil,
        ]
        let configuration = try configuration("deepseek2")
        expect(configuration, members)
        #expect(configuration["model_type"] == "deepseek_v3")
        let sparse = try self.configuration("deepseek32")
        expect(sparse, members)
        expect(
            sparse, ["model_type": "deepseek_v32", "index_n_heads": 4, "index_head_dim": 16, "index_topk": 20])
        // Files of earlier converters: widths of heads, no narrow queries, no groups.
        let old = try self.configuration(
            "deepseek2",
            [
                "attention.key_length": .uint32(24), "attention.value_length": .uint32(12),
                "attention.key_length_mla": nil, "attention.value_length_mla": nil,
                "attention.q_lora_rank": nil, "expert_group_count": nil,
                "expert_group_used_count": nil,
            ])
        expect(old, ["qk_nope_head_dim": 16, "v_head_dim": 12, "n_group": 1, "topk_group": 1])
        #expect(old["q_lora_rank"] == JSON.null)
    }

    @Test func deepSeek4() throws {
        let members: KeyValuePairs<String, JSON> = [
            "model_type": "deepseek_v4", "num_key_value_heads": 1, "head_dim": 16, "qk_rope_head_dim": 8,
            "q_lora_rank": 24, "o_groups": 2, "o_lora_rank": 12, "sliding_window": 20,
            "compress_ratios": [0, 4, 128, 0], "compress_rope_theta": 160_000.0, "index_n_heads": 4,
            "index_head_dim": 16, "index_topk": 20, "hc_mult": 4, "hc_sinkhorn_iters": 20, "hc_eps": 1e-6,
            "num_hash_layers": 1, "n_routed_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 20,
            "n_shared_experts": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.5, "swiglu_limit": 7.1,
        ]
        expect(try configuration("deepseek4"), members)
        expect(
            try configuration(
                "deepseek4", ["swiglu_clamp_exp": .float32(7.1), "swiglu_clamp_shexp": .float32(7.1)]), members)
        #expect(
            try message("deepseek4", ["swiglu_clamp_shexp": .float32(7)])
                .contains("'deepseek4.swiglu_clamp_shexp' is 7.0, expected 7.1 as of experts"))
        let limits = Value.array(kind: 6, [.float32(7.1), .float32(7.1), .float32(7)])
        #expect(
            try message("deepseek4", ["swiglu_clamp_exp": limits])
                .contains("'deepseek4.swiglu_clamp_exp' is a list of 3, expected a number, the same for all layers"))
        #expect(try message("deepseek4", ["swiglu_clamp_exp": .array(kind: 6, [])]).contains("is a list of 0"))
        #expect(
            try message("deepseek4", ["attention.compress_ratios": .array(kind: 6, [.float32(0.5)])])
                .contains("'deepseek4.attention.compress_ratios' is a list of 1, expected a list of whole numbers"))
        #expect(try message("deepseek4", ["attention.value_length": .uint32(8)]).contains("is 8, expected 16.0"))
    }

    /// A file that counts further layers which it has not: its last layer is one like the others.
    @Test func furtherLayersThatAreLeftOut() throws {
        let checkpoint = try open(
            "deepseek4", ["nextn_predict_layers": .uint32(1)], tensors: ["blk.2.attn_norm.weight"])
        #expect(checkpoint.configuration["num_hidden_layers"] == 3)
        #expect(checkpoint.tensorNames.contains("model.layers.2.input_layernorm.weight"))
    }

    @Test func tablesOfWholeNumbers() throws {
        let directory = try TemporaryDirectory()
        func open(_ type: UInt32, _ bytes: [UInt8]) throws -> Checkpoint {
            var builder = Self.builder("deepseek4")
            builder.add("blk.0.ffn_gate_tid2eid.weight", [2, 3], type: type, bytes)
            return try Checkpoint.open(directory.write("\(type)-\(bytes.count).gguf", builder.file))
        }
        let numbers: [Int32] = [0, 5, 3, 1, 2, 4]
        let name = "model.layers.0.mlp.gate.tid2eid"
        for checkpoint in [
            try open(26, numbers.flatMap(littleEndian)), try open(27, numbers.flatMap { littleEndian(Int64($0)) }),
        ] {
            #expect(try checkpoint.numbers(name, shape: [3, 2], below: 6) == numbers)
            #expect(throws: WeightsError.self) { try checkpoint.numbers(name, shape: [3, 2], below: 5) }
            #expect(throws: WeightsError.self) { try checkpoint.numbers(name, shape: [2, 3], below: 6) }
        }
        let short = try open(25, numbers.flatMap { littleEndian(Int16($0)) })
        #expect(throws: WeightsError.self) { try short.numbers(name, shape: [3, 2], below: 6) }
        let missing = WeightsError.tensorMissing(tensor: "blk.1.ffn_gate_tid2eid.weight", model: short.path)
        #expect(throws: missing) { try short.numbers("model.layers.1.mlp.gate.tid2eid", shape: [3, 2], below: 6) }
        #expect(throws: WeightsError.self) { try open(27, [0, 0, 0, 0]) }
        withExtendedLifetime(directory) {}
    }

    @Test func scoresOfAStretchedContext() throws {
        let scaling = try configuration(
            "deepseek2",
            [
                "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float32(40),
                "rope.scaling.original_context_length": .uint32(64),
                "rope.scaling.yarn_log_multiplier": .float32(0.0707),
            ])["rope_scaling"]
        #expect(
            scaling == [
                "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 64, "mscale": 0.707,
                "mscale_all_dim": 0.707,
            ])
    }

    @Test func glm5() throws {
        expect(
            try configuration("glm-dsa", ["expert_gating_func": nil]),
            ["model_type": "glm_moe_dsa", "index_n_heads": 4])
        let flags = Value.array(kind: 7, [.bool(1), .bool(0), .bool(1), .bool(1)])
        #expect(
            try configuration("glm-dsa", ["attention.indexer.types": flags])["indexer_types"]
                == ["full", "shared", "full"])
        let long = try configuration("glm-dsa", ["context_length": .uint32(1 << 20)])
        #expect(long["index_topk_freq"] == 4 && long["index_skip_topk_offset"] == 3)
    }

    @Test func glm4() throws {
        let configuration = try configuration(
            "glm4moe", tensors: ["blk.1.attn_q_norm.weight", "blk.0.attn_q.bias", "blk.1.exp_probs_b.bias"])
        expect(
            configuration,
            [
                "model_type": "glm4_moe", "head_dim": 16, "partial_rotary_factor": 0.375, "use_qk_norm": true,
                "attention_bias": true, "n_shared_experts": 0, "first_k_dense_replace": 0, "norm_topk_prob": false,
                "routed_scaling_factor": 1.0, "n_group": 1, "topk_group": 1, "rope_theta": 1e6,
            ])
        let plain = try self.configuration(
            "glm4moe",
            ["attention.key_length": nil, "attention.value_length": nil, "rope.dimension_count": .uint32(2)])
        #expect(plain["use_qk_norm"] == false && plain["attention_bias"] == false)
    }

    @Test func gptOss() throws {
        let configuration = try configuration(
            "gpt-oss",
            [
                "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float32(32),
                "rope.scaling.original_context_length": .uint32(64),
            ], tensors: ["blk.0.attn_q.bias"])
        expect(
            configuration,
            [
                "model_type": "gpt_oss", "sliding_window": 20, "attention_bias": true, "num_local_experts": 6,
                "intermediate_size": 20, "rope_scaling": nil,
                "rope_parameters": [
                    "rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 64, "truncate": false,
                ],
            ])
        #expect(configuration["layer_types"] == nil)
        let flags = Value.array(kind: 7, [.bool(0), .bool(1), .bool(0)])
        let full = "full_attention"
        let other = try self.configuration("gpt-oss", ["attention.sliding_window_pattern": flags])
        #expect(other["layer_types"] == [.string(full), "sliding_attention", .string(full)])
        #expect(other["rope_parameters"] == ["rope_type": "default"])
    }

    @Test func miniMaxAndMixtral() throws {
        expect(
            try configuration("minimax-m2"),
            ["model_type": "minimax_m2", "rotary_dim": 8, "num_local_experts": 6, "intermediate_size": 20])
        expect(
            try configuration("llama"),
            [
                "model_type": "mixtral", "num_key_value_heads": 2, "head_dim": 16, "num_local_experts": 6,
                "num_experts_per_tok": 2, "intermediate_size": 20, "rope_theta": 1e6,
            ])
    }

    @Test func qwen35() throws {
        expect(
            try configuration("qwen35moe"),
            [
                "model_type": "qwen3_5_moe_text", "partial_rotary_factor": 0.25, "rms_norm_weight_offset": 0,
                "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16,
                "linear_value_head_dim": 24, "linear_conv_kernel_dim": 4, "shared_expert_intermediate_size": 12,
                "full_attention_interval": 4,
            ])
        let flags = Value.array(kind: 7, [.bool(1), .bool(0), .bool(1), .bool(0)])
        #expect(
            try configuration("qwen35moe", ["attention.recurrent_layers": flags])["layer_types"]
                == ["linear_attention", "full_attention", "linear_attention"])
        #expect(
            try message("qwen35moe", ["attention.recurrent_layers": .array(kind: 7, [.bool(1)])])
                .contains("is a list of 1, expected a list with true or false for each of the 3 layers"))
    }

    /// Keys without which there is no model, each named with its architecture.
    @Test(arguments: keys.keys.sorted()) func whatIsMissingIsNamed(architecture: String) throws {
        let optional: Set<String> = [
            "attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.key_length_mla",
            "attention.q_lora_rank", "rope.freq_base", "expert_shared_count", "expert_weights_norm",
            "expert_weights_scale", "leading_dense_block_count", "expert_group_count", "expert_group_used_count",
        ]
        let own = Self.joined(Self.common, Self.keys[architecture] ?? [:])
        for key in own.keys where !optional.contains(key) {
            if key == "rope.dimension_count", Self.keys[architecture]?["attention.kv_lora_rank"] == nil { continue }
            if key == "expert_gating_func", architecture == "glm-dsa" { continue }
            if key == "expert_feed_forward_length", architecture == "minimax-m2" {
                #expect(try message(architecture, [key: nil]).contains("'minimax-m2.feed_forward_length' is missing"))
                continue
            }
            #expect(try message(architecture, [key: nil]).contains("'\(architecture).\(key)' is missing"), "\(key)")
            #expect(try message(architecture, [key: .string("x")]).contains("'\(architecture).\(key)' is \"x\""))
        }
    }

    @Test func variantsAreRefused() throws {
        #expect(try message("deepseek2", ["expert_gating_func": .uint32(1)]).contains("is 1, expected 2.0"))
        #expect(try message("llama", ["expert_gating_func": .uint32(2)]).contains("is 2, expected 1.0"))
        #expect(try message("llama", ["rope.dimension_count": .uint32(8)]).contains("is 8, expected 16.0"))
        #expect(try message("llama", ["expert_count": .uint32(0)]).contains("models without are not served"))
        #expect(try message("llama", ["attention.key_length": .uint32(1)]).contains("an even number"))
        #expect(try message("deepseek2", ["rope.dimension_count": .uint32(24)]).contains("more than rope.dimension"))
        #expect(try message("glm4moe", ["rope.dimension_count": .uint32(17)]).contains("1 to 16"))
        for architecture in Self.keys.keys {
            for name in ["attention.scale", "attention.temperature_scale", "logit_scale"] {
                #expect(try message(architecture, [name: .float32(0.5)]).contains("\(name)' is 0.5, expected"))
            }
            #expect(try message(architecture, ["attention.causal": .bool(0)]).contains("is false, expected true"))
        }
        for (name, value) in [("ssm.time_step_rank", 3), ("ssm.group_count", 3), ("ssm.inner_size", 95)] {
            #expect(try message("qwen35moe", [name: .uint32(UInt32(value))]).contains("a multiple of ssm."))
        }
        #expect(try message("qwen35moe", ["ssm.state_size": .int64(.max)]).contains("a multiple of ssm.group_count"))
        let yarn: [String: Value?] = [
            "rope.scaling.type": .string("yarn"), "rope.scaling.yarn_log_multiplier": .float32(0.1),
        ]
        #expect(try message("gpt-oss", yarn).contains("yarn_log_multiplier"))
    }

    /// Layers that predict further tokens are counted with the others; of some architectures what is known is read.
    @Test func furtherLayersStandBehindTheOthers() throws {
        let tensors = [
            "blk.2.attn_norm.weight", "blk.2.nextn.eh_proj.weight", "blk.2.nextn.shared_head_head.weight",
            "blk.1.attn_norm.weight",
        ]
        let read = ["deepseek2", "deepseek32", "glm-dsa", "glm4moe", "qwen35moe"]
        for architecture in read + ["deepseek4"] {
            let checkpoint = try open(architecture, ["nextn_predict_layers": .uint32(1)], tensors: tensors)
            #expect(checkpoint.configuration["num_hidden_layers"] == 2)
            let isRead = read.contains(architecture)
            #expect(checkpoint.configuration["num_nextn_predict_layers"] == (isRead ? 1 : nil))
            let further = ["model.layers.2.eh_proj.weight", "model.layers.2.input_layernorm.weight"]
            #expect(
                checkpoint.tensorNames == ["model.embed_tokens.weight", "model.layers.1.input_layernorm.weight"]
                    + (isRead ? further : []))
            let unknown = try message(architecture, tensors: tensors)
            #expect(unknown.contains("blk.2.nextn."))
            #expect(unknown.contains("has no place in the architecture \(architecture)"))
            #expect(try message(architecture, ["nextn_predict_layers": .uint32(4)]).contains("0 to 3, all layers"))
        }
    }

    @Test func tensorsHaveHuggingFacesNames() throws {
        let names: [String: KeyValuePairs<String, String>] = [
            "deepseek2": [
                "attn_k_b.weight": "self_attn.k_b_proj.weight", "attn_kv_b.weight": "self_attn.kv_b_proj.weight",
                "ffn_gate_shexp.weight": "mlp.shared_experts.gate_proj.weight",
                "exp_probs_b.bias": "mlp.gate.e_score_correction_bias",
            ],
            "deepseek4": [
                "attn_kv_a_norm.weight": "self_attn.kv_norm.weight",
                "attn_output_a.weight": "self_attn.o_a_proj.weight",
                "attn_compressor_ape.weight": "self_attn.compressor.position_bias",
                "indexer.proj.weight": "self_attn.compressor.indexer.scorer.weights_proj.weight",
                "indexer_compressor_kv.weight": "self_attn.compressor.indexer.kv_proj.weight",
                "hc_ffn_scale.weight": "ffn_hc.scale", "ffn_gate_exps.weight": "mlp.experts.gate_proj",
                "exp_probs_b_vl.bias": "mlp.gate.bias_vl",
            ],
            "glm-dsa": ["indexer.proj.weight": "self_attn.indexer.weights_proj.weight"],
            "gpt-oss": [
                "attn_sinks.weight": "self_attn.sinks", "ffn_gate_exps.bias": "mlp.experts.gate_proj_bias",
                "post_attention_norm.weight": "post_attention_layernorm.weight",
            ],
            "llama": ["ffn_down.12.weight": "block_sparse_moe.experts.12.w2.weight"],
            "minimax-m2": ["exp_probs_b.bias": "mlp.e_score_correction_bias"],
            "qwen35moe": ["ssm_a": "linear_attn.A", "ffn_gate_inp_shexp.weight": "mlp.shared_expert_gate.weight"],
        ]
        for (architecture, table) in names {
            let checkpoint = try open(architecture, tensors: table.map { "blk.1." + $0.key })
            #expect(
                checkpoint.tensorNames
                    == (["model.embed_tokens.weight"] + table.map { "model.layers.1." + $0.value }).sorted())
            for (stored, name) in table {
                let missing = WeightsError.tensorMissing(tensor: "blk.2." + stored, model: checkpoint.path)
                #expect(throws: missing) { try checkpoint.tensor("model.layers.2." + name, shape: [1]) }
            }
        }
        for name in ["ffn_gate.01.weight", "ffn_gate.x.weight", "attn_q.bias", "ffn_gate.*.weight"] {
            #expect(try message("llama", tensors: ["blk.1." + name]).contains("has no place"), "\(name)")
        }
    }
}
