import Basics
import Kernels
import Models
import Testing

/// Which layers that predict further tokens the families find, and how these are made.
@Suite struct PredictionFamilyTests {
    private static func describe(
        _ family: String, _ changes: [String: JSON] = [:], tensors: Set<String> = []
    ) throws -> ModelDescription {
        switch family {
        case "deepseek_v32", "glm_moe_dsa": try SparseFamilyTests.describe(family, changes, tensors: tensors)
        case "deepseek_v4": try DeepSeekV4Tests.describe(tensors, changes)
        default: try FamilyTests.describe(family, changes, tensors: tensors)
        }
    }

    /// The configuration of the text part is a part of its own.
    private static func describeQwen(
        _ changes: [String: JSON], tensors: Set<String>
    ) throws -> ModelDescription {
        guard var text = FamilyTests.published["qwen3_5_moe"]?["text_config"] else { preconditionFailure("it has one") }
        for (key, value) in changes { text = text.setting(key, to: value) }
        return try describe("qwen3_5_moe", ["text_config": text], tensors: tensors)
    }

    @Test(arguments: ["deepseek_v3", "deepseek_v32", "glm4_moe", "glm_moe_dsa"])
    func layersBehindTheLastOne(family: String) throws {
        let count = try Self.describe(family).layers.count
        let tensors = Set((0..<2).map { "model.layers.\(count + $0).enorm.weight" })
        let model = try Self.describe(family, ["num_nextn_predict_layers": 2], tensors: tensors)
        #expect(model.layers.count == count && model.predictionLayers.count == 2)
        let prefix = "model.layers.\(count + 1)"
        let layer = model.predictionLayers[1]
        #expect(layer.embeddingNormName == prefix + ".enorm.weight" && layer.hiddenNormName == prefix + ".hnorm.weight")
        #expect(layer.entry == .joined(LinearNames(prefix: prefix + ".eh_proj")))
        #expect(layer.normName == prefix + ".shared_head.norm.weight" && layer.headStreams == nil)
        #expect(layer.layer.attentionNormName == prefix + ".input_layernorm.weight")
        #expect(layer.layer.mixture?.router.weightName == prefix + ".mlp.gate.weight")
        if case .latent(let attention) = layer.layer.attention, let sparsity = attention.sparsity {
            #expect(sparsity.indexer?.key.weight == prefix + ".self_attn.indexer.wk.weight")
        }
        #expect(model.withPredictionLayers(atMost: 1).predictionLayers.count == 1)
    }

    @Test func layersBesideTheModel() throws {
        let tensors: Set = ["mtp.layers.0.input_layernorm.weight", "mtp.layers.0.mlp.experts.gate_up_proj"]
        let model = try Self.describeQwen(["mtp_num_hidden_layers": 1], tensors: tensors)
        let layer = try #require(model.predictionLayers.first)
        #expect(layer.embeddingNormName == "mtp.pre_fc_norm_embedding.weight")
        #expect(layer.hiddenNormName == "mtp.pre_fc_norm_hidden.weight" && layer.normName == "mtp.norm.weight")
        #expect(layer.entry == .joined(LinearNames(prefix: "mtp.fc")))
        #expect(layer.layer.mixture?.storage == .fused(prefix: "mtp.layers.0.mlp.experts"))
        guard case .groupedQuery(let attention) = layer.layer.attention else {
            Issue.record("layers that predict further tokens have full attention")
            return
        }
        #expect(attention.hasOutputGate && attention.query.weight == "mtp.layers.0.self_attn.q_proj.weight")
        #expect(try Self.describeQwen(["mtp_num_hidden_layers": 0], tensors: tensors).predictionLayers.isEmpty)
        #expect(try Self.describeQwen([:], tensors: tensors).predictionLayers.isEmpty)
    }

    @Test func layersWithStreams() throws {
        let tensors: Set = ["mtp.0.enorm.weight", "mtp.1.enorm.weight"]
        let count = try Self.describe("deepseek_v4").layers.count
        let ratios = JSON.array(Array(repeating: 4, count: count) + [128])
        let model = try Self.describe(
            "deepseek_v4",
            ["num_nextn_predict_layers": 2, "compress_ratios": ratios, "layer_types": .null], tensors: tensors)
        #expect(model.predictionLayers.count == 2)
        let layer = model.predictionLayers[1]
        #expect(
            layer.entry
                == .perStream(
                    embedding: LinearNames(prefix: "mtp.1.e_proj"), hidden: LinearNames(prefix: "mtp.1.h_proj")))
        #expect(layer.normName == "mtp.1.norm.weight" && layer.headStreams?.mixesName == "mtp.1.hc_head_fn")
        #expect(layer.layer.attentionStreams?.scalesName == "mtp.1.hc_attn_scale")
        #expect(layer.layer.mixture?.router.tableName == nil)
        let entries = model.predictionLayers.map { layer in
            guard case .compressed(let attention) = layer.layer.attention else { return -1 }
            return attention.entries?.compressor.shape.windowPositions ?? 0
        }
        #expect(entries == [128, 0], "what compress_ratios says, and else the last positions alone")
        // Their rotation is another one than that of layers with entries.
        #expect(model.rotaries.count == model.withPredictionLayers(atMost: 0).rotaries.count + 1)
    }

    /// Many files say a number and leave the layers out.
    @Test(arguments: ["deepseek_v3", "deepseek_v32", "deepseek_v4", "glm4_moe", "glm_moe_dsa"])
    func layersThatAreNotThere(family: String) throws {
        let changes: [String: JSON] = ["num_nextn_predict_layers": 3]
        #expect(try Self.describe(family, changes).predictionLayers.isEmpty)
        let first = "model.layers.\(try Self.describe(family).layers.count).enorm.weight"
        for name in [first, "mtp.0.enorm.weight"] {
            #expect(
                try Self.describe(family, ["num_nextn_predict_layers": 0], tensors: [name]).predictionLayers.isEmpty)
        }
        let found = try Self.describe(family, changes, tensors: [first, "mtp.0.enorm.weight"])
        #expect(found.predictionLayers.count == 1)
    }

    @Test(arguments: ["deepseek_v3", "deepseek_v32", "deepseek_v4", "glm4_moe", "glm_moe_dsa"])
    func numbersBeyondTheLimitAreRefused(family: String) throws {
        for (found, text) in [(JSON.integer(65), "65"), (.integer(-1), "-1"), (.string("one"), "\"one\"")] {
            let error = #expect(throws: ModelError.self) {
                try Self.describe(family, ["num_nextn_predict_layers": found])
            }
            #expect(
                error
                    == .configurationInvalid(
                        key: "num_nextn_predict_layers", found: text, expected: "a whole number from 0 to 64"))
        }
    }
}
