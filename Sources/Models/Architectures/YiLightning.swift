import Basics
import Kernels

/// Yi-Lightning (01.AI, arXiv 2412.01253) in outline, as its report describes it; neither weights nor code are
/// published. Grouped-query attention with a window in most layers, and layers that read the keys and values of an
/// earlier one of their kind; a softmax router over many small experts.
let describeYiLightning: Architecture = { configuration, tensorNames throws(ModelError) in
    let decoder = try DecoderReader(configuration)
    let layerTypes = try yiLightningLayerTypes(configuration, layerCount: decoder.layerCount)
    let sources = try yiLightningSources(configuration, layerTypes)
    let hasWindow = layerTypes.contains(slidingAttention)
    let attention = try AttentionReader(
        configuration, hiddenSize: decoder.hiddenSize,
        AttentionReader.Variation(
            windowTokens: hasWindow
                ? try configuration.integer("sliding_window", in: 1...Limits.Models.contextTokensMax) : nil,
            rotaryTheta: 5_000_000))
    let mixture = try MixtureReader(
        configuration, countKeys: ["num_experts"], widthKey: "moe_intermediate_size",
        rule: RouterRule(scoring: .softmax, expertsPerToken: 8, normalises: true), tensorNames: tensorNames)
    return try decoder.describe("yi_lightning", normEpsilon: 1e-5) { index, prefix in
        .groupedQuery(
            attention.layer(
                prefix: prefix, seesAll: layerTypes[index] == fullAttention,
                sharedLayer: sources[index] == index ? nil : sources[index]))
    } feedForward: { _, prefix in
        mixture.layer(prefix: prefix + ".mlp")
    }
}

private let fullAttention = "full_attention"
private let slidingAttention = "sliding_attention"

/// Blocks of three: two layers with a window, one without.
private func yiLightningLayerTypes(
    _ configuration: ConfigurationReader, layerCount: Int
) throws(ModelError) -> [String] {
    try configuration.layerTypes(of: [fullAttention, slidingAttention], layerCount: layerCount)
        ?? (0..<layerCount).map { $0 % 3 == 2 ? fullAttention : slidingAttention }
}

/// For each layer the one whose keys and values it reads, itself where it has its own; by turns within each kind if the
/// file does not say it.
private func yiLightningSources(
    _ configuration: ConfigurationReader, _ layerTypes: [String]
) throws(ModelError) -> [Int] {
    let key = "kv_source_layer"
    guard configuration.value(key) != nil else {
        var unshared: [String: Int] = [:]
        return layerTypes.enumerated().map { index, type in
            if let source = unshared.removeValue(forKey: type) { return source }
            unshared[type] = index
            return index
        }
    }
    let sources = try configuration.integers(key)
    guard sources.count == layerTypes.count else {
        throw .configurationInvalid(
            key: key, found: "\(sources.count) numbers", expected: "one for each of the \(layerTypes.count) layers")
    }
    for (index, source) in sources.enumerated() where source != index {
        guard (0..<index).contains(source), sources[source] == source, layerTypes[source] == layerTypes[index] else {
            throw .configurationInvalid(
                key: key, found: "\(source) for layer \(index)",
                expected: "the layer itself, or an earlier one of its kind with keys and values of its own")
        }
    }
    return sources
}
