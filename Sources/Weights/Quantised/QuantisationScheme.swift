import Basics
import Kernels
import OrderedCollections

/// How a checkpoint's weights are quantised, by `quantization_config` of its `config.json`. Which tensors are, and how
/// their parts are named, is seen from the tensors: see `WeightFinder`.
enum QuantisationScheme: Hashable, Sendable {
    /// Integers packed along the outputs with a zero point for each scale (Lin et al., arXiv 2306.00978).
    case awq(groupColumns: Int?)
    /// What the library compressed-tensors writes: packed integers, or 8-bit floats.
    case compressed(CompressedIntegers?)
    /// 8-bit floats with a scale for each block of rows and columns; beside them there may be 4-bit ones.
    case fp8(blockRows: Int, blockColumns: Int)
    /// Integers packed along the inputs (Frantar et al., arXiv 2210.17323).
    case gptq(GPTQIntegers)
    /// 4-bit floats with a power of two for 32 columns (OCP Microscaling Formats 1.0).
    case mxfp4
    /// Not at all.
    case none

    /// Integers of compressed-tensors.
    struct CompressedIntegers: Hashable, Sendable {
        let bits: Int
        let groupColumns: Int?
        let hasZeros: Bool
        let isReordered: Bool
    }

    /// Integers of GPTQ.
    struct GPTQIntegers: Hashable, Sendable {
        let bits: Int
        let groupColumns: Int?
        /// How zeros are stored.
        let zeros: GroupedFormat.Zeros
        /// Whether columns are grouped in another order than that in which they are stored.
        let isReordered: Bool
    }

    /// Reads the configuration of a model; that of a model with vision may have it with its text's.
    init(_ configuration: JSON) throws(WeightsError) {
        let found = [
            ("quantization_config", configuration["quantization_config"]),
            ("text_config.quantization_config", configuration["text_config"]?["quantization_config"]),
        ].first { $0.1.map { !$0.isNull } ?? false }
        guard let (key, value) = found, let value else {
            self = .none
            return
        }
        let reader = QuantisationReader(key: key, json: value)
        switch try reader.choice("quant_method", of: ["awq", "compressed-tensors", "fp8", "gptq", "mxfp4"]) {
        case "awq": self = try reader.awq()
        case "compressed-tensors": self = try reader.compressed()
        case "fp8": self = try reader.fp8()
        case "gptq": self = try reader.gptq()
        default: self = .mxfp4
        }
    }

    /// The block of 8-bit floats, which is the published one where nothing is said.
    var floatBlock: (rows: Int, columns: Int) {
        if case .fp8(let rows, let columns) = self { return (rows, columns) }
        return (128, 128)
    }
}

/// Reads `quantization_config`. What would change the answer and is not known is refused; what only matters for making
/// the checkpoint, or for how activations are rounded elsewhere, is not read.
private struct QuantisationReader {
    let key: String
    let json: JSON

    func value(_ name: String) -> JSON? {
        guard let value = json[name], !value.isNull else { return nil }
        return value
    }

    func part(_ name: String) throws(WeightsError) -> QuantisationReader {
        guard let value = value(name), value.object != nil else { throw invalid(name, "an object") }
        return QuantisationReader(key: "\(key).\(name)", json: value)
    }

    func choice(_ name: String, of choices: [String], default fallback: String? = nil) throws(WeightsError) -> String {
        if value(name) == nil, let fallback { return fallback }
        let found = value(name)?.string
        guard let found, choices.contains(found) else { throw unsupported(name, choices) }
        return found
    }

    func integer(_ name: String, of choices: [Int]) throws(WeightsError) -> Int {
        guard let found = value(name)?.integer, choices.contains(found) else {
            throw unsupported(name, choices.map(String.init))
        }
        return found
    }

    func bool(_ name: String, default fallback: Bool) throws(WeightsError) -> Bool {
        guard let value = value(name) else { return fallback }
        guard let bool = value.bool else { throw invalid(name, "true or false") }
        return bool
    }

    /// Columns that share a scale; nil where a row has one.
    func groupColumns(_ name: String = "group_size") throws(WeightsError) -> Int? {
        let found = value(name)?.integer
        if found == -1 { return nil }
        let multiple = GroupedFormat.columnsMultiple
        guard let found, (multiple...Limits.Kernels.groupedColumnsMax).contains(found), found % multiple == 0 else {
            throw unsupported(name, ["-1", "multiples of \(multiple)"])
        }
        return found
    }

    func unsupported(_ name: String, _ supported: [String]) -> WeightsError {
        .quantisationUnsupported(key: "\(key).\(name)", found: text(name), supported: supported)
    }

    private func invalid(_ name: String, _ expected: String) -> WeightsError {
        .quantisationInvalid(key: "\(key).\(name)", found: text(name), expected: expected)
    }

    private func text(_ name: String) -> String { json[name].map { $0.string ?? $0.serialised() } ?? "missing" }
}

extension QuantisationReader {
    func awq() throws(WeightsError) -> QuantisationScheme {
        _ = try integer("bits", of: [4])
        _ = try choice("version", of: ["gemm", "GEMM"], default: "gemm")
        guard try bool("zero_point", default: true) else { throw unsupported("zero_point", ["true"]) }
        return .awq(groupColumns: try groupColumns())
    }

    func gptq() throws(WeightsError) -> QuantisationScheme {
        let bits = try integer("bits", of: [4, 8])
        let format = try choice("checkpoint_format", of: ["gptq", "gptq_v2"], default: "gptq")
        _ = try choice("pack_dtype", of: ["int32"], default: "int32")
        guard try !bool("is_marlin_format", default: false) else { throw unsupported("is_marlin_format", ["false"]) }
        // Rules that begin with "-:" name modules that are not quantised; all others have settings of their own.
        for rule in value("dynamic")?.object?.keys.elements ?? [] where !rule.hasPrefix("-:") {
            throw .quantisationUnsupported(key: "\(key).dynamic", found: rule, supported: ["rules that begin with -:"])
        }
        let group = try groupColumns()
        // With one group for all columns their order changes nothing.
        let isReordered = try bool("desc_act", default: false) && group != nil
        return .gptq(
            QuantisationScheme.GPTQIntegers(
                bits: bits, groupColumns: group, zeros: format == "gptq" ? .storedMinusOne : .stored,
                isReordered: isReordered))
    }

    func fp8() throws(WeightsError) -> QuantisationScheme {
        _ = try choice("fmt", of: ["e4m3", "float8_e4m3fn"], default: "e4m3")
        _ = try choice("weight_dtype", of: ["float8_e4m3fn"], default: "float8_e4m3fn")
        guard let value = value("weight_block_size") else { return .fp8(blockRows: 128, blockColumns: 128) }
        let sizes = value.array?.compactMap(\.integer) ?? []
        let multiple = GroupedFormat.columnsMultiple
        let most = Limits.Kernels.groupedColumnsMax
        guard sizes.count == 2, (1...most).contains(sizes[0]), (multiple...most).contains(sizes[1]),
            sizes[1] % multiple == 0
        else { throw unsupported("weight_block_size", ["[rows, columns], the columns a multiple of \(multiple)"]) }
        return .fp8(blockRows: sizes[0], blockColumns: sizes[1])
    }

    func compressed() throws(WeightsError) -> QuantisationScheme {
        let formats = ["float-quantized", "naive-quantized", "pack-quantized"]
        let format = try choice("format", of: formats)
        let groups = try part("config_groups")
        var schemes: Set<QuantisationScheme> = []
        for name in groups.json.object?.keys.elements ?? [] {
            let weights = try groups.part(name).part("weights")
            schemes.insert(
                .compressed(format == "pack-quantized" ? try weights.packedIntegers() : try weights.floats()))
        }
        guard schemes.count == 1, let scheme = schemes.first else {
            throw .quantisationUnsupported(
                key: groups.key, found: "\(schemes.count) kinds of weights", supported: ["one kind"])
        }
        return scheme
    }

    private func packedIntegers() throws(WeightsError) -> QuantisationScheme.CompressedIntegers {
        _ = try choice("type", of: ["int"])
        let bits = try integer("num_bits", of: [4, 8])
        let strategy = try choice("strategy", of: ["channel", "group"])
        let order = value("actorder")?.bool == false ? nil : value("actorder")
        if order != nil { _ = try choice("actorder", of: ["group", "static", "weight"]) }
        return QuantisationScheme.CompressedIntegers(
            bits: bits, groupColumns: strategy == "channel" ? nil : try groupColumns(),
            hasZeros: try !bool("symmetric", default: true),
            isReordered: order?.string == "group" && strategy == "group")
    }

    private func floats() throws(WeightsError) -> QuantisationScheme.CompressedIntegers? {
        _ = try choice("type", of: ["float"])
        _ = try integer("num_bits", of: [8])
        _ = try choice("strategy", of: ["block", "channel", "tensor"])
        return nil
    }
}
