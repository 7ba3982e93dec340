import Basics
import Foundation
import Kernels
import TestSupport
import Testing
import Weights

/// Whole model directories: good ones are read exactly, broken ones give the error that says what is broken.
@Suite struct CheckpointTests {
    /// A safetensors file with one tensor per entry, in order.
    private func safetensors(_ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])]) -> [UInt8] {
        var entries: [String] = []
        var data: [UInt8] = []
        for tensor in tensors {
            let offsets = "[\(data.count),\(data.count + tensor.bytes.count)]"
            entries.append(
                #""\#(tensor.name)":{"dtype":"\#(tensor.type)","shape":\#(tensor.shape),"data_offsets":\#(offsets)}"#)
            data += tensor.bytes
        }
        return withLength("{" + entries.joined(separator: ",") + "}") + data
    }

    private func withLength(_ header: String, claimed: UInt64? = nil) -> [UInt8] {
        let length = claimed ?? UInt64(header.utf8.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
    }

    private func littleEndian(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] } }

    private func error(opening directory: TemporaryDirectory) -> WeightsError? {
        do throws(WeightsError) {
            _ = try Checkpoint.open(directory.path)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: Fixtures.checkpointNames)
    func opensEveryFixture(_ name: String) throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint(name) + "/")
        #expect(checkpoint.name == name)
        #expect(name.hasPrefix(try #require(checkpoint.configuration["model_type"]?.string)))
        #expect(checkpoint.digest.hexadecimal.count == 64)
        #expect(checkpoint.tensorNames == checkpoint.tensorNames.sorted())
        let configuration = checkpoint.configuration["text_config"] ?? checkpoint.configuration
        let hidden = try #require(configuration["hidden_size"]?.integer)
        let vocabulary = try #require(configuration["vocab_size"]?.integer)
        let embeddingName = try #require(
            checkpoint.tensorNames.first { $0.hasSuffix(".embed_tokens.weight") || $0 == "embed.weight" })
        let embedding = try checkpoint.tensor(embeddingName, shape: [vocabulary, hidden])
        let values = try embedding.floats()
        #expect(values.count == vocabulary * hidden && values.allSatisfy(\.isFinite))
        #expect(try embedding.packed().rows == vocabulary)
        #expect(try embedding.rows(3..<5).floats() == Array(values[3 * hidden..<5 * hidden]))
        #expect(try embedding.slice(7).floats() == Array(values[7 * hidden..<8 * hidden]))
        #expect(try checkpoint.smallFile("tokenizer.json", bytesMax: 1 << 20) != nil)
        #expect(try checkpoint.smallFile("absent.json", bytesMax: 1 << 20) == nil)
    }

    @Test func tensorBytesCountsEveryShard() throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint("qwen3_moe_bf16"))
        let index = try #require(try checkpoint.smallFile("model.safetensors.index.json", bytesMax: 1 << 20))
        let total = try #require(JSON(parsing: index)["metadata"]?["total_size"]?.integer)
        #expect(checkpoint.tensorBytes == UInt64(total))
    }

    @Test func decodesEveryFormatExactly() throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", text: "{}")
        let floats: [Float] = [0, -0.0, 1.5, -3.25e20, .infinity, 0x1p-140]
        try directory.write(
            "model.safetensors",
            safetensors([
                ("odd", "U8", [1], [7]),
                (
                    "f32", "F32", [2, 3],
                    floats.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 255) } }
                ),
                ("bf16", "BF16", [3], littleEndian([0x3FC0, 0xC049, 0x0001])),
                ("f16", "F16", [4], littleEndian([0x3C00, 0xC200, 0x0001, 0x7BFF])),
            ]))
        let checkpoint = try Checkpoint.open(directory.path)
        #expect(try checkpoint.tensor("f32", shape: [2, 3]).floats().map(\.bitPattern) == floats.map(\.bitPattern))
        #expect(
            try checkpoint.tensor("bf16", shape: [3]).floats() == [1.5, -3.140625, Float(bitPattern: 0x0001_0000)])
        #expect(try checkpoint.tensor("f16", shape: [4]).floats() == [1, -3, 0x1p-24, 65504])
        #expect(try checkpoint.tensor("f32", shape: [2, 3]).slice(1).floats() == [-3.25e20, .infinity, 0x1p-140])
        #expect(checkpoint.describe("odd")?.elementType == "U8")
        let file = directory.path + "/model.safetensors"
        #expect(
            throws: WeightsError.elementTypeUnsupported(
                tensor: "odd", file: file, type: "U8", supported: ["BF16", "F16", "F32"])
        ) {
            try checkpoint.tensor("odd", shape: [1])
        }
        #expect(throws: WeightsError.shapeMismatch(tensor: "f32", file: file, expected: [3, 2], found: [2, 3])) {
            try checkpoint.tensor("f32", shape: [3, 2])
        }
        #expect(throws: WeightsError.tensorMissing(tensor: "none", model: directory.path)) {
            try checkpoint.tensor("none", shape: [1])
        }
        #expect(throws: WeightsError.packingFailed(tensor: "f16", reason: "shape [4] is not that of a matrix")) {
            try checkpoint.tensor("f16", shape: [4]).packed()
        }
    }

    @Test func wholeNumbersAreChecked() throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", text: "{}")
        func bytes(_ numbers: [Int64]) -> [UInt8] {
            numbers.flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        }
        let short: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
        try directory.write(
            "model.safetensors",
            safetensors([
                ("long", "I64", [2, 2], bytes([0, 3, 2, 1])), ("short", "I32", [2], short),
                ("negative", "I64", [1], bytes([-1])), ("float", "F32", [1], [0, 0, 0, 0]),
            ]))
        let checkpoint = try Checkpoint.open(directory.path)
        #expect(try checkpoint.numbers("long", shape: [2, 2], below: 4) == [0, 3, 2, 1])
        #expect(try checkpoint.numbers("short", shape: [2], below: 2) == [1, 0])
        func message(_ name: String, _ shape: [Int], below limit: Int) -> String? {
            #expect(throws: WeightsError.self) { try checkpoint.numbers(name, shape: shape, below: limit) }?.description
        }
        let file = directory.path + "/model.safetensors"
        #expect(
            message("long", [2, 2], below: 3)
                == "tensor long in \(file): number 1 is 3, expected from 0 to 2")
        #expect(
            message("negative", [1], below: 9) == "tensor negative in \(file): number 0 is -1, expected from 0 to 8")
        #expect(message("float", [1], below: 9) == "tensor float in \(file) has type F32; supported are I32, I64")
        #expect(message("long", [4], below: 9)?.contains("[2, 2]") == true)
        #expect(message("none", [4], below: 9)?.contains("none") == true)
    }

    @Test func missingFilesAreNamed() throws {
        #expect(throws: WeightsError.modelMissing(path: "/nowhere/at/all")) {
            try Checkpoint.open("/nowhere/at/all")
        }
        let directory = try TemporaryDirectory()
        #expect(
            error(opening: directory) == .fileMissing(file: directory.path + "/config.json", neededBy: "the model"))
        try directory.write("config.json", text: "[1]")
        #expect(
            error(opening: directory)
                == .fileMalformed(
                    file: directory.path + "/config.json", reason: "an object is needed, a JSON array found"))
        try directory.write("config.json", text: "{}")
        #expect(
            error(opening: directory)
                == .fileMissing(file: directory.path + "/model.safetensors", neededBy: "the model"))
        let index = try directory.write(
            "model.safetensors.index.json", text: #"{"weight_map":{"a":"one.safetensors"}}"#)
        #expect(
            error(opening: directory) == .fileMissing(file: directory.path + "/one.safetensors", neededBy: index))
        let shard = try directory.write("one.safetensors", safetensors([("b", "U8", [1], [1])]))
        #expect(error(opening: directory) == .tensorNotInShard(tensor: "a", file: shard, index: index))
        try directory.write("model.safetensors.index.json", text: #"{"weight_map":{"a":"../one.safetensors"}}"#)
        guard case .fileMalformed = error(opening: directory) else {
            Issue.record("a path that leaves the directory was followed")
            return
        }
    }

    @Test func brokenWeightFilesAreRefused() throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", text: "{}")
        let path = try directory.write("model.safetensors", [])
        #expect(error(opening: directory) == .fileTruncated(file: path, expectedByteCount: 8, foundByteCount: 0))
        try directory.write("model.safetensors", withLength("{}", claimed: .max))
        #expect(
            error(opening: directory)
                == .headerBeyondLimit(file: path, byteCount: .max, limit: Limits.Weights.headerBytesMax))
        try directory.write("model.safetensors", withLength("{}", claimed: 50))
        #expect(error(opening: directory) == .fileTruncated(file: path, expectedByteCount: 58, foundByteCount: 10))
        let whole = safetensors([("a", "F32", [4], [UInt8](repeating: 1, count: 16))])
        try directory.write("model.safetensors", whole.dropLast())
        #expect(
            error(opening: directory)
                == .tensorOutOfFile(tensor: "a", file: path, begin: 0, end: 16, dataByteCount: 15))
        try directory.write("model.safetensors", whole)
        #expect(error(opening: directory) == nil)
    }

    @Test func aFileThatShrinksInUseIsReported() throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", text: "{}")
        let bytes = [UInt8](repeating: 0, count: 1 << 20)
        let path = try directory.write("model.safetensors", safetensors([("a", "F32", [512, 512], bytes)]))
        let tensor = try Checkpoint.open(directory.path).tensor("a", shape: [512, 512])
        #expect(truncate(path, 1 << 16) == 0)
        do throws(WeightsError) {
            _ = try tensor.packed()
            Issue.record("packed a tensor of a truncated file")
        } catch {
            guard case .fileChanged(path, "a", _, 1 << 16) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test func digestTellsModelsApart() throws {
        let digests = try Fixtures.checkpointNames.map { try Checkpoint.open(Fixtures.checkpoint($0)).digest }
        #expect(Set(digests).count == digests.count)
        let directory = try TemporaryDirectory()
        let copy = try directory.copy(Fixtures.checkpoint("qwen3_moe_bf16"), to: "other_name")
        let digest = try Checkpoint.open(copy).digest
        #expect(digests.contains(digest), "the directory's name is no part of the model")
        let shard = "other_name/model-00002-of-00002.safetensors"
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + shard)))
        bytes[bytes.count - 1] ^= 1
        try directory.write(shard, bytes)
        #expect(try Checkpoint.open(copy).digest != digest)
    }

    @Test(arguments: [
        ("qwen3_moe_bf16", "012d528936ff97539abbb40eff9d84e8a791dce32ca3d801bb0080695155b254"),
        ("qwen3_moe_mixed", "7a8d7651fa1a57919dab85d4ce5d843b7f04378339795fea7465732545546841"),
    ])
    func digestsStayWhatTheyWere(_ name: String, _ digest: String) throws {
        // As another program makes them, so that hosts with different versions of Colony agree on a directory.
        #expect(try Checkpoint.open(Fixtures.checkpoint(name)).digest.hexadecimal == digest)
    }

    @Test func partsOfFusedTensorsPackToTheRightWeights() throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint("qwen3_moe_fused_f16"))
        let fused = try checkpoint.tensor("model.layers.1.mlp.experts.gate_up_proj", shape: [8, 64, 64])
        let up = fused.slice(5).rows(32..<64)
        let values = try up.floats()
        let whole = try fused.floats()
        #expect(values == Array(whole[(5 * 64 + 32) * 64..<6 * 64 * 64]))
        let compute = try Compute(instructionSet: .generic, threadCount: 1)
        let input = Rows(capacity: 1, width: 64)
        let output = Rows(capacity: 1, width: 32)
        for column in [0, 31, 63] {
            // A one in one column and zeros elsewhere gives that column of the matrix.
            for index in 0..<64 { input.view[0][index] = index == column ? 1 : 0 }
            compute.linear(try up.packed(), input: input.view, output: output.view)
            #expect(Array(output.view[0]) == (0..<32).map { values[$0 * 64 + column] })
        }
    }

    @Test func packingLeavesNoSecondCopyInMemory() throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", text: "{}")
        let bytes = [UInt8](repeating: 0, count: 64 << 20)
        try directory.write("model.safetensors", safetensors([("a", "F32", [4096, 4096], bytes)]))
        let tensor = try Checkpoint.open(directory.path).tensor("a", shape: [4096, 4096])
        let before = try mappedFileBytes()
        try tensor.storedRows().withBytes { bytes in
            var sum = 0
            for offset in stride(from: 0, to: bytes.count, by: 4096) { sum += Int(bytes[offset]) }
            #expect(sum == 0)
        }
        #expect(try mappedFileBytes() - before > 48 << 20, "reading maps the pages")
        _ = try tensor.rows(0..<4096).packed()
        #expect(try mappedFileBytes() - before < 16 << 20, "packing gives them back")
    }

    /// How many bytes of mapped files are in this process's memory.
    private func mappedFileBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first) << 10
    }
}
