import Basics
import Kernels
import Models
import OrderedCollections
import Testing

/// What DeepSeek-V3 and its relatives make of their configurations.
@Suite struct LatentFamilyTests {
    private static func latent(_ changes: [String: JSON] = [:]) throws -> LatentAttentionDescription {
        let model = try FamilyTests.describe("deepseek_v3", changes)
        guard case .latent(let shape) = model.layers[0].attention else { preconditionFailure("latent attention") }
        return shape
    }

    private func describeDeepseek(_ type: String, _ configuration: JSON) throws -> ModelDescription {
        let architecture = try #require(Registry.architectures[type])
        return try architecture(ConfigurationReader(configuration), [])
    }

    @Test func attentionIsOverLatents() throws {
        let shape = try Self.latent()
        let prefix = "model.layers.0.self_attn"
        #expect(shape.headCount == 4 && shape.latentWidth == 32 && shape.cachedWidth == 40)
        #expect(shape.plainWidth == 16 && shape.rotaryWidth == 8 && shape.valueWidth == 12)
        #expect(shape.isInterleaved)
        #expect(shape.normEpsilon == 1e-6, "the block's norms do not take it from the file")
        #expect(shape.latent.weight == prefix + ".kv_a_proj_with_mqa.weight" && shape.latent.bias == nil)
        #expect(shape.keyValueUp == .together(name: prefix + ".kv_b_proj.weight"))
        let query = LatentAttentionDescription.Query.lowRank(
            rank: 24, down: LinearNames(prefix: prefix + ".q_a_proj"), normName: prefix + ".q_a_layernorm.weight",
            up: LinearNames(prefix: prefix + ".q_b_proj"))
        #expect(shape.query == query)
    }

    @Test func queriesMayComeDirectly() throws {
        let shape = try Self.latent(["q_lora_rank": nil, "attention_bias": true, "rope_interleave": false])
        #expect(shape.query == .direct(LinearNames(prefix: "model.layers.0.self_attn.q_proj")))
        #expect(shape.latent.bias == "model.layers.0.self_attn.kv_a_proj_with_mqa.bias")
        #expect(shape.output.bias != nil && !shape.isInterleaved)
    }

    /// The class's defaults are those of the published model.
    @Test func missingKeysAreThoseOfThePublishedModel() throws {
        guard case .object(var members) = FamilyTests.published["deepseek_v3"] else { return }
        for key in ["q_lora_rank", "kv_lora_rank", "n_group", "topk_group", "routed_scaling_factor", "norm_topk_prob"] {
            members.removeValue(forKey: key)
        }
        let model = try describeDeepseek("deepseek_v3", .object(members))
        guard case .latent(let shape) = model.layers[0].attention else { preconditionFailure("latent attention") }
        #expect(shape.queryRank == 1536 && shape.latentWidth == 512)
        let rule = RouterRule(
            scoring: .sigmoid, expertsPerToken: 4, groupCount: 8, chosenGroupCount: 4, normalises: true,
            normaliserEpsilon: 1e-20, scale: 2.5)
        #expect(model.mixtures[0].router.rule == rule)
    }

    @Test func aStretchedContextSharpensScores() throws {
        let plain = 1 / Double(24).squareRoot()
        let magnitude = 0.1 * DeterministicMath.log(40) + 1
        #expect(try Self.latent().scale == Float(plain * magnitude * magnitude))
        #expect(try Self.latent().rotary.attentionFactor == 1)
        #expect(try Self.latent(["rope_scaling": nil]).scale == Float(plain))
        // Without `mscale_all_dim` the magnitude goes to the rotated part.
        let other = try Self.latent([
            "rope_scaling": ["type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "mscale": 1]
        ])
        #expect(other.scale == Float(plain) && other.rotary.attentionFactor == Float(magnitude))
        // The spelling of transformers 5 is the same.
        let parameters = try Self.latent([
            "rope_scaling": nil,
            "rope_parameters": [
                "rope_type": "yarn", "rope_theta": 10000, "factor": 40, "original_max_position_embeddings": 64,
                "mscale": 1, "mscale_all_dim": 1,
            ],
        ])
        #expect(try parameters.scale == Self.latent().scale && parameters.rotary == Self.latent().rotary)
    }

    @Test func kimiIsTheSame() throws {
        let configuration = try #require(FamilyTests.published["deepseek_v3"])
        let model = try describeDeepseek("kimi_k2", configuration)
        #expect(model.family == "deepseek_v3")
    }

    @Test func denseLayersComeFirstAndExpertsAreShared() throws {
        let model = try FamilyTests.describe("deepseek_v3", ["n_shared_experts": 2])
        guard case .dense(let dense) = model.layers[0].feedForward else {
            Issue.record("the first layer is dense")
            return
        }
        #expect(dense.width == 96)
        #expect(model.mixtures.map(\.sharedExpert?.width) == [48, 48])
        #expect(model.mixtures[0].router.choiceBiasName == "model.layers.1.mlp.gate.e_score_correction_bias")
        #expect(model.layers.count == 3, "the layer that predicts a further token is not part of the model")
    }
}
