import Basics
import Kernels

extension DeepSeekV4Configuration {
    /// The whole model, whose tensors are named as published or as transformers 5 has them.
    func describe(
        _ configuration: ConfigurationReader, _ tensorNames: Set<String>
    ) throws(ModelError) -> ModelDescription {
        let decoder = try DecoderReader(configuration)
        let mixture = try mixture(configuration, tensorNames)
        let names = DeepSeekV4Names(tensorNames)
        let embedding = names.find("embed.weight", "embed_tokens.weight")
        return ModelDescription(
            family: "deepseek_v4", hiddenSize: decoder.hiddenSize,
            vocabularySize: try configuration.integer("vocab_size", in: 1...Limits.Models.vocabularyMax),
            contextTokensMax: try configuration.integer(
                "max_position_embeddings", in: 1...Limits.Models.contextTokensMax),
            normEpsilon: Float(try configuration.positive("rms_norm_eps", default: 1e-6)),
            embeddingName: embedding, finalNormName: names.find("norm.weight", "norm.weight"),
            headName: decoder.isTied ? embedding : names.find("head.weight", "lm_head.weight"),
            layers: compressions.indices.map { index in
                layer(
                    "layers.\(index)", compressions[index], isNamed: hasNamedExperts[index], names, mixture)
            },
            predictionLayers: predictionLayers(names, mixture),
            streams: StreamsDescription(
                rule: streams, head: names.streams("hc_head", "hc_head.hc")))
    }

    private func mixture(
        _ configuration: ConfigurationReader, _ tensorNames: Set<String>
    ) throws(ModelError) -> MixtureReader {
        var mixture = try MixtureReader(
            configuration, countKeys: ["n_routed_experts", "num_local_experts"], widthKey: "moe_intermediate_size",
            rule: router, tensorNames: tensorNames)
        mixture.activation = activation
        return mixture
    }

    /// Those whose tensors are there: `mtp.0` and so on.
    private func predictionLayers(
        _ names: DeepSeekV4Names, _ mixture: MixtureReader
    ) -> [PredictionLayerDescription] {
        predictionCompressions.indices.prefix { names.has("mtp.\($0).enorm.weight") }.map { index in
            let prefix = "mtp.\(index)"
            return PredictionLayerDescription(
                embeddingNormName: prefix + ".enorm.weight", hiddenNormName: prefix + ".hnorm.weight",
                entry: .perStream(
                    embedding: LinearNames(prefix: prefix + ".e_proj"),
                    hidden: LinearNames(prefix: prefix + ".h_proj")),
                layer: layer(prefix, predictionCompressions[index], isNamed: false, names, mixture),
                normName: prefix + ".norm.weight",
                headStreams: names.streams(prefix + ".hc_head", prefix + ".hc_head.hc"))
        }
    }

    /// The layer whose names begin with `layer`.
    private func layer(
        _ layer: String, _ compression: Compression, isNamed: Bool, _ names: DeepSeekV4Names, _ mixture: MixtureReader
    ) -> LayerDescription {
        LayerDescription(
            attentionNormName: names.find("\(layer).attn_norm.weight", "\(layer).input_layernorm.weight"),
            attention: .compressed(attention(compression, layer, names)),
            feedForwardNormName: names.find("\(layer).ffn_norm.weight", "\(layer).post_attention_layernorm.weight"),
            feedForward: feedForward(layer, names, mixture, isNamed: isNamed),
            attentionStreams: names.streams("\(layer).hc_attn", "\(layer).attn_hc.", separator: ""),
            feedForwardStreams: names.streams("\(layer).hc_ffn", "\(layer).ffn_hc.", separator: ""))
    }

    private func attention(
        _ compression: Compression, _ layer: String, _ names: DeepSeekV4Names
    ) -> CompressedAttentionDescription {
        let (published, other) = ("\(layer).attn", "\(layer).self_attn")
        func linear(_ name: String, _ otherName: String) -> LinearNames {
            names.linear("\(published).\(name)", "\(other).\(otherName)")
        }
        return CompressedAttentionDescription(
            headCount: headCount, headWidth: headWidth, rotaryWidth: 2 * rotary.inverseFrequencies.count,
            windowTokens: windowTokens, rotary: compression == .none ? rotary : compressedRotary,
            queryRank: queryRank, queryDown: linear("wq_a", "q_a_proj"),
            queryNormName: linear("q_norm", "q_a_norm").weight, queryUp: linear("wq_b", "q_b_proj"),
            key: linear("wkv", "kv_proj"),
            keyNormName: names.find(
                "\(published).kv_norm.weight", "\(other).kv_norm.weight", "\(published).norm.weight"),
            sinksName: names.find("\(published).attn_sink", "\(other).sinks"),
            outputGroups: CompressedAttentionDescription.OutputGroups(
                count: outputGroups.count, rank: outputGroups.rank),
            outputDown: linear("wo_a", "o_a_proj"), outputUp: linear("wo_b", "o_b_proj"),
            entries: entries(compression, published: published, other: other, names))
    }

    private func entries(
        _ compression: Compression, published: String, other: String, _ names: DeepSeekV4Names
    ) -> EntriesDescription? {
        guard let positions = compression.positions else { return nil }
        let isChosen = compression != .all(positions: positions)
        let shape = CompressionShape(windowPositions: positions, dims: headWidth, overlaps: isChosen)
        return EntriesDescription(
            compressor: names.compressor(shape, "\(published).compressor", "\(other).compressor"),
            indexer: isChosen
                ? indexer(
                    positions: positions, published: "\(published).indexer", other: "\(other).compressor.indexer", names
                )
                : nil,
            blockPositions: blockPositions)
    }

    private func indexer(
        positions: Int, published: String, other: String, _ names: DeepSeekV4Names
    ) -> EntryIndexerDescription {
        let shape = CompressionShape(windowPositions: positions, dims: indexer.headWidth, overlaps: true)
        return EntryIndexerDescription(
            headCount: indexer.headCount, width: indexer.headWidth, chosenCount: indexer.chosenCount,
            query: names.linear("\(published).wq_b", "\(other).q_b_proj"),
            headWeights: names.linear("\(published).weights_proj", "\(other).scorer.weights_proj"),
            compressor: names.compressor(shape, "\(published).compressor", other))
    }

    private func feedForward(
        _ layer: String, _ names: DeepSeekV4Names, _ mixture: MixtureReader, isNamed: Bool
    ) -> FeedForwardDescription {
        let router = names.find("\(layer).ffn.gate.weight", "\(layer).mlp.gate.weight")
        let prefix = String(router.dropLast(".gate.weight".count))
        let isRenamed = prefix.hasSuffix(".mlp")
        func projections(_ experts: String) -> ProjectionNames {
            isRenamed || names.has("\(prefix).\(experts).gate_proj.weight") ? .words : .numbers
        }
        let biases = ["gate.bias", "gate.e_score_correction_bias"]
        let bias = biases.first { names.has("\(prefix).\($0)") } ?? biases[isRenamed ? 1 : 0]
        return mixture.layer(
            prefix: prefix, names: projections("experts.0"), choiceBias: isNamed ? nil : bias,
            table: isNamed ? "gate.tid2eid" : nil,
            sharedExpert: GatedFeedForwardDescription(
                prefix: prefix + ".shared_experts", width: mixture.expertWidth,
                names: projections("shared_experts"), activation: activation))
    }
}

/// Finds tensors under their published names, or under those of transformers 5; files that it saves have the published
/// ones behind the prefix of its own.
struct DeepSeekV4Names {
    private let tensorNames: Set<String>
    /// Whether the layers have the names of transformers 5, as they do in GGUF files.
    private let areLayersRenamed: Bool

    init(_ tensorNames: Set<String>) {
        self.tensorNames = tensorNames
        areLayersRenamed = tensorNames.contains("model.layers.0.input_layernorm.weight")
    }

    func has(_ name: String) -> Bool { tensorNames.contains(name) }

    /// The first of the names that there is, with or without the prefix. If there is none, the one that it would have
    /// beside the others: the published name comes first, that of transformers second.
    func find(_ names: String...) -> String {
        names.flatMap { [$0, "model.\($0)"] }.first(where: has)
            ?? (areLayersRenamed && names[1] != "lm_head.weight" ? "model.\(names[1])" : names[0])
    }

    func linear(_ published: String, _ other: String) -> LinearNames {
        LinearNames(prefix: String(find("\(published).weight", "\(other).weight").dropLast(".weight".count)))
    }

    func streams(_ published: String, _ other: String, separator: String = "_") -> StreamNames {
        func name(_ part: String) -> String { find("\(published)_\(part)", "\(other)\(separator)\(part)") }
        return StreamNames(mixesName: name("fn"), baseName: name("base"), scalesName: name("scale"))
    }

    func compressor(_ shape: CompressionShape, _ published: String, _ other: String) -> CompressorDescription {
        CompressorDescription(
            shape: shape, key: linear("\(published).wkv", "\(other).kv_proj"),
            gate: linear("\(published).wgate", "\(other).gate_proj"),
            biasName: find("\(published).ape", "\(other).position_bias"),
            normName: find("\(published).norm.weight", "\(other).kv_norm.weight"))
    }
}
