import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What the families with a window in some of their layers make of their configurations.
@Suite struct WindowFamilyTests {
    private static let published: [String: [String: JSON]] = [
        "gpt_oss": [
            "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2,
            "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 131_072, "num_local_experts": 8,
            "num_experts_per_tok": 4, "experts_per_token": 4, "intermediate_size": 32, "sliding_window": 128,
            "swiglu_limit": 7.0, "attention_bias": true, "rope_theta": 150_000, "initial_context_length": 4096,
            "rope_scaling": [
                "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
                "original_max_position_embeddings": 4096,
            ],
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        ],
        "yi_lightning": [
            "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 2,
            "head_dim": 16, "vocab_size": 320, "max_position_embeddings": 512, "num_experts": 16,
            "num_experts_per_tok": 4, "moe_intermediate_size": 24, "sliding_window": 16, "rope_theta": 5_000_000,
        ],
    ]

    private static func describe(
        _ family: String, _ changes: [String: JSON] = [:], tensors: Set<String> = []
    ) throws -> ModelDescription {
        let members = (published[family] ?? [:]).merging(changes) { $1 }
        let document = JSON.object(OrderedDictionary(uniqueKeysWithValues: members.map { ($0, $1) }))
        let architecture = try #require(Registry.architectures[family])
        return try architecture(ConfigurationReader(document), tensors)
    }

    @Test func gptOssHasAWindowInEveryOtherLayer() throws {
        for changes: [String: JSON] in [[:], ["layer_types": nil], ["layer_types": nil, "sliding_window": nil]] {
            let model = try Self.describe("gpt_oss", changes)
            #expect(model.layers.map(\.groupedQuery.windowTokens) == [128, nil, 128, nil])
        }
        let turned = try Self.describe(
            "gpt_oss", ["layer_types": ["full_attention", "full_attention", "full_attention", "sliding_attention"]])
        #expect(turned.layers.map(\.groupedQuery.windowTokens) == [nil, nil, nil, 128])
    }

    @Test func gptOssHasSinksAndBiases() throws {
        let attention = try Self.describe("gpt_oss").layers[1].groupedQuery
        #expect(attention.sinksName == "model.layers.1.self_attn.sinks")
        let biases = [attention.query, attention.key, attention.value, attention.output].map(\.bias)
        #expect(biases == ["q", "k", "v", "o"].map { "model.layers.1.self_attn.\($0)_proj.bias" })
        let without = try Self.describe("gpt_oss", ["attention_bias": false]).layers[1].groupedQuery
        #expect(without.query.bias == nil && without.output.bias == nil && without.sinksName != nil)
    }

    @Test func gptOssHasClampedExpertsWithBiases() throws {
        let mixture = try Self.describe("gpt_oss").mixtures[2]
        let prefix = "model.layers.2.mlp.experts"
        #expect(mixture.storage == .interleaved(prefix: prefix, isTransposed: true))
        let published = try Self.describe("gpt_oss", tensors: [prefix + ".gate_up_proj_blocks"]).mixtures[2]
        #expect(published.storage == .interleaved(prefix: prefix, isTransposed: false))
        #expect(mixture.activation == GatedActivation(limit: 7, slope: 1.702, offset: 1))
        #expect(mixture.router.weightName == "model.layers.2.mlp.router.weight")
        #expect(mixture.router.biasName == "model.layers.2.mlp.router.bias")
        #expect(mixture.router.rule == RouterRule(scoring: .softmax, expertsPerToken: 4, normalises: true))
        let other = try Self.describe("gpt_oss", ["swiglu_limit": 2.5, "swiglu_alpha": 1]).mixtures[0]
        #expect(other.activation == GatedActivation(limit: 2.5, slope: 1, offset: 1))
    }

    /// The rotary positions are the published ones however the file says them, or does not say them.
    @Test func gptOssStretchesItsContextByItself() throws {
        let published = try Self.describe("gpt_oss").layers[0].groupedQuery.rotary
        #expect(published.attentionFactor > 1.3)
        let silent = try Self.describe("gpt_oss", ["rope_scaling": nil, "rope_theta": nil, "head_dim": 16])
        #expect(silent.layers[0].groupedQuery.rotary == published)
        let plain = try Self.describe("gpt_oss", ["rope_parameters": ["rope_type": "default", "rope_theta": 150_000]])
        #expect(plain.layers[0].groupedQuery.rotary.attentionFactor == 1)
        let bare = try Self.describe("gpt_oss", ["head_dim": nil, "num_key_value_heads": nil]).layers[0].groupedQuery
        #expect(bare.headWidth == 64 && bare.keyValueHeadCount == 8)
    }

    @Test func yiSharesKeysAndValuesByTurns() throws {
        let layers = try Self.describe("yi_lightning").layers.map(\.groupedQuery)
        #expect(layers.map(\.windowTokens) == [16, 16, nil, 16, 16, nil])
        #expect(layers.map(\.sharedLayer) == [nil, 0, nil, nil, 3, 2])
        let given = try Self.describe("yi_lightning", ["kv_source_layer": [0, 0, 2, 0, 4, 5]])
        #expect(given.layers.map(\.groupedQuery.sharedLayer) == [nil, 0, nil, 0, nil, nil])
        let own = try Self.describe("yi_lightning", ["kv_source_layer": [0, 1, 2, 3, 4, 5]])
        #expect(own.layers.allSatisfy { $0.groupedQuery.sharedLayer == nil })
    }

    @Test func yiHasTwoLayouts() throws {
        let separate = try Self.describe("yi_lightning").mixtures[0]
        #expect(separate.storage == .separate(prefix: "model.layers.0.mlp.experts"))
        #expect(separate.router.rule == RouterRule(scoring: .softmax, expertsPerToken: 4, normalises: true))
        let fused = try Self.describe("yi_lightning", tensors: ["model.layers.0.mlp.experts.gate_up_proj"])
        #expect(fused.mixtures[0].storage == .fused(prefix: "model.layers.0.mlp.experts"))
    }

    @Test func yiNeedsAWindowOnlyWhereALayerHasOne() throws {
        let full = JSON.array(Array(repeating: "full_attention", count: 6))
        let model = try Self.describe("yi_lightning", ["layer_types": full, "sliding_window": nil])
        #expect(model.layers.map(\.groupedQuery.sharedLayer) == [nil, 0, nil, 2, nil, 4])
    }

    @Test(
        arguments: [
            (
                "gpt_oss", "layer_types", ["full_attention"],
                "'layer_types' is [\"full_attention\"], expected a list with one word for each of the 4 layers"
            ),
            (
                "gpt_oss", "layer_types", ["full_attention", "full_attention", "linear_attention", "full_attention"],
                "'layer_types' is 'linear_attention', supported: full_attention, sliding_attention"
            ),
            (
                "gpt_oss", "layer_types", [1, 2, 3, 4],
                "'layer_types' is '1', supported: full_attention, sliding_attention"
            ),
            ("gpt_oss", "hidden_act", "gelu", "'hidden_act' is 'gelu', supported: silu"),
            ("gpt_oss", "swiglu_limit", 0, "'swiglu_limit' is 0.0, expected a positive number"),
            ("gpt_oss", "swiglu_alpha", -1, "'swiglu_alpha' is -1.0, expected a positive number"),
            ("gpt_oss", "sliding_window", 0, "'sliding_window' is 0, expected a whole number from 1 to 16777216"),
            ("gpt_oss", "attention_bias", 1, "'attention_bias' is 1, expected true or false"),
            (
                "gpt_oss", "num_experts_per_tok", 9,
                "'num_experts_per_tok' is 9, expected no more than num_local_experts, 8"
            ),
            ("yi_lightning", "sliding_window", nil, "'sliding_window' is missing"),
            ("yi_lightning", "num_experts", nil, "'num_experts' is missing"),
            (
                "yi_lightning", "kv_source_layer", [0, 0],
                "'kv_source_layer' is 2 numbers, expected one for each of the 6 layers"
            ),
            (
                "yi_lightning", "kv_source_layer", [1, 1, 2, 3, 4, 5],
                "'kv_source_layer' is 1 for layer 0, expected the layer itself, or an earlier one of its kind with "
                    + "keys and values of its own"
            ),
            (
                "yi_lightning", "kv_source_layer", [0, 0, 0, 3, 4, 5],
                "'kv_source_layer' is 0 for layer 2, expected the layer itself, or an earlier one of its kind with "
                    + "keys and values of its own"
            ),
            (
                "yi_lightning", "kv_source_layer", [0, 0, 2, 1, 4, 5],
                "'kv_source_layer' is 1 for layer 3, expected the layer itself, or an earlier one of its kind with "
                    + "keys and values of its own"
            ),
            (
                "yi_lightning", "kv_source_layer", [0, -1, 2, 3, 4, 5],
                "'kv_source_layer' is -1 for layer 1, expected the layer itself, or an earlier one of its kind with "
                    + "keys and values of its own"
            ),
        ] as [(String, String, JSON, String)])
    func variantsAreRefused(family: String, key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.describe(family, [key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
