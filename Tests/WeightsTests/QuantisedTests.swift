import Basics
import Foundation
import Kernels
import TestSupport
import Testing
import Weights

/// Quantised weights as they are published: each layout means what its scalar definition says, and is computed with.
@Suite struct QuantisedTests {
    struct Sample: CustomTestStringConvertible {
        let testDescription: String
        let model: QuantisedModel

        init(_ name: String, _ model: QuantisedModel) {
            testDescription = name
            self.model = model
        }
    }

    static let samples: [Sample] = [
        Sample("fp8", .fp8(rows: 160, columns: 300)),
        Sample("fp8, scales in bf16", .fp8(rows: 130, columns: 256, scaleType: "BF16")),
        Sample(
            "fp8, powers of two",
            .fp8(rows: 144, columns: 384, scaleType: "F8_E8M0", scaleName: "x.scale")),
        Sample("fp8, rows that panels cross", .fp8(rows: 50, columns: 100, block: [24, 32])),
        Sample(
            "fp8, a scale for each row",
            .fp8(rows: 40, columns: 70, block: [1, 96], scaleName: "x.weight_scale").configured(
                #"{"quant_method":"fp8"}"#)),
        Sample(
            "fp8, one scale",
            .fp8(rows: 140, columns: 70, block: [160, 96], scaleName: "x.weight_scale").configured(
                """
                {"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"weights":
                {"num_bits":8,"type":"float","strategy":"tensor"}}}}
                """)),
        Sample("fp4 pairs", .fp4(rows: 40, columns: 96, isBlocks: false)),
        Sample("fp4 blocks", .fp4(rows: 40, columns: 96, isBlocks: true)),
        Sample("gptq 4", .gptq(rows: 40, columns: 160, bits: 4, group: 64, version: 1, hasOrder: false)),
        Sample("gptq 8", .gptq(rows: 36, columns: 96, bits: 8, group: 32, version: 1, hasOrder: false)),
        Sample("gptq 4 version 2", .gptq(rows: 24, columns: 96, bits: 4, group: -1, version: 2, hasOrder: false)),
        Sample("gptq 8 version 2", .gptq(rows: 24, columns: 128, bits: 8, group: 128, version: 2, hasOrder: false)),
        Sample("gptq 4 in order", .gptq(rows: 40, columns: 160, bits: 4, group: 32, version: 1, hasOrder: true)),
        Sample("gptq 8 in order", .gptq(rows: 20, columns: 160, bits: 8, group: 128, version: 2, hasOrder: true)),
        Sample("awq", .awq(rows: 40, columns: 96, group: 32)),
        Sample("awq by rows", .awq(rows: 16, columns: 96, group: -1)),
        Sample("compressed 4", .compressed(rows: 37, columns: 96, bits: 4, group: 32, isSymmetric: true)),
        Sample("compressed 4 zeros", .compressed(rows: 37, columns: 128, bits: 4, group: 128, isSymmetric: false)),
        Sample("compressed 8 by rows", .compressed(rows: 21, columns: 64, bits: 8, group: -1, isSymmetric: true)),
    ]

    @Test(arguments: samples, [false, true]) func decodesToItsDefinition(sample: Sample, split: Bool) throws {
        let directory = try TemporaryDirectory()
        let model = sample.model
        try model.write(directory, split: split)
        let checkpoint = try Checkpoint.open(directory.path)
        let name = model.parts[0].name == "x_blocks" ? "x" : "x.weight"
        #expect(checkpoint.contains(name) && checkpoint.tensorNames.contains(name))
        let tensor = try checkpoint.tensor(name, shape: model.shape)
        let (rows, columns) = (model.shape[0], model.shape[1])
        let expected = (0..<rows * columns).map { model.meaning($0 / columns, $0 % columns) }
        #expect(bits(try tensor.floats()) == bits(expected))
        try multiplies(tensor, expected)
        for range in [16..<rows, 3..<rows - 1, 5..<6] where !range.isEmpty {
            let part = Array(expected[range.lowerBound * columns..<range.upperBound * columns])
            #expect(bits(try tensor.rows(range).floats()) == bits(part))
            try multiplies(tensor.rows(range), part)
        }
    }

    /// Each column by itself: the packed matrix times unit vectors, with f32 activations.
    private func multiplies(_ tensor: Tensor, _ expected: [Float]) throws {
        let matrix = try tensor.packed()
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        #expect(
            matrix.byteCount == PackedMatrix.byteCount(rows: rows, columns: columns, format: tensor.format))
        let units = Rows(capacity: columns, width: columns)
        for column in 0..<columns { units.view[column][column] = 1 }
        let compute = try Compute(instructionSet: .best, threadCount: 1, activations: .f32)
        let output = Rows(capacity: columns, width: rows)
        compute.linear(matrix, input: units.view, output: output.view)
        for row in 0..<rows {
            // A weight that is no number makes all products of its row none.
            let isNumber = expected[row * columns..<(row + 1) * columns].allSatisfy(\.isFinite)
            let found = (0..<columns).map { output.view[$0][row] }
            let wanted = isNumber ? (0..<columns).map { expected[row * columns + $0] + 0 } : found.map { _ in .nan }
            guard bits(found) != bits(wanted) else { continue }
            Issue.record("row \(row): \(found) instead of \(wanted)")
            return
        }
    }

    /// Every NaN alike, and both zeros: that of a negative 4-bit float has no sign.
    private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : ($0 + 0).bitPattern } }

    /// Several matrices in one tensor, as the experts of a layer are stored, and rows of one of them.
    @Test func slicesOfSeveralMatrices() throws {
        let (count, rows, columns) = (3, 48, 64)
        let model = QuantisedModel.fp8(rows: count * rows, columns: columns, block: [16, 32])
        let fused = QuantisedModel(
            parts: [
                ("x", "F8_E4M3", [count, rows, columns], model.parts[0].bytes),
                ("x_scale_inv", "F32", [count, rows / 16, columns / 32], model.parts[1].bytes),
            ], configuration: model.configuration, shape: [count, rows, columns], meaning: model.meaning)
        let directory = try TemporaryDirectory()
        try fused.write(directory)
        let tensor = try Checkpoint.open(directory.path).tensor("x", shape: fused.shape)
        let all = (0..<count * rows * columns).map { model.meaning($0 / columns, $0 % columns) }
        #expect(bits(try tensor.floats()) == bits(all))
        for (first, range) in [(1, 0..<48), (2, 16..<48), (0, 8..<40)] {
            let part = tensor.slice(first).rows(range)
            let start = (first * rows + range.lowerBound) * columns
            let expected = Array(all[start..<start + range.count * columns])
            #expect(bits(try part.floats()) == bits(expected))
            try multiplies(part, expected)
        }
    }

    @Test func fourBitFloatsOfSeveralMatrices() throws {
        let (count, rows, columns) = (2, 20, 64)
        let model = QuantisedModel.fp4(rows: count * rows, columns: columns, isBlocks: true)
        let fused = QuantisedModel(
            parts: [
                ("e.down_blocks", "U8", [count, rows, columns / 32, 16], model.parts[0].bytes),
                ("e.down_scales", "U8", [count, rows, columns / 32], model.parts[1].bytes),
            ], configuration: model.configuration, shape: [count, rows, columns], meaning: model.meaning)
        let directory = try TemporaryDirectory()
        try fused.write(directory)
        let tensor = try Checkpoint.open(directory.path).tensor("e.down", shape: fused.shape)
        #expect(tensor.format == .stored(.mxfp4))
        let all = (0..<count * rows * columns).map { model.meaning($0 / columns, $0 % columns) }
        #expect(bits(try tensor.floats()) == bits(all))
        try multiplies(tensor.slice(1).rows(3..<20), Array(all[23 * columns..<40 * columns]))
    }

    /// What was packed is found again, with the order of its columns; a scale in another file that changed is noticed.
    @Test(arguments: ["fp8", "gptq 4 in order", "compressed 4 zeros", "fp4 pairs"])
    func theCacheKeepsThem(name: String) throws {
        let sample = try #require(Self.samples.first { $0.testDescription == name })
        let directory = try TemporaryDirectory()
        try sample.model.write(directory, split: true)
        let expected = try multipliedThroughCache(directory, sample.model)
        #expect(bits(try multipliedThroughCache(directory, sample.model)) == bits(expected))
        let files = try FileManager.default.subpathsOfDirectory(atPath: directory.path + "-cache")
        #expect(files.filter { $0.hasSuffix(".packed") }.count == 1)
        let digest = try Checkpoint.open(directory.path).digest
        var changed = sample.model
        changed.parts[1].bytes[5] ^= 1
        try directory.write("1.safetensors", QuantisedModel.safetensors([changed.parts[1]]))
        #expect(try Checkpoint.open(directory.path).digest != digest)
        try FileManager.default.removeItem(atPath: directory.path + "-cache")
    }

    private func multipliedThroughCache(_ directory: TemporaryDirectory, _ model: QuantisedModel) throws -> [Float] {
        let cache = WeightCache(directory: directory.path + "-cache", bytesMax: nil, worthBytes: 1) { _ in }
        let checkpoint = try Checkpoint.open(directory.path, cache: cache)
        let matrix = try checkpoint.tensor("x.weight", shape: model.shape).packed()
        checkpoint.keepPackedWeights(waits: true)
        let input = Rows(capacity: 2, width: model.shape[1])
        for index in input.view.floats.indices { input.view.floats[index] = Float(index % 13) - 6 }
        let output = Rows(capacity: 2, width: model.shape[0])
        try Compute(instructionSet: .best, threadCount: 1).linear(matrix, input: input.view, output: output.view)
        return Array(output.view.floats)
    }
}
