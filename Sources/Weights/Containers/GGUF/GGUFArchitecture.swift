import Basics

/// How GGUF files of one architecture become a model in Hugging Face's words: which name stands for which tensor, and
/// which keys make the configuration. A new one is one file like `GGUFArchitecture+Qwen3Moe.swift` and its name in
/// `all`.
struct GGUFArchitecture: Sendable {
    /// The value of `general.architecture`, with which the architecture's own keys begin.
    let name: String
    /// Tensors outside of the layers: GGUF's name → Hugging Face's.
    let modelTensors: [String: String]
    /// Tensors of the layers, without `blk.N.` and `model.layers.N.`.
    let layerTensors: [String: String]
    /// Makes `config.json`.
    let configuration: @Sendable (GGUFReader) throws(WeightsError) -> JSON

    /// Every architecture that is read from GGUF files.
    static let all = [qwen3Moe]

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
    func places(in files: [WeightFile]) throws(WeightsError) -> [String: TensorPlace] {
        var places: [String: TensorPlace] = [:]
        for (number, file) in files.enumerated() {
            for (stored, description) in file.tensors {
                guard let name = publishedName(of: stored) else {
                    throw .tensorUnknown(tensor: stored, file: file.file.path, architecture: name)
                }
                let place = TensorPlace(file: number, description: description)
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

    /// GGUF's name of a tensor; the name itself if there is none.
    func storedName(of published: String) -> String {
        func inverted(_ table: [String: String]) -> [String: String] {
            Dictionary(table.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
        return Self.renamed(
            published, inverted(modelTensors), inverted(layerTensors), from: "model.layers.", to: "blk.") ?? published
    }

    private static func renamed(
        _ name: String, _ model: [String: String], _ layer: [String: String], from: String, to: String
    ) -> String? {
        if let other = model[name] { return other }
        guard name.hasPrefix(from) else { return nil }
        let rest = name.dropFirst(from.count)
        guard let dot = rest.firstIndex(of: "."), let number = UInt32(rest[..<dot]), String(number) == rest[..<dot],
            let other = layer[String(rest[rest.index(after: dot)...])]
        else { return nil }
        return "\(to)\(number).\(other)"
    }
}
