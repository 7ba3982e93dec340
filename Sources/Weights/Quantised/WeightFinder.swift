import Basics
import Kernels

/// Finds the parts of quantised weights by the names and types under which they are published:
///
/// | asked for | stored as |
/// |---|---|
/// | `x.weight` of type F8_E4M3 | itself, with `x.weight_scale_inv`, `x.scale` or `x.weight_scale` |
/// | `x.weight` of type I8 or U8 | itself, two 4-bit floats in a byte, with `x.scale` |
/// | `x` | `x_blocks` and `x_scales`: 4-bit floats |
/// | `x.weight` | `x.weight_packed`, `x.weight_scale`, and `x.weight_zero_point`, `x.weight_g_idx`: compressed-tensors |
/// | `x.weight` | `x.qweight`, `x.qzeros`, `x.scales`, and `x.g_idx`: GPTQ and AWQ |
///
/// Everything is checked by the headers alone; `shape` is [rows, columns], or [matrices, rows, columns] for all experts
/// of a layer together.
struct WeightFinder: Sendable {
    let places: [String: TensorPlace]
    let files: [WeightFile]
    let scheme: QuantisationScheme
    /// Path of the model, for errors.
    let model: String

    /// The parts of the weight `name`; nil if it is not stored in parts.
    func find(_ name: String, shape: [Int]) throws(WeightsError) -> ComposedWeight? {
        guard let shape = MatrixShape(shape) else { return nil }
        let stem = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
        if let place = places[name] {
            switch place.description.elementType {
            case "F8_E4M3": return try floats(name, stem: stem, shape)
            case "I8", "U8":
                return places[stem + ".scale"] == nil ? nil : try pairs(name, scales: stem + ".scale", shape)
            default: return nil
            }
        }
        if places[stem + "_blocks"] != nil { return try blocks(stem, shape) }
        if places[stem + ".weight_packed"] != nil { return try compressed(stem + ".weight", shape) }
        guard places[stem + ".qweight"] != nil else { return nil }
        switch scheme {
        case .awq(let groupColumns): return try awq(stem, groupColumns: groupColumns, shape)
        case .gptq(let integers): return try gptq(stem, integers, shape)
        case .compressed, .fp8, .mxfp4, .none:
            throw .quantisationUnsupported(
                key: "quantization_config.quant_method", found: "not that of \(stem).qweight",
                supported: ["awq", "gptq"])
        }
    }

    /// The name under which a stored part belongs to a weight; nil for other tensors.
    static func weightName(ofPart name: String) -> String? {
        if name.hasSuffix(".weight_packed") { return String(name.dropLast("_packed".count)) }
        if name.hasSuffix(".qweight") { return name.dropLast("qweight".count) + "weight" }
        return name.hasSuffix("_blocks") ? String(name.dropLast("_blocks".count)) : nil
    }
}

/// The shape of one matrix or of several of one kind.
struct MatrixShape {
    /// How many, where they are stored as one tensor.
    let leading: [Int]
    let rows: Int
    let columns: Int

    init?(_ shape: [Int]) {
        guard shape.count == 2 || shape.count == 3, let columns = shape.last, shape.allSatisfy({ $0 > 0 }) else {
            return nil
        }
        leading = Array(shape.dropLast(2))
        rows = shape[shape.count - 2]
        self.columns = columns
    }

    var count: Int { leading.first ?? 1 }

    func groups(of groupColumns: Int?) -> Int { groupColumns.map { (columns + $0 - 1) / $0 } ?? 1 }
}

extension WeightFinder {
    private func floats(_ name: String, stem: String, _ shape: MatrixShape) throws(WeightsError) -> ComposedWeight {
        let codes = try part(name, ["F8_E4M3"], shape: shape.leading + [shape.rows, shape.columns])
        let names = [name + "_scale_inv", stem + ".scale", name + "_scale"]
        guard let scaleName = names.first(where: { places[$0] != nil }) else {
            throw .tensorMissing(tensor: names[0], model: model)
        }
        let scales = try part(scaleName, ["BF16", "F16", "F32", "F8_E8M0"], shape: nil)
        let block = scheme.floatBlock
        let blockRows = (shape.rows + block.rows - 1) / block.rows
        let perBlock = shape.leading + [blockRows, shape.groups(of: block.columns)]
        func weight(groupColumns: Int?, scaleRows: Int) -> ComposedWeight {
            ComposedWeight(
                codes: .e4m3, codePart: codes, scalePart: scales, matrixCount: shape.count, storedRows: shape.rows,
                columns: shape.columns, groupColumns: groupColumns, scaleRows: scaleRows)
        }
        if scales.shape == perBlock { return weight(groupColumns: block.columns, scaleRows: block.rows) }
        // A scale for each row, or one for all.
        let perRow = [shape.leading + [shape.rows, 1], shape.leading + [shape.rows]]
        if perRow.contains(scales.shape) { return weight(groupColumns: nil, scaleRows: 1) }
        let single = shape.leading.isEmpty ? [[], [1], [1, 1]] : [shape.leading, shape.leading + [1, 1]]
        guard single.contains(scales.shape) else {
            throw .shapeMismatch(tensor: scaleName, file: scales.file.path, expected: perBlock, found: scales.shape)
        }
        return weight(groupColumns: nil, scaleRows: shape.rows)
    }

    private func pairs(
        _ name: String, scales: String, _ shape: MatrixShape
    ) throws(WeightsError) -> ComposedWeight {
        try wholeBlocks(name, shape)
        return ComposedWeight(
            codes: .pairs,
            codePart: try part(name, ["I8", "U8"], shape: shape.leading + [shape.rows, shape.columns / 2]),
            scalePart: try part(scales, ["F8_E8M0", "U8"], shape: shape.leading + [shape.rows, shape.columns / 32]),
            matrixCount: shape.count, storedRows: shape.rows, columns: shape.columns, groupColumns: 32)
    }

    private func blocks(_ stem: String, _ shape: MatrixShape) throws(WeightsError) -> ComposedWeight {
        try wholeBlocks(stem + "_blocks", shape)
        let groups = shape.leading + [shape.rows, shape.columns / 32]
        return ComposedWeight(
            codes: .pairs, codePart: try part(stem + "_blocks", ["U8"], shape: groups + [16]),
            scalePart: try part(stem + "_scales", ["F8_E8M0", "U8"], shape: groups),
            matrixCount: shape.count, storedRows: shape.rows, columns: shape.columns, groupColumns: 32)
    }

    private func compressed(_ name: String, _ shape: MatrixShape) throws(WeightsError) -> ComposedWeight {
        guard case .compressed(let integers?) = scheme else {
            throw .quantisationUnsupported(
                key: "quantization_config.format", found: "not that of \(name)_packed", supported: ["pack-quantized"])
        }
        try wholeBlocks(name + "_packed", shape)
        let perWord = 32 / integers.bits
        let groups = shape.groups(of: integers.groupColumns)
        var weight = ComposedWeight(
            codes: .compressed(bits: integers.bits),
            codePart: try part(
                name + "_packed", ["I32"], shape: shape.leading + [shape.rows, shape.columns / perWord]),
            scalePart: try part(
                name + "_scale", ["BF16", "F16", "F32"], shape: shape.leading + [shape.rows, groups]),
            matrixCount: shape.count, storedRows: shape.rows, columns: shape.columns,
            groupColumns: integers.groupColumns)
        if integers.hasZeros {
            let packedRows = (shape.rows + perWord - 1) / perWord
            weight.zeroPart = try part(name + "_zero_point", ["I32"], shape: shape.leading + [packedRows, groups])
            weight.zeros = .stored
        }
        if integers.isReordered {
            weight.groupPart = try part(name + "_g_idx", ["I32"], shape: [shape.columns])
            weight.isReordered = true
        }
        if places[name + "_shape"] != nil, shape.leading.isEmpty {
            weight.shapePart = try part(name + "_shape", ["I32", "I64"], shape: [2])
        }
        return weight
    }

    private func gptq(
        _ stem: String, _ integers: QuantisationScheme.GPTQIntegers, _ shape: MatrixShape
    ) throws(WeightsError) -> ComposedWeight {
        let perWord = 32 / integers.bits
        try wholeBlocks(stem + ".qweight", shape)
        try wholeWords(stem + ".qzeros", shape, perWord: perWord)
        let groups = shape.groups(of: integers.groupColumns)
        var weight = ComposedWeight(
            codes: .gptq(bits: integers.bits),
            codePart: try part(
                stem + ".qweight", ["I32"], shape: shape.leading + [shape.columns / perWord, shape.rows]),
            scalePart: try part(
                stem + ".scales", ["BF16", "F16", "F32"], shape: shape.leading + [groups, shape.rows]),
            zeroPart: try part(stem + ".qzeros", ["I32"], shape: shape.leading + [groups, shape.rows / perWord]),
            matrixCount: shape.count, storedRows: shape.rows, columns: shape.columns,
            groupColumns: integers.groupColumns, zeros: integers.zeros, isReordered: integers.isReordered)
        if integers.isReordered || places[stem + ".g_idx"] != nil {
            weight.groupPart = try part(stem + ".g_idx", ["I32"], shape: [shape.columns])
        }
        return weight
    }

    private func awq(_ stem: String, groupColumns: Int?, _ shape: MatrixShape) throws(WeightsError) -> ComposedWeight {
        try wholeBlocks(stem + ".qweight", shape)
        try wholeWords(stem + ".qweight", shape, perWord: 8)
        let groups = shape.groups(of: groupColumns)
        return ComposedWeight(
            codes: .awq,
            codePart: try part(stem + ".qweight", ["I32"], shape: shape.leading + [shape.columns, shape.rows / 8]),
            scalePart: try part(
                stem + ".scales", ["BF16", "F16", "F32"], shape: shape.leading + [groups, shape.rows]),
            zeroPart: try part(stem + ".qzeros", ["I32"], shape: shape.leading + [groups, shape.rows / 8]),
            matrixCount: shape.count, storedRows: shape.rows, columns: shape.columns, groupColumns: groupColumns,
            zeros: .stored)
    }

    /// A stored tensor of one of these types, and of this shape unless that is nil.
    private func part(_ name: String, _ types: [String], shape: [Int]?) throws(WeightsError) -> WeightPart {
        guard let place = places[name] else { throw .tensorMissing(tensor: name, model: model) }
        let (file, found) = (files[place.file], place.description)
        guard types.contains(found.elementType) else {
            throw .elementTypeUnsupported(
                tensor: name, file: file.file.path, type: found.elementType, supported: types)
        }
        if let shape, found.shape != shape {
            throw .shapeMismatch(tensor: name, file: file.file.path, expected: shape, found: found.shape)
        }
        return WeightPart(
            name: name, file: file.file, fileNumber: place.file, byteOffset: file.dataStart + found.dataOffset,
            byteCount: found.byteCount, shape: found.shape, elementType: found.elementType)
    }

    private func wholeBlocks(_ name: String, _ shape: MatrixShape) throws(WeightsError) {
        try whole(name, shape.columns, of: GroupedFormat.columnsMultiple)
    }

    /// Rows that are packed into words fill these.
    private func wholeWords(_ name: String, _ shape: MatrixShape, perWord: Int) throws(WeightsError) {
        try whole(name, shape.rows, of: perWord)
    }

    private func whole(_ name: String, _ count: Int, of multiple: Int) throws(WeightsError) {
        guard count % multiple != 0 else { return }
        let (path, type) = places[name].map { (files[$0.file].file.path, $0.description.elementType) } ?? (model, "")
        throw .rowNotWholeBlocks(tensor: name, file: path, type: type, columns: count, columnsPerBlock: multiple)
    }
}
