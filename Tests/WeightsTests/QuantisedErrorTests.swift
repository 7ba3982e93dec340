import Basics
import Foundation
import Kernels
import TestSupport
import Testing
import Weights

/// Quantised weights that are not what they must be: refused with the key or the tensor, what was found, and what is
/// supported.
@Suite struct QuantisedErrorTests {
    private func error(_ model: QuantisedModel, _ name: String = "x.weight") throws -> WeightsError? {
        let directory = try TemporaryDirectory()
        try model.write(directory)
        do throws(WeightsError) {
            _ = try Checkpoint.open(directory.path).tensor(name, shape: model.shape).packed()
            return nil
        } catch {
            return error
        }
    }

    private static let gptq = QuantisedModel.gptq(
        rows: 16, columns: 64, bits: 4, group: 32, version: 1, hasOrder: false)
    private static let fp8 = QuantisedModel.fp8(rows: 130, columns: 130)

    @Test(arguments: [
        (#"{"quant_method":"bitsandbytes"}"#, "quant_method", "bitsandbytes"),
        (#"{"bits":4}"#, "quant_method", "missing"),
        (#"{"quant_method":"gptq","bits":3,"group_size":32}"#, "bits", "3"),
        (#"{"quant_method":"gptq","bits":4,"group_size":48}"#, "group_size", "48"),
        (#"{"quant_method":"gptq","bits":4}"#, "group_size", "missing"),
        (
            #"{"quant_method":"gptq","bits":4,"group_size":32,"checkpoint_format":"marlin"}"#, "checkpoint_format",
            "marlin"
        ),
        (#"{"quant_method":"gptq","bits":4,"group_size":32,"dynamic":{"+:a":{"bits":8}}}"#, "dynamic", "+:a"),
        (#"{"quant_method":"awq","bits":8,"group_size":32}"#, "bits", "8"),
        (#"{"quant_method":"awq","bits":4,"group_size":32,"version":"gemv"}"#, "version", "gemv"),
        (#"{"quant_method":"awq","bits":4,"group_size":32,"zero_point":false}"#, "zero_point", "false"),
        (#"{"quant_method":"fp8","fmt":"e5m2"}"#, "fmt", "e5m2"),
        (#"{"quant_method":"fp8","weight_block_size":[128,100]}"#, "weight_block_size", "[128,100]"),
        (#"{"quant_method":"compressed-tensors","format":"marlin-24"}"#, "format", "marlin-24"),
    ])
    func unknownConfigurationsAreNamed(text: String, key: String, found: String) throws {
        var model = Self.gptq
        model.configuration = text
        guard case .quantisationUnsupported("quantization_config." + key, found, let supported) = try error(model)
        else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
        #expect(!supported.isEmpty)
    }

    @Test(arguments: [
        ("num_bits", "3"), ("type", #""float""#), ("strategy", #""token""#), ("group_size", "16"),
        ("actorder", #""other""#),
    ])
    func unknownSchemesAreNamed(key: String, value: String) throws {
        var model = QuantisedModel.compressed(rows: 8, columns: 64, bits: 4, group: 32, isSymmetric: true)
        let pattern = #""\#(key)":("[a-z]*"|[0-9a-z]+)"#
        model.configuration = model.configuration.replacingOccurrences(
            of: pattern, with: #""\#(key)":\#(value)"#, options: .regularExpression)
        guard case .quantisationUnsupported(let found, _, _) = try error(model) else {
            Issue.record("\(model.configuration)")
            return
        }
        #expect(found == "quantization_config.config_groups.group_0.weights.\(key)")
    }

    @Test(arguments: ["x.qzeros", "x.scales", "x.weight_scale_inv", "x.weight_scale"])
    func missingPartsAreNamed(part: String) throws {
        var model =
            part == "x.weight_scale_inv"
            ? Self.fp8
            : part == "x.weight_scale"
                ? .compressed(rows: 8, columns: 64, bits: 4, group: 32, isSymmetric: true) : Self.gptq
        model.parts.removeAll { $0.name == part }
        guard case .tensorMissing(part, _) = try error(model) else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
    }

    @Test func shapesAndTypesAreChecked() throws {
        var model = Self.gptq
        model.replace("x.qzeros", shape: [2, 4], byteCount: 32)
        guard case .shapeMismatch("x.qzeros", _, [2, 2], [2, 4]) = try error(model) else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
        model = Self.gptq
        model.replace("x.scales", type: "I16")
        guard case .elementTypeUnsupported("x.scales", _, "I16", _) = try error(model) else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
        model = Self.fp8
        model.replace("x.weight_scale_inv", shape: [1, 3], byteCount: 12)
        guard case .shapeMismatch("x.weight_scale_inv", _, [2, 2], [1, 3]) = try error(model) else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
        model = Self.fp8
        model.parts[0].bytes.removeLast()
        guard case .tensorSizeMismatch("x.weight", _, _, "F8_E4M3", _, _) = try error(model) else {
            Issue.record("\(String(describing: try error(model)))")
            return
        }
        let odd = QuantisedModel.gptq(rows: 16, columns: 40, bits: 4, group: 32, version: 1, hasOrder: false)
        guard case .rowNotWholeBlocks("x.qweight", _, "I32", 40, 32) = try error(odd) else {
            Issue.record("\(String(describing: try error(odd)))")
            return
        }
    }

    @Test func groupsOfColumnsAreChecked() throws {
        var ordered = QuantisedModel.gptq(rows: 16, columns: 64, bits: 4, group: 32, version: 1, hasOrder: true)
        ordered.parts[3].bytes[0] = 9
        #expect(try error(ordered)?.description.contains("x.g_idx") == true)
        ordered.parts[3].bytes = [UInt8](repeating: 0, count: 256)
        #expect(try error(ordered)?.description.contains("group 0 has 64 columns instead of 32") == true)
        var plain = Self.gptq
        plain.parts[3].bytes[0] = 1
        #expect(try error(plain)?.description.contains("column 0 is of group 1, without an order 0") == true)
    }

    @Test func contentsAreChecked() throws {
        var model = QuantisedModel.compressed(rows: 8, columns: 64, bits: 4, group: 32, isSymmetric: true)
        model.parts[2].bytes[0] = 9
        #expect(try error(model)?.description.contains("the shape is [9, 64] instead of [8, 64]") == true)
        var pairs = QuantisedModel.fp4(rows: 8, columns: 64, isBlocks: false)
        pairs.parts[1].bytes[3] = 255
        #expect(try error(pairs)?.description.contains("scale 3 of matrix 0 is not a number") == true)
        for (place, code) in [(3, UInt8(0x7f)), (5 * 160 + 159, 0xff)] {
            var floats = QuantisedModel.fp8(rows: 6, columns: 160, block: [32, 32])
            floats.parts[0].bytes[place] = code
            let reason = "row \(place / 160), column \(place % 160) of matrix 0 is not a number"
            #expect(try error(floats)?.description.contains(reason) == true)
        }
    }

    /// Rows of a quantised weight cannot be looked up one by one.
    @Test func embeddingsAreNotQuantised() throws {
        let directory = try TemporaryDirectory()
        try Self.fp8.write(directory)
        let tensor = try Checkpoint.open(directory.path).tensor("x.weight", shape: Self.fp8.shape)
        #expect(throws: WeightsError.self) { try tensor.storedRows() }
    }

    @Test func aFileThatBecameShorterIsNoticed() throws {
        let directory = try TemporaryDirectory()
        try Self.fp8.write(directory, split: true)
        let tensor = try Checkpoint.open(directory.path).tensor("x.weight", shape: Self.fp8.shape)
        #expect(truncate(directory.path + "/1.safetensors", 10) == 0)
        guard case .failure(.fileChanged(_, "x.weight_scale_inv", _, 10)) = Result(catching: tensor.packed) else {
            Issue.record("the shorter file went unnoticed")
            return
        }
    }

    /// Configurations and headers that nobody would write on purpose: refused in words, or weights of the right shape.
    @Test func changedFilesAreRefusedOrHold() throws {
        var generator = SeededGenerator(seed: 41)
        let directory = try TemporaryDirectory()
        var acceptedCount = 0
        for round in 0..<600 {
            let model = QuantisedTests.samples[round % QuantisedTests.samples.count].model
            let configuration = mutated(Array(#"{"quantization_config":\#(model.configuration)}"#.utf8), &generator)
            let file = QuantisedModel.safetensors(model.parts)
            let headerEnd = 8 + file[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
            try directory.write("config.json", round % 2 == 0 ? configuration : Array("{}".utf8))
            if round % 2 == 1 {
                try directory.write("config.json", text: #"{"quantization_config":\#(model.configuration)}"#)
            }
            let header = round % 2 == 1 ? mutated(Array(file[8..<headerEnd]), &generator) : Array(file[8..<headerEnd])
            let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
            try directory.write("model.safetensors", length + header + file[headerEnd...])
            do throws(WeightsError) {
                let name = model.parts[0].name == "x_blocks" ? "x" : "x.weight"
                let tensor = try Checkpoint.open(directory.path).tensor(name, shape: model.shape)
                #expect(try tensor.floats().count == model.shape[0] * model.shape[1])
                #expect(try tensor.packed().rows == model.shape[0])
                acceptedCount += 1
            } catch { #expect(!error.description.isEmpty) }
        }
        #expect(acceptedCount > 50)
    }

    private func mutated(_ sample: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...2, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: UInt8(ascii: "0")...UInt8(ascii: "9"), using: &generator)
            case 2: bytes.remove(at: place)
            default: bytes.insert(contentsOf: Array("9223372036854775807".utf8), at: place)
            }
        }
        return bytes
    }
}
