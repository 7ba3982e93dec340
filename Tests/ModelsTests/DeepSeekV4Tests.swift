import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What is read from configurations of DeepSeek-V4, which is not served yet.
@Suite struct DeepSeekV4Tests {
    private static let published: [String: JSON] = [
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
        ] as [(String, JSON, String)])
    func variantsAreRefused(key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.read([key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
