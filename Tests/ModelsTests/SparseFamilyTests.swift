import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What DeepSeek-V3.2 and GLM-5 make of their configurations, beside what they share with DeepSeek-V3.
@Suite struct SparseFamilyTests {
    static func describe(
        _ type: String, _ changes: [String: JSON] = [:], tensors: Set<String> = []
    ) throws -> ModelDescription {
        guard case .object(var members) = FamilyTests.published["deepseek_v3"] else {
            preconditionFailure("a configuration of DeepSeek-V3")
        }
        for key in ["n_group", "topk_group"] { members.removeValue(forKey: key) }
        for (key, value) in changes { members[key] = value }
        let architecture = try #require(Registry.architectures[type])
        return try architecture(ConfigurationReader(.object(members)), tensors)
    }

    private static func sparsities(_ type: String, _ changes: [String: JSON] = [:]) throws -> [SparsityDescription] {
        try describe(type, changes).layers.compactMap { layer in
            guard case .latent(let shape) = layer.attention else { return nil }
            return shape.sparsity
        }
    }

    @Test func everyLayerOfDeepseekHasItsIndexer() throws {
        let sparsities = try Self.sparsities("deepseek_v32", ["index_topk": 20, "index_head_dim": 16])
        #expect(sparsities.count == 3)
        let indexer = try #require(sparsities[1].indexer)
        #expect(sparsities[1].count == 20 && indexer.width == 16 && indexer.headCount == 64)
        #expect(!indexer.isInterleaved)
        let prefix = "model.layers.1.self_attn.indexer"
        #expect(indexer.query.weight == prefix + ".wq_b.weight" && indexer.key.weight == prefix + ".wk.weight")
        #expect(indexer.keyNorm.bias == prefix + ".k_norm.bias")
        #expect(indexer.headWeights.weight == prefix + ".weights_proj.weight")
        // Groups as published where the file does not say them.
        #expect(try Self.describe("deepseek_v32").mixtures[0].router.rule.groupCount == 8)
    }

    @Test func glmSharesChoices() throws {
        func owners(_ changes: [String: JSON]) throws -> [Bool] {
            try Self.sparsities("glm_moe_dsa", changes).map { $0.indexer != nil }
        }
        #expect(try owners([:]) == [true, true, true])
        #expect(try owners(["indexer_types": ["full", "shared", "full"]]) == [true, false, true])
        #expect(try owners(["index_topk_pattern": "FSS"]) == [true, false, false])
        #expect(try owners(["index_topk_pattern": ["full", "full", "shared"]]) == [true, true, false])
        #expect(try owners(["index_topk_freq": 2]) == [true, true, false])
        let indexer = try #require(try Self.sparsities("glm_moe_dsa")[0].indexer)
        #expect(indexer.isInterleaved && indexer.headCount == 32)
        #expect(try Self.describe("glm_moe_dsa").mixtures[0].router.rule.groupCount == 1)
    }

    @Test func layersMayBeListed() throws {
        let model = try Self.describe("glm_moe_dsa", ["mlp_layer_types": ["sparse", "dense", "sparse"]])
        #expect(model.mixtureLayers == [LayerIndex(0), LayerIndex(2)])
    }

    @Test(
        arguments: [
            ("deepseek_v32", "index_topk", 0, "'index_topk' is 0, expected a whole number from 1 to 65536"),
            ("deepseek_v32", "index_head_dim", 4, "'index_head_dim' is 4, expected no less than qk_rope_head_dim, 8"),
            ("deepseek_v32", "q_lora_rank", nil, "'q_lora_rank' is null, expected a whole number"),
            (
                "deepseek_v32", "mlp_layer_types", ["dense", "linear", "sparse"],
                "'mlp_layer_types' is 'linear', supported: dense, sparse"
            ),
            (
                "glm_moe_dsa", "indexer_types", ["shared", "full", "full"],
                "'indexer_types' is 'shared, first', supported: full, first"
            ),
            (
                "glm_moe_dsa", "index_topk_pattern", "FXF",
                "'index_topk_pattern' is \"FXF\", expected F or S for each of the 3 layers"
            ),
        ] as [(String, String, JSON, String)])
    func variantsAreRefused(family: String, key: String, value: JSON, message: String) {
        let error = #expect(throws: ModelError.self) { try Self.describe(family, [key: value]) }
        #expect(error?.description == "config.json: " + message)
    }
}
