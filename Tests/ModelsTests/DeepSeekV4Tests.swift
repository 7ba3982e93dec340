import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What is read from configurations of DeepSeek-V4, and what becomes of it.
@Suite struct DeepSeekV4Tests {
    private static let published: [String: JSON] = [
        "model_type": "deepseek_v4", "hidden_size": 128, "vocab_size": 640, "moe_intermediate_size": 96,
        "n_routed_experts": 16, "n_shared_experts": 1, "rms_norm_eps": 1e-5,
        "num_hidden_layers": 5, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 64, "q_lora_rank": 48,
        "qk_rope_head_dim": 16, "o_groups": 2, "o_lora_rank": 32, "sliding_window": 16, "index_n_heads": 4,
        "index_head_dim": 32, "index_topk": 8, "num_hash_layers": 1, "compress_ratios": [0, 4, 128, 4, 128, 0],
        "num_experts_per_tok": 4, "routed_scaling_factor": 1.5, "scoring_func": "sqrtsoftplus",
        "topk_method": "noaux_tc", "swiglu_limit": 10.0, "hc_mult": 4, "hc_sinkhorn_iters": 20, "hc_eps": 1e-6,
        "max_position_embeddings": 4096, "rope_theta": 10_000, "compress_rope_theta": 160_000,
        "rope_scaling": [
            "type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1, "original_max_position_embeddings": 128,
        ],
    ]

    private static func read(_ changes: [String: JSON] = [:]) throws -> DeepSeekV4Configuration {
        let members = published.merging(changes) { $1 }
        let document = JSON.object(OrderedDictionary(uniqueKeysWithValues: members.map { ($0, $1) }))
        return try DeepSeekV4Configuration(ConfigurationReader(document))
    }

    @Test func readsThePublishedKeys() throws {
        let found = try Self.read()
        #expect(
            found.compressions == [
                .none, .chosen(positions: 4), .all(positions: 128), .chosen(positions: 4), .all(positions: 128),
            ])
        #expect(found.hasNamedExperts == [true, false, false, false, false])
        #expect(found.headCount == 8 && found.headWidth == 64 && found.queryRank == 48 && found.windowTokens == 16)
        #expect(found.outputGroups == (2, 32))
        #expect(found.indexer.chosenCount == 8 && found.indexer.headCount == 4 && found.indexer.headWidth == 32)
        #expect(found.streams == StreamRule(streamCount: 4, roundCount: 20, epsilon: 1e-6))
        #expect(found.activation == GatedActivation(limit: 10))
        let rule = RouterRule(
            scoring: .sqrtSoftplus, expertsPerToken: 4, normalises: true, normaliserEpsilon: 1e-20, scale: 1.5)
        #expect(found.router == rule)
        #expect(found.rotary.inverseFrequencies.count == 8 && found.compressedRotary.inverseFrequencies.count == 8)
        #expect(found.rotary.attentionFactor == 1 && found.compressedRotary.attentionFactor == 1)
        #expect(found.compressedRotary.inverseFrequencies[1] != found.rotary.inverseFrequencies[1])
    }

    @Test func readsTheKeysOfTransformers() throws {
        let published = try Self.read()
        let yarn: JSON = [
            "rope_type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1, "rope_theta": 160_000,
            "original_max_position_embeddings": 128, "partial_rotary_factor": 0.25, "attention_factor": 1.0,
        ]
        let main: JSON = ["rope_type": "default", "rope_theta": 10_000, "partial_rotary_factor": 0.25]
        let other = try Self.read([
            "compress_ratios": nil, "num_hash_layers": nil, "qk_rope_head_dim": nil, "rope_scaling": nil,
            "compress_rope_theta": nil, "rope_theta": nil,
            "layer_types": [
                "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention",
                "compressed_sparse_attention", "heavily_compressed_attention",
            ],
            "mlp_layer_types": ["hash_moe", "moe", "moe", "moe", "moe"],
            "compress_rates": ["compressed_sparse_attention": 4, "heavily_compressed_attention": 128],
            "rope_parameters": ["main": main, "compress": yarn],
        ])
        #expect(other.compressions == published.compressions)
        #expect(other.hasNamedExperts == published.hasNamedExperts)
        #expect(other.rotary == published.rotary && other.compressedRotary == published.compressedRotary)
    }

    static func describe(_ names: Set<String> = [], _ changes: [String: JSON] = [:]) throws -> ModelDescription {
        let members = published.merging(changes) { $1 }
        let document = JSON.object(OrderedDictionary(uniqueKeysWithValues: members.map { ($0, $1) }))
        let architecture = try #require(Registry.architectures["deepseek_v4"])
        return try architecture(ConfigurationReader(document), names)
    }

    private static func attentions(_ model: ModelDescription) -> [CompressedAttentionDescription] {
        model.layers.compactMap { layer in
            guard case .compressed(let shape) = layer.attention else { return nil }
            return shape
        }
    }

    @Test func describesLayersUnderPublishedNames() throws {
        let model = try Self.describe()
        #expect(model.embeddingName == "embed.weight" && model.headName == "head.weight")
        #expect(model.finalNormName == "norm.weight" && model.normEpsilon == 1e-5)
        #expect(model.streams?.rule.streamCount == 4)
        #expect(
            model.streams?.head
                == StreamNames(mixesName: "hc_head_fn", baseName: "hc_head_base", scalesName: "hc_head_scale"))
        #expect(model.layers[1].attentionNormName == "layers.1.attn_norm.weight")
        #expect(model.layers[1].feedForwardStreams?.mixesName == "layers.1.hc_ffn_fn")
        let layers = Self.attentions(model)
        #expect(layers.map { $0.entries?.compressor.shape.windowPositions } == [nil, 4, 128, 4, 128])
        #expect(layers.map { $0.entries?.compressor.shape.overlaps } == [nil, true, false, true, false])
        #expect(layers.map { $0.entries?.indexer != nil } == [false, true, false, true, false])
        #expect(layers.compactMap(\.entries).allSatisfy { $0.blockPositions == 2048 })
        #expect(layers[0].rotary != layers[1].rotary && layers[1].rotary == layers[2].rotary)
        let indexer = try #require(layers[1].entries?.indexer)
        #expect(indexer.query.weight == "layers.1.attn.indexer.wq_b.weight" && indexer.chosenCount == 8)
        #expect(indexer.compressor.biasName == "layers.1.attn.indexer.compressor.ape")
        #expect(indexer.compressor.shape.dims == 32 && indexer.compressor.shape.width == 64)
        #expect(layers[2].outputDown.weight == "layers.2.attn.wo_a.weight" && layers[2].outputGroups.rank == 32)
        #expect(layers[0].sinksName == "layers.0.attn.attn_sink" && layers[0].rotaryWidth == 16)
        let mixtures = model.mixtures
        #expect(mixtures.map(\.router.tableName) == ["layers.0.ffn.gate.tid2eid", nil, nil, nil, nil])
        #expect(mixtures[0].router.choiceBiasName == nil)
        #expect(mixtures[1].router.choiceBiasName == "layers.1.ffn.gate.bias")
        #expect(mixtures[1].storage == .separate(prefix: "layers.1.ffn.experts", names: .numbers))
        #expect(mixtures[1].sharedExpert?.gateName == "layers.1.ffn.shared_experts.w1.weight")
        #expect(mixtures[1].activation == GatedActivation(limit: 10))
        #expect(mixtures[1].sharedExpert?.activation == GatedActivation(limit: 10))
    }

    /// As the class holds them, and as it saves them.
    @Test func findsTensorsUnderOtherNames() throws {
        let model = try Self.describe([
            "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight", "model.hc_head.hc_fn",
            "model.layers.1.self_attn.q_b_proj.weight", "model.layers.1.self_attn.sinks",
            "model.layers.1.self_attn.compressor.indexer.scorer.weights_proj.weight",
            "model.layers.1.self_attn.compressor.position_bias", "model.layers.1.attn_hc.base",
            "model.layers.1.mlp.gate.weight", "model.layers.1.mlp.experts.gate_up_proj",
            "model.layers.1.mlp.gate.e_score_correction_bias", "model.layers.1.mlp.shared_experts.gate_proj.weight",
            "model.layers.2.attn.wq_b.weight", "model.layers.2.attn.norm.weight",
        ])
        #expect(model.embeddingName == "model.embed_tokens.weight" && model.headName == "lm_head.weight")
        #expect(model.finalNormName == "model.norm.weight" && model.streams?.head.mixesName == "model.hc_head.hc_fn")
        #expect(model.layers[1].attentionStreams?.baseName == "model.layers.1.attn_hc.base")
        let layers = Self.attentions(model)
        #expect(layers[1].queryUp.weight == "model.layers.1.self_attn.q_b_proj.weight")
        #expect(layers[1].sinksName == "model.layers.1.self_attn.sinks")
        #expect(layers[1].entries?.compressor.biasName == "model.layers.1.self_attn.compressor.position_bias")
        #expect(
            layers[1].entries?.indexer?.headWeights.weight
                == "model.layers.1.self_attn.compressor.indexer.scorer.weights_proj.weight")
        #expect(layers[2].queryUp.weight == "model.layers.2.attn.wq_b.weight")
        #expect(layers[2].keyNormName == "model.layers.2.attn.norm.weight")
        let mixture = model.mixtures[1]
        #expect(mixture.storage == .fused(prefix: "model.layers.1.mlp.experts"))
        #expect(mixture.router.choiceBiasName == "model.layers.1.mlp.gate.e_score_correction_bias")
        #expect(mixture.sharedExpert?.upName == "model.layers.1.mlp.shared_experts.up_proj.weight")
        #expect(try Self.describe([], ["tie_word_embeddings": true]).headName == "embed.weight")
    }

    /// What is missing has the name that it would have beside the others, and with it a place in the tables of GGUF.
    @Test func missingTensorsAreNamedLikeTheOthers() throws {
        let model = try Self.describe([
            "model.layers.0.input_layernorm.weight", "model.layers.1.mlp.experts.gate_proj",
        ])
        #expect(model.headName == "head.weight" && model.finalNormName == "model.norm.weight")
        #expect(model.streams?.head.mixesName == "model.hc_head.hc_fn")
        #expect(model.layers[1].attentionStreams?.scalesName == "model.layers.1.attn_hc.scale")
        let attentions = Self.attentions(model)
        #expect(attentions[1].sinksName == "model.layers.1.self_attn.sinks")
        #expect(attentions[1].keyNormName == "model.layers.1.self_attn.kv_norm.weight")
        let indexer = attentions[1].entries?.indexer
        #expect(
            indexer?.headWeights.weight == "model.layers.1.self_attn.compressor.indexer.scorer.weights_proj.weight")
        let mixture = model.mixtures[1]
        #expect(mixture.storage == .stacked(prefix: "model.layers.1.mlp.experts"))
        #expect(mixture.router.choiceBiasName == "model.layers.1.mlp.gate.e_score_correction_bias")
        #expect(mixture.sharedExpert?.gateName == "model.layers.1.mlp.shared_experts.gate_proj.weight")
    }

    @Test func windowsOfAnyLengthShareABlock() throws {
        let model = try Self.describe(
            [], ["compress_rates": ["compressed_sparse_attention": 6, "heavily_compressed_attention": 40]])
        #expect(Self.attentions(model).compactMap(\.entries).allSatisfy { $0.blockPositions == 120 * 16 })
        let older = try Self.read(["compress_rate_csa": 8, "compress_rate_hca": 64])
        #expect(older.compressions[1...2] == [.chosen(positions: 8), .all(positions: 64)])
    }

    @Test func hasTheClassesDefaults() throws {
        let found = try Self.read(["compress_ratios": nil, "num_hash_layers": nil])
        #expect(
            found.compressions == [
                .all(positions: 128), .all(positions: 128), .all(positions: 128), .chosen(positions: 4),
                .all(positions: 128),
            ])
        #expect(found.hasNamedExperts == [true, true, true, false, false])
    }

    @Test(
        arguments: [
            ("scoring_func", "sigmoid", "'scoring_func' is 'sigmoid', supported: sqrtsoftplus"),
            ("topk_method", "greedy", "'topk_method' is 'greedy', supported: noaux_tc"),
            ("compress_ratios", [0, 4], "'compress_ratios' is 2 numbers, expected one for each of the 5 layers"),
            ("compress_ratios", [0, 4, 128, 8, 0], "'compress_ratios' is '8', supported: 0, 4, 128"),
            ("o_groups", 3, "'o_groups' is 3, expected a divisor of num_attention_heads, 8"),
            ("hc_mult", 9, "'hc_mult' is 9, expected a whole number from 1 to 8"),
            ("swiglu_limit", 0, "'swiglu_limit' is 0.0, expected a positive number"),
            (
                "mlp_layer_types", ["moe", "moe", "moe", "moe", "dense"],
                "'mlp_layer_types' is 'dense', supported: hash_moe, moe"
            ),
            ("qk_rope_head_dim", 65, "'qk_rope_head_dim' is 65, expected a whole number from 2 to 64"),
            ("qk_rope_head_dim", 15, "'qk_rope_head_dim' is 15, expected an even number"),
            ("head_dim", 63, "'head_dim' is 63, expected an even number"),
            ("index_head_dim", 14, "'index_head_dim' is 14, expected no less than qk_rope_head_dim, 16"),
            ("index_topk", 0, "'index_topk' is 0, expected a whole number from 1 to 65536"),
            ("num_key_value_heads", 2, "'num_key_value_heads' is '2', supported: 1"),
            ("n_shared_experts", 0, "'n_shared_experts' is '0', supported: 1"),
            ("attention_bias", true, "'attention_bias' is 'true', supported: false"),
            ("mlp_bias", true, "'mlp_bias' is 'true', supported: false"),
            ("norm_topk_prob", false, "'norm_topk_prob' is 'false', supported: true"),
            (
                "compress_rates", ["compressed_sparse_attention": 63, "heavily_compressed_attention": 128],
                "'compress_rates' is 'a common multiple of 8064', supported: up to 4096"
            ),
        ] as [(String, JSON, String)])
    func variantsAreRefused(key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.read([key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
