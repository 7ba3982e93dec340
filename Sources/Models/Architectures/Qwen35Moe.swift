import Basics
import Kernels

/// Qwen3.5 and Qwen3.6 with experts (Qwen team, 2026), the part that reads text: layers of gated delta rules, and after
/// every few of them one of full attention, with a gated output and part of each head rotated; a softmax router; a
/// shared expert with a gate of its own. Norms are stored zero-centred.
let describeQwen35Moe: Architecture = { configuration, tensorNames throws(ModelError) in
    let text = (try configuration.object("text_config") ?? configuration).filling(qwen35MoeDefaults)
    try qwen35MoeRefuseVariants(text)
    var decoder = try DecoderReader(text)
    // GGUF files have them behind the last layer.
    let isBeside = tensorNames.contains { $0.hasPrefix("mtp.") }
    decoder.predictions = try PredictionReader(isBeside ? .besideModel : .behindLast, text, tensorNames)
    decoder.modelPrefix = qwen35MoePrefix(isNested: configuration.value("text_config") != nil, tensorNames)
    // GGUF files have the sums.
    decoder.normOffset = Float(try text.number("rms_norm_weight_offset", default: 1))
    decoder.isTied = try configuration.bool("tie_word_embeddings", default: decoder.isTied)
    if tensorNames.contains(where: { $0.hasPrefix("model.visual.") }) {
        decoder.notices = ["the model can see images, which are not served: only its text part is loaded"]
    }
    let hasBias = try text.bool("attention_bias", default: false)
    let attention = try AttentionReader(
        text, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            norms: .eachHead, hasInputBias: hasBias, hasOutputBias: hasBias, hasOutputGate: true, rotatedShare: 0.25))
    let heads = try qwen35MoeDeltaHeads(text)
    let taps = try text.integer("linear_conv_kernel_dim", in: 1...Limits.Models.convolutionTapsMax)
    let isFull = try qwen35MoeFullLayers(text, layerCount: decoder.layerCount)
    let mixture = try MixtureReader(
        text, countKeys: ["num_experts", "num_local_experts"], widthKey: "moe_intermediate_size",
        rule: RouterRule(scoring: .softmax, expertsPerToken: 8, normalises: true), tensorNames: tensorNames)
    let sharedWidth = try text.integer("shared_expert_intermediate_size", in: 1...Limits.Models.widthMax)
    let layerPrefix = decoder.layerPrefix
    let hasRates = tensorNames.contains { $0.hasSuffix(".linear_attn.A") }
    return try decoder.describe("qwen3_5_moe", normEpsilon: 1e-6) { index, prefix in
        // Those that predict further tokens have full attention.
        index >= isFull.count || isFull[index]
            ? .groupedQuery(attention.layer(prefix: prefix))
            : .gatedDelta(
                GatedDeltaDescription(
                    prefix: layerPrefix(index) + ".linear_attn", heads: heads, convolutionTaps: taps,
                    hasRates: hasRates))
    } feedForward: { _, prefix in
        mixture.layer(
            prefix: prefix + ".mlp",
            sharedExpert: GatedFeedForwardDescription(prefix: prefix + ".mlp.shared_expert", width: sharedWidth),
            sharedExpertGate: "shared_expert_gate.weight")
    }
}

/// What holds where the file does not say it.
private let qwen35MoeDefaults: [String: JSON] = [
    "head_dim": 256, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_num_key_heads": 16,
    "linear_num_value_heads": 32, "linear_value_head_dim": 128, "max_position_embeddings": 32768,
    "moe_intermediate_size": 512, "num_key_value_heads": 2, "shared_expert_intermediate_size": 512,
]

/// Published checkpoints keep the text part below `model.language_model`, beside the images' part; others may not.
private func qwen35MoePrefix(isNested: Bool, _ tensorNames: Set<String>) -> String {
    let prefixes = isNested ? ["model.language_model", "model"] : ["model", "model.language_model"]
    return prefixes.first { tensorNames.contains($0 + ".embed_tokens.weight") } ?? prefixes[0]
}

private func qwen35MoeDeltaHeads(_ text: ConfigurationReader) throws(ModelError) -> DeltaShape {
    let keyHeadCount = try text.integer("linear_num_key_heads", in: 1...Limits.Models.headsMax)
    let valueHeadCount = try text.integer("linear_num_value_heads", in: 1...Limits.Models.headsMax)
    guard valueHeadCount % keyHeadCount == 0 else {
        throw .configurationInvalid(
            key: "linear_num_value_heads", found: String(valueHeadCount),
            expected: "a multiple of linear_num_key_heads, \(keyHeadCount)")
    }
    return DeltaShape(
        keyHeadCount: keyHeadCount, valueHeadCount: valueHeadCount,
        keyDim: try text.integer("linear_key_head_dim", in: 1...Limits.Models.recurrentHeadMax),
        valueDim: try text.integer("linear_value_head_dim", in: 1...Limits.Models.recurrentHeadMax))
}

/// Which layers have full attention: `layer_types`, or every `full_attention_interval`-th.
private func qwen35MoeFullLayers(_ text: ConfigurationReader, layerCount: Int) throws(ModelError) -> [Bool] {
    guard let types = text.value("layer_types") else {
        let interval = try text.integer("full_attention_interval", in: 1...Limits.Models.layersMax, default: 4)
        return (0..<layerCount).map { ($0 + 1) % interval == 0 }
    }
    guard let names = types.array, names.count == layerCount else {
        throw text.invalid("layer_types", types, "a list of \(layerCount) words, one per layer")
    }
    var isFull: [Bool] = []
    for name in names {
        switch name.string {
        case "full_attention": isFull.append(true)
        case "linear_attention": isFull.append(false)
        default:
            throw .configurationUnsupported(
                key: "layer_types", found: name.string ?? name.serialised(),
                supported: ["full_attention", "linear_attention"])
        }
    }
    return isFull
}

/// Keys of the published files that stand for another computation than the one of the published models.
private func qwen35MoeRefuseVariants(_ text: ConfigurationReader) throws(ModelError) {
    guard try text.bool("attn_output_gate", default: true) else {
        throw .configurationUnsupported(key: "attn_output_gate", found: "false", supported: ["true"])
    }
    guard try text.bool("norm_topk_prob", default: true) else {
        throw .configurationUnsupported(key: "norm_topk_prob", found: "false", supported: ["true"])
    }
    if let first = try text.integers("mlp_only_layers").first {
        throw .configurationUnsupported(key: "mlp_only_layers", found: "[\(first), …]", supported: ["[]"])
    }
}
