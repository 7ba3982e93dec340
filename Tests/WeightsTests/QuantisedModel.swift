import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// A model directory with one quantised weight `x.weight`, of random bits, and what they mean.
struct QuantisedModel {
    typealias Part = (name: String, type: String, shape: [Int], bytes: [UInt8])

    var parts: [Part]
    /// `quantization_config`, as text.
    var configuration: String
    /// The shape to ask for.
    let shape: [Int]
    /// What each weight means, by row and column, for [rows, columns].
    let meaning: @Sendable (_ row: Int, _ column: Int) -> Float

    /// Writes the directory; with `split` every part is a file of its own.
    func write(_ directory: TemporaryDirectory, split: Bool = false) throws {
        try directory.write("config.json", text: #"{"quantization_config":\#(configuration)}"#)
        guard split else {
            try directory.write("model.safetensors", Self.safetensors(parts))
            return
        }
        for (number, part) in parts.enumerated() {
            try directory.write("\(number).safetensors", Self.safetensors([part]))
        }
        let map = parts.enumerated().map { #""\#($1.name)":"\#($0).safetensors""# }.joined(separator: ",")
        try directory.write("model.safetensors.index.json", text: #"{"weight_map":{\#(map)}}"#)
    }

    /// A safetensors file with these tensors, in order.
    static func safetensors(_ parts: [Part]) -> [UInt8] {
        var entries: [String] = []
        var data: [UInt8] = []
        for part in parts {
            let offsets = "[\(data.count),\(data.count + part.bytes.count)]"
            entries.append(
                #""\#(part.name)":{"dtype":"\#(part.type)","shape":\#(part.shape),"data_offsets":\#(offsets)}"#)
            data += part.bytes
        }
        let header = Array(("{" + entries.joined(separator: ",") + "}").utf8)
        return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + data
    }

    /// The same with another configuration.
    func configured(_ text: String) -> QuantisedModel {
        var result = self
        result.configuration = text
        return result
    }

    mutating func replace(_ name: String, type: String? = nil, shape: [Int]? = nil, byteCount: Int? = nil) {
        for index in parts.indices where parts[index].name == name {
            parts[index].type = type ?? parts[index].type
            parts[index].shape = shape ?? parts[index].shape
            if let byteCount { parts[index].bytes = [UInt8](repeating: 1, count: byteCount) }
        }
    }
}

/// Random bits.
private func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

/// Random halves around 1, of both signs, with zeros and subnormal numbers among them.
private func halves(_ count: Int, _ generator: inout SeededGenerator) -> [Float16] {
    (0..<count).map { index in
        index % 7 == 3 ? [0, -0.0, 0x1p-24, -0x1p-20][index % 4] : Float16(Float.random(in: -2...2, using: &generator))
    }
}

private func bytes(_ values: [Float16]) -> [UInt8] { values.flatMap { littleEndian($0.bitPattern) } }
private func bytes(_ values: [Float]) -> [UInt8] { values.flatMap { littleEndian($0.bitPattern) } }
private func bytes(_ values: [Int32]) -> [UInt8] { values.flatMap { littleEndian($0) } }

/// Number `index` of `bits` each, the first in the lowest bits of the first byte.
private func bitField(_ bytes: [UInt8], _ index: Int, bits: Int) -> Int {
    (0..<bits).reduce(0) { value, bit in
        let place = index * bits + bit
        return value | Int(bytes[place / 8] >> (place % 8) & 1) << bit
    }
}

extension QuantisedModel {
    /// 8-bit floats with scales of `scaleType` for blocks of rows and columns.
    static func fp8(
        rows: Int, columns: Int, block: [Int] = [128, 128], scaleType: String = "F32",
        scaleName: String = "x.weight_scale_inv"
    ) -> QuantisedModel {
        var generator = SeededGenerator(seed: 31)
        let codes = random(rows * columns, &generator).map { $0 & 0x7f == 0x7f ? 0x7e : $0 }
        let counts = [(rows + block[0] - 1) / block[0], (columns + block[1] - 1) / block[1]]
        let values = (0..<counts[0] * counts[1]).map { _ in Float.random(in: -2...2, using: &generator) }
        let raw: [UInt8]
        let scales: [Float]
        switch scaleType {
        case "BF16":
            scales = values.map { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
            raw = scales.flatMap { littleEndian(UInt16($0.bitPattern >> 16)) }
        case "F8_E8M0":
            raw = values.indices.map { [0, 1, 126, 127, 128, 140][$0 % 6] }
            scales = raw.map { $0 == 0 ? 0x1p-127 : Float(bitPattern: UInt32($0) << 23) }
        default:
            scales = values
            raw = bytes(values)
        }
        return QuantisedModel(
            parts: [
                ("x.weight", "F8_E4M3", [rows, columns], codes), (scaleName, scaleType, counts, raw),
            ],
            configuration: #"{"quant_method":"fp8","fmt":"e4m3","weight_block_size":\#(block)}"#,
            shape: [rows, columns]
        ) { row, column in
            GroupedFormat.valueOfE4M3(codes[row * columns + column])
                * scales[row / block[0] * counts[1] + column / block[1]]
        }
    }

    /// 4-bit floats, two in a byte or in blocks of 16 bytes.
    static func fp4(rows: Int, columns: Int, isBlocks: Bool) -> QuantisedModel {
        var generator = SeededGenerator(seed: 32)
        let codes = random(rows * columns / 2, &generator)
        let scales = (0..<rows * columns / 32).map { _ in UInt8.random(in: 0...254, using: &generator) }
        let values: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
        let parts: [Part] =
            isBlocks
            ? [
                ("x_blocks", "U8", [rows, columns / 32, 16], codes), ("x_scales", "U8", [rows, columns / 32], scales),
            ]
            : [
                ("x.weight", "I8", [rows, columns / 2], codes), ("x.scale", "F8_E8M0", [rows, columns / 32], scales),
            ]
        return QuantisedModel(
            parts: parts, configuration: isBlocks ? #"{"quant_method":"mxfp4"}"# : #"{"quant_method":"fp8"}"#,
            shape: [rows, columns]
        ) { row, column in
            let code = bitField(codes, row * columns + column, bits: 4)
            let exponent = Int(scales[row * (columns / 32) + column / 32]) - 127
            let magnitude = Double(values[code & 7]) * Double(sign: .plus, exponent: exponent, significand: 1)
            return Float(code & 8 == 0 ? magnitude : -magnitude)
        }
    }

    /// GPTQ; `order` gives each column its group another way.
    static func gptq(
        rows: Int, columns: Int, bits: Int, group: Int, version: Int, hasOrder: Bool
    ) -> QuantisedModel {
        var generator = SeededGenerator(seed: 33)
        let width = group < 0 ? columns : group
        let groups = (columns + width - 1) / width
        let codes = random(rows * columns * bits / 8, &generator)
        let zeros = random(groups * rows * bits / 8, &generator)
        let scales = halves(groups * rows, &generator)
        var groupOfColumn = (0..<columns).map { Int32($0 / width) }
        if hasOrder { groupOfColumn.shuffle(using: &generator) }
        let format = version == 1 ? "gptq" : "gptq_v2"
        let order = groupOfColumn
        return QuantisedModel(
            parts: [
                ("x.qweight", "I32", [columns * bits / 32, rows], codes),
                ("x.qzeros", "I32", [groups, rows * bits / 32], zeros),
                ("x.scales", "F16", [groups, rows], bytes(scales)), ("x.g_idx", "I32", [columns], bytes(order)),
            ],
            configuration: """
                {"quant_method":"gptq","bits":\(bits),"group_size":\(group),"desc_act":\(hasOrder),"sym":false,
                "checkpoint_format":"\(format)"}
                """, shape: [rows, columns]
        ) { row, column in
            let perWord = 32 / bits
            let code = bitField(
                codes, (column / perWord * rows + row) * perWord + column % perWord, bits: bits)
            let group = Int(order[column])
            let zero = bitField(zeros, group * rows + row, bits: bits) + (version == 1 ? 1 : 0)
            return Float(scales[group * rows + row]) * Float(code - zero)
        }
    }

    /// AWQ.
    static func awq(rows: Int, columns: Int, group: Int) -> QuantisedModel {
        var generator = SeededGenerator(seed: 34)
        let width = group < 0 ? columns : group
        let groups = (columns + width - 1) / width
        let codes = random(rows * columns / 2, &generator)
        let zeros = random(groups * rows / 2, &generator)
        let scales = halves(groups * rows, &generator)
        // Which of eight rows each place of a word holds.
        let rowOfPlace = [0, 2, 4, 6, 1, 3, 5, 7]
        return QuantisedModel(
            parts: [
                ("x.qweight", "I32", [columns, rows / 8], codes), ("x.qzeros", "I32", [groups, rows / 8], zeros),
                ("x.scales", "F16", [groups, rows], bytes(scales)),
            ],
            configuration: """
                {"quant_method":"awq","bits":4,"group_size":\(group),"version":"gemm","zero_point":true}
                """, shape: [rows, columns]
        ) { row, column in
            let place = row / 8 * 8 + (rowOfPlace.firstIndex(of: row % 8) ?? 0)
            let code = bitField(codes, column * rows + place, bits: 4)
            let group = column / width
            return Float(scales[group * rows + row])
                * Float(code - bitField(zeros, group * rows + place, bits: 4))
        }
    }

    /// compressed-tensors' packed integers.
    static func compressed(rows: Int, columns: Int, bits: Int, group: Int, isSymmetric: Bool) -> QuantisedModel {
        var generator = SeededGenerator(seed: 35)
        let width = group < 0 ? columns : group
        let groups = (columns + width - 1) / width
        let codes = random(rows * columns * bits / 8, &generator)
        let perWord = 32 / bits
        let zeroRows = (rows + perWord - 1) / perWord
        let zeros = random(zeroRows * groups * 4, &generator)
        let scales = halves(rows * groups, &generator).map { Float(bitPattern: Float($0).bitPattern & 0xffff_0000) }
        var parts: [Part] = [
            ("x.weight_packed", "I32", [rows, columns / perWord], codes),
            ("x.weight_scale", "BF16", [rows, groups], scales.flatMap { littleEndian(UInt16($0.bitPattern >> 16)) }),
            ("x.weight_shape", "I64", [2], [rows, columns].flatMap { littleEndian(Int64($0)) }),
        ]
        if !isSymmetric { parts.append(("x.weight_zero_point", "I32", [zeroRows, groups], zeros)) }
        let strategy = group < 0 ? #""strategy":"channel""# : #""strategy":"group","group_size":\#(group)"#
        return QuantisedModel(
            parts: parts,
            configuration: """
                {"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"group_0":{"weights":
                {"num_bits":\(bits),"type":"int","symmetric":\(isSymmetric),\(strategy),"actorder":null}}}}
                """, shape: [rows, columns]
        ) { row, column in
            let code = bitField(codes, row * columns + column, bits: bits)
            let group = column / width
            let zero =
                isSymmetric
                ? 1 << (bits - 1)
                : bitField(zeros, (row / perWord * groups + group) * perWord + row % perWord, bits: bits)
            return scales[row * groups + group] * Float(code - zero)
        }
    }
}
