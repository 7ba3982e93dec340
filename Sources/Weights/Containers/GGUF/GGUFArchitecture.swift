import Basics

/// How GGUF files of one architecture become a model in Hugging Face's words: which name stands for which tensor, in
/// which order a tensor lies, and which keys make the configuration. A new one is one file like
/// `GGUFArchitecture+Qwen3Moe.swift` and its name in `all`.
struct GGUFArchitecture: Sendable {
    /// The value of `general.architecture`, with which the architecture's own keys begin.
    let name: String
    /// Tensors outside of the layers: GGUF's name → Hugging Face's.
    var modelTensors = [
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    ]
    /// Tensors of the layers, without `blk.N.` and `model.layers.N.`; a `*` stands for the number of an expert.
    let layerTensors: [String: String]
    /// What layers that predict further tokens have beside `layerTensors`; nothing where such layers are not read.
    var predictionTensors: [String: String] = [:]
    /// Tensors of the layers whose rows or columns converters put into another order, by Hugging Face's names without
    /// `model.layers.N.`.
    var orders: @Sendable (GGUFReader) throws(WeightsError) -> [String: StoredOrder] = { _ in [:] }
    /// Makes `config.json`.
    let configuration: @Sendable (GGUFReader) throws(WeightsError) -> JSON

    /// Every architecture that is read from GGUF files.
    static let all = [
        deepSeek2, deepSeek32, deepSeek4, glm4Moe, glmDsa, gptOss, llama, miniMaxM2, qwen35Moe, qwen3Moe,
    ]

    /// The architecture of a file.
    static func named(by metadata: GGUFMetadata, file: String) throws(WeightsError) -> GGUFArchitecture {
        let key = "general.architecture"
        guard let name = metadata[key]?.string else {
            throw .metadataInvalid(
                file: file, key: key, found: metadata[key].map { String($0.serialised().prefix(80)) } ?? "missing",
                expected: "the name of an architecture")
        }
        guard let architecture = all.first(where: { $0.name == name }) else {
            throw .architectureUnsupported(
                file: file, found: String(name.prefix(80)), supported: all.map(\.name).sorted())
        }
        return architecture
    }

    /// Finds the tensors of all files by Hugging Face's names. A tensor that the table does not know is an error: it
    /// would have changed the answers of the program that the file was made for.
    ///
    /// Layers that predict further tokens stand behind the others. Of them only what is known is read.
    func places(in files: [WeightFile], _ reader: GGUFReader) throws(WeightsError) -> [String: TensorPlace] {
        let orders = try orders(reader)
        let further = try reader.furtherLayers()
        var places: [String: TensorPlace] = [:]
        for (number, file) in files.enumerated() {
            for (stored, description) in file.tensors {
                let layer = Self.layer(of: stored[...], prefix: "blk.")
                let predicts = layer.map { further.contains($0.number) } ?? false
                guard let name = predicts ? predictionName(of: stored) : publishedName(of: stored) else {
                    if predicts { continue }
                    throw .tensorUnknown(tensor: stored, file: file.file.path, architecture: name)
                }
                let order = Self.layer(of: name[...], prefix: "model.layers.").flatMap { orders[$0.rest] }
                let place = TensorPlace(file: number, description: description, order: order, omitsOnes: true)
                if let other = places.updateValue(place, forKey: name) {
                    let both = "\(files[other.file].file.path) and \(file.file.path)"
                    throw .tensorDuplicated(tensor: stored, file: both)
                }
            }
        }
        return places
    }

    /// Hugging Face's name of a stored tensor, nil if there is none.
    func publishedName(of stored: String) -> String? {
        Self.renamed(stored, modelTensors, layerTensors, from: "blk.", to: "model.layers.")
    }

    /// The same in a layer that predicts further tokens.
    private func predictionName(of stored: String) -> String? {
        guard !predictionTensors.isEmpty else { return nil }
        return publishedName(of: stored)
            ?? Self.renamed(stored, [:], predictionTensors, from: "blk.", to: "model.layers.")
    }

    /// What `config.json` would say, layers that predict further tokens included where they are read.
    func wholeConfiguration(_ reader: GGUFReader) throws(WeightsError) -> JSON {
        let configuration = try configuration(reader)
        let count = try reader.furtherLayers().count
        guard count > 0, !predictionTensors.isEmpty else { return configuration }
        return configuration.setting("num_nextn_predict_layers", to: .integer(Int64(count)))
    }

    /// GGUF's name of a tensor; the name itself if there is none.
    func storedName(of published: String) -> String {
        func inverted(_ table: [String: String]) -> [String: String] {
            Dictionary(table.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
        return Self.renamed(
            published, inverted(modelTensors), inverted(Self.joined(layerTensors, predictionTensors)),
            from: "model.layers.", to: "blk.") ?? published
    }

    private static func renamed(
        _ name: String, _ model: [String: String], _ layer: [String: String], from: String, to: String
    ) -> String? {
        if let other = model[name] { return other }
        guard let place = Self.layer(of: name[...], prefix: from), !place.rest.contains("*") else { return nil }
        guard let other = layer[place.rest] ?? expert(place.rest, layer) else { return nil }
        return "\(to)\(place.number).\(other)"
    }

    /// What the table says of the tensor of one expert.
    private static func expert(_ name: String, _ table: [String: String]) -> String? {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let place = parts.firstIndex(where: { number($0) != nil }) else { return nil }
        let expert = parts[place]
        parts[place] = "*"
        return table[parts.joined(separator: ".")]?.replacing("*", with: expert)
    }

    /// The number of the layer that a tensor belongs to, and the tensor's name in it; nil for tensors of no layer.
    private static func layer(of name: Substring, prefix: String) -> (number: Int, rest: String)? {
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        guard let dot = rest.firstIndex(of: "."), let number = number(rest[..<dot]) else { return nil }
        return (number, String(rest[rest.index(after: dot)...]))
    }

    /// The number that the text is, written in the one usual way.
    private static func number(_ text: Substring) -> Int? {
        UInt32(text).flatMap { String($0) == text ? Int($0) : nil }
    }
}
