import Basics

/// Which layers that predict further tokens a checkpoint has: as many as the configuration says, as far as their
/// tensors are there. Many files say a number and leave the layers out.
struct PredictionReader {
    /// How a family names their tensors.
    enum Naming {
        /// As layers behind the last one: `model.layers.N.enorm`, and the usual names of a layer. DeepSeek-V3 and
        /// those that follow it, and every family in GGUF files.
        case behindLast
        /// Beside the model: `mtp.layers.0` and so on, and norms and one projection that all of them share (Qwen3.5).
        case besideModel
    }

    let naming: Naming
    private let count: Int
    private let tensorNames: Set<String>

    /// Reads how many there are from the first of the keys that the file has; none if it has none.
    init(
        _ naming: Naming, _ configuration: ConfigurationReader, _ tensorNames: Set<String>
    ) throws(ModelError) {
        self.naming = naming
        self.tensorNames = tensorNames
        count = try Self.count(configuration)
    }

    /// What the configuration says.
    static func count(_ configuration: ConfigurationReader) throws(ModelError) -> Int {
        let keys = ["num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers"]
        guard let key = keys.first(where: { configuration.value($0) != nil }) else { return 0 }
        return try configuration.integer(key, in: 0...Limits.Models.predictionLayersMax)
    }

    /// The layers; `layer` describes the one of an index, counted from the model's first layer, whose names begin with
    /// a prefix.
    func describe(
        modelPrefix: String, layerCount: Int, layer: (_ index: Int, _ prefix: String) -> LayerDescription
    ) -> [PredictionLayerDescription] {
        let indices = (0..<count).prefix { tensorNames.contains(layerPrefix($0, modelPrefix, layerCount) + firstNorm) }
        return indices.map { index in
            let prefix = layerPrefix(index, modelPrefix, layerCount)
            let described = layer(layerCount + index, prefix)
            switch naming {
            case .behindLast:
                return PredictionLayerDescription(
                    embeddingNormName: prefix + ".enorm.weight", hiddenNormName: prefix + ".hnorm.weight",
                    entry: .joined(LinearNames(prefix: prefix + ".eh_proj")), layer: described,
                    normName: prefix + ".shared_head.norm.weight")
            case .besideModel:
                return PredictionLayerDescription(
                    embeddingNormName: "mtp.pre_fc_norm_embedding.weight",
                    hiddenNormName: "mtp.pre_fc_norm_hidden.weight", entry: .joined(LinearNames(prefix: "mtp.fc")),
                    layer: described, normName: "mtp.norm.weight")
            }
        }
    }

    /// The norm that says whether a layer is there; norms are never quantised, so that they have one name.
    private var firstNorm: String {
        switch naming {
        case .behindLast: ".enorm.weight"
        case .besideModel: ".input_layernorm.weight"
        }
    }

    private func layerPrefix(_ index: Int, _ modelPrefix: String, _ layerCount: Int) -> String {
        switch naming {
        case .behindLast: "\(modelPrefix).layers.\(layerCount + index)"
        case .besideModel: "mtp.layers.\(index)"
        }
    }
}
