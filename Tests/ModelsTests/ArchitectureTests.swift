import Basics
import Models
import OrderedCollections
import Testing

@Suite struct ArchitectureTests {
    /// A configuration as published, small.
    static let published: JSON = [
        "model_type": "qwen3_moe", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 512,
        "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 48, "intermediate_size": 96,
        "norm_topk_prob": true, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000,
    ]

    static func describe(_ changes: [String: JSON] = [:], tensors: Set<String> = []) throws -> ModelDescription {
        guard case .object(var members) = published else { preconditionFailure("the configuration is an object") }
        for (key, value) in changes { members[key] = value }
        guard let architecture = Registry.architectures["qwen3_moe"] else { preconditionFailure("it is registered") }
        return try architecture(ConfigurationReader(.object(members)), tensors)
    }

    @Test func layersAreSparseWhereTheConfigurationSaysSo() throws {
        let model = try Self.describe(["decoder_sparse_step": 2, "mlp_only_layers": [3]])
        let isSparse = model.layers.map { layer in
            guard case .mixture = layer.feedForward else { return false }
            return true
        }
        #expect(isSparse == [false, true, false, false])
    }

    @Test func expertsMayBeFused() throws {
        let model = try Self.describe(tensors: ["model.layers.0.mlp.experts.gate_up_proj"])
        #expect(model.mixtures[0].storage == .fused(prefix: "model.layers.0.mlp.experts"))
        #expect(model.mixtures[1].storage == .separate(prefix: "model.layers.1.mlp.experts"))
    }

    @Test func expertsMayBeStacked() throws {
        let model = try Self.describe(tensors: ["model.layers.1.mlp.experts.gate_proj"])
        #expect(model.mixtures[0].storage == .separate(prefix: "model.layers.0.mlp.experts"))
        #expect(model.mixtures[1].storage == .stacked(prefix: "model.layers.1.mlp.experts"))
    }

    @Test func tiedEmbeddingsAreTheHead() throws {
        #expect(try Self.describe(["tie_word_embeddings": true]).headName == "model.embed_tokens.weight")
        #expect(try Self.describe().headName == "lm_head.weight")
    }

    @Test func theWindowCountsOnlyWhereItIsUsed() throws {
        #expect(try Self.describe(["sliding_window": 16]).layers[0].groupedQuery.windowTokens == nil)
        let windowed = try Self.describe(["sliding_window": 16, "use_sliding_window": true])
        #expect(windowed.layers[0].groupedQuery.windowTokens == 16)
    }

    @Test func theNumberOfExpertsHasTwoNames() throws {
        let model = try Self.describe(["num_experts": nil, "num_local_experts": 6])
        #expect(model.mixtures[0].expertCount == 6)
        #expect(throws: ModelError.configurationKeyMissing(key: "num_experts")) {
            try Self.describe(["num_experts": nil])
        }
    }

    @Test(
        arguments: [
            ("hidden_size", JSON.null, "'hidden_size' is missing"),
            ("hidden_size", "wide", "'hidden_size' is \"wide\", expected a whole number from 1 to 1048576"),
            ("num_key_value_heads", 3, "'num_key_value_heads' is 3, expected a divisor of num_attention_heads, 4"),
            ("num_experts_per_tok", 9, "'num_experts_per_tok' is 9, expected no more than num_experts, 8"),
            ("head_dim", 15, "'head_dim' is 15, expected an even number"),
            ("hidden_act", "relu", "'hidden_act' is 'relu', supported: silu"),
            ("rms_norm_eps", -1, "'rms_norm_eps' is -1.0, expected a positive number"),
            ("mlp_only_layers", ["one"], "'mlp_only_layers' is \"one\", expected a whole number"),
            (
                "rope_scaling", ["rope_type": "longrope"],
                "'rope_type' is 'longrope', supported: default, dynamic, linear, llama3, yarn"
            ),
            ("rope_scaling", ["type": "yarn", "factor": 0], "'factor' is 0.0, expected a positive number"),
        ] as [(String, JSON, String)])
    func contradictionsNameTheKey(key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.describe([key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
