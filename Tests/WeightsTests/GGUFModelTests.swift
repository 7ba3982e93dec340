import Basics
import Foundation
import Kernels
import TestSupport
import Testing
import Weights

/// GGUF files as checkpoints: whole, split, and broken.
@Suite struct GGUFModelTests {
    private static let hidden = 4
    private static let experts = 3
    private static let vocabulary = 6

    /// The keys of a small Qwen3-MoE model, with some set anew or (nil) left out.
    private static func keys(_ changes: [String: GGUFBuilder.Value?] = [:]) -> [(String, GGUFBuilder.Value)] {
        var keys: [String: GGUFBuilder.Value] = [
            "general.architecture": .string("qwen3moe"), "general.name": .string("Small  model 3"),
            "qwen3moe.block_count": .uint32(2), "qwen3moe.context_length": .uint32(64),
            "qwen3moe.embedding_length": .uint32(UInt32(hidden)), "qwen3moe.attention.head_count": .uint32(2),
            "qwen3moe.attention.head_count_kv": .uint32(1), "qwen3moe.attention.key_length": .uint32(8),
            "qwen3moe.attention.value_length": .uint32(8), "qwen3moe.rope.freq_base": .float32(1e6),
            "qwen3moe.attention.layer_norm_rms_epsilon": .float32(1e-6),
            "qwen3moe.expert_count": .uint32(UInt32(experts)), "qwen3moe.expert_used_count": .uint32(2),
            "qwen3moe.expert_feed_forward_length": .uint32(2), "qwen3moe.feed_forward_length": .uint32(6),
            "tokenizer.ggml.eos_token_id": .uint32(4),
        ]
        for (key, value) in changes { keys[key] = value }
        return keys.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A file with an embedding, a norm and the experts of one layer; every weight is its own number in the file.
    private static func builder(_ changes: [String: GGUFBuilder.Value?] = [:]) -> GGUFBuilder {
        var builder = GGUFBuilder(keys: keys(changes))
        var next = 0
        func add(_ name: String, _ dimensions: [Int]) {
            let count = dimensions.reduce(1, *)
            let bytes = (next..<next + count).flatMap { littleEndian(Float($0).bitPattern) }
            next += count
            builder.add(name, dimensions.map(UInt64.init), type: 0, bytes)
        }
        add("token_embd.weight", [hidden, vocabulary])
        add("blk.1.ffn_up_exps.weight", [hidden, 2, experts])
        add("blk.1.attn_q_norm.weight", [8])
        return builder
    }

    private func open(_ builder: GGUFBuilder, _ directory: TemporaryDirectory) throws -> Checkpoint {
        try Checkpoint.open(directory.write("m.gguf", builder.file))
    }

    private func error(_ path: String) -> WeightsError? {
        do throws(WeightsError) {
            _ = try Checkpoint.open(path)
            return nil
        } catch {
            return error
        }
    }

    private func error(_ builder: GGUFBuilder) throws -> WeightsError? {
        let directory = try TemporaryDirectory()
        return error(try directory.write("m.gguf", builder.file))
    }

    @Test func aFileIsACheckpoint() throws {
        let directory = try TemporaryDirectory()
        let checkpoint = try open(Self.builder(), directory)
        #expect(checkpoint.name == "m" && checkpoint.path == directory.path + "/m.gguf")
        #expect(
            checkpoint.tensorNames == [
                "model.embed_tokens.weight", "model.layers.1.mlp.experts.up_proj",
                "model.layers.1.self_attn.q_norm.weight",
            ])
        #expect(checkpoint.tensorBytes == UInt64(4 * (24 + 24 + 8)))
        let up = try checkpoint.tensor("model.layers.1.mlp.experts.up_proj", shape: [3, 2, 4])
        #expect(try up.slice(2).floats() == (40..<48).map(Float.init))
        #expect(checkpoint.describe("model.layers.1.mlp.experts.up_proj")?.name == "blk.1.ffn_up_exps.weight")
        #expect(
            throws: WeightsError.shapeMismatch(
                tensor: "token_embd.weight", file: checkpoint.path, expected: [1], found: [6, 4])
        ) { try checkpoint.tensor("model.embed_tokens.weight", shape: [1]) }
        #expect(throws: WeightsError.tensorMissing(tensor: "blk.0.attn_k.weight", model: checkpoint.path)) {
            try checkpoint.tensor("model.layers.0.self_attn.k_proj.weight", shape: [1])
        }
        #expect(throws: WeightsError.tensorMissing(tensor: "no.such", model: checkpoint.path)) {
            try checkpoint.tensor("no.such", shape: [1])
        }
    }

    @Test func theConfigurationIsInHuggingFacesWords() throws {
        let directory = try TemporaryDirectory()
        let checkpoint = try open(Self.builder(), directory)
        let expected: JSON = [
            "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "vocab_size": 6, "hidden_size": 4,
            "num_hidden_layers": 2, "num_attention_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "rope_scaling": nil, "max_position_embeddings": 64, "tie_word_embeddings": true, "bos_token_id": nil,
            "eos_token_id": 4, "num_key_value_heads": 1, "head_dim": 8, "num_experts": 3, "num_experts_per_tok": 2,
            "moe_intermediate_size": 2, "intermediate_size": 6, "norm_topk_prob": true,
        ]
        #expect(checkpoint.configuration == expected)
        let bytes = try #require(try checkpoint.smallFile("config.json", bytesMax: 1 << 20))
        #expect(try JSON(parsing: bytes) == expected)
        #expect(
            throws: WeightsError.fileBeyondLimit(
                file: checkpoint.path + " (as config.json)", byteCount: bytes.count, limit: 9)
        ) { try checkpoint.smallFile("config.json", bytesMax: 9) }
        #expect(throws: WeightsError.self) { try checkpoint.smallFile("../config.json", bytesMax: 1 << 20) }
    }

    @Test func theTokenizerComesAsFiles() throws {
        // Every byte has a printable stand-in; the space's is the only one that these texts need.
        let tokens = (33...126).map { String(UnicodeScalar(UInt8($0))) } + ["\u{120}", "hi", "<end>"]
        var builder = Self.builder([
            "tokenizer.ggml.model": .string("gpt2"), "tokenizer.ggml.pre": .string("gpt-2"),
            "tokenizer.ggml.tokens": .strings(tokens), "tokenizer.ggml.merges": .strings(["h i"]),
            "tokenizer.ggml.eos_token_id": .uint32(UInt32(tokens.count - 1)),
            "tokenizer.chat_template": .string("{{ messages }}"),
        ])
        builder.tensors.removeFirst()
        builder.add("token_embd.weight", [1, UInt64(tokens.count)], type: 0, [UInt8](repeating: 0, count: 4 * 97))
        let checkpoint = try open(builder, TemporaryDirectory())
        let document = try JSON(parsing: #require(try checkpoint.smallFile("tokenizer.json", bytesMax: 1 << 20)))
        #expect(document["model"]?["vocab"]?["hi"] == 95)
        #expect(try checkpoint.smallFile("chat_template.jinja", bytesMax: 99) == Array("{{ messages }}".utf8))
        #expect(try checkpoint.smallFile("absent.json", bytesMax: 1) == nil)
        #expect(throws: WeightsError.self) { try checkpoint.smallFile("tokenizer.json", bytesMax: 99) }
        let mute = try open(Self.builder(), TemporaryDirectory())
        #expect(throws: WeightsError.self) { try mute.smallFile("tokenizer.json", bytesMax: 1 << 20) }
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        var builder = Self.builder([
            "qwen3moe.attention.head_count_kv": nil, "qwen3moe.attention.key_length": nil,
            "qwen3moe.attention.value_length": nil, "qwen3moe.rope.freq_base": nil,
            "qwen3moe.expert_feed_forward_length": nil, "tokenizer.ggml.bos_token_id": .uint32(1),
            "tokenizer.ggml.eot_token_id": .uint32(5), "tokenizer.ggml.eom_token_id": .uint32(4),
        ])
        builder.add("output.weight", [4, 6], type: 8, [])
        builder.tensors[builder.tensors.count - 1].dimensions = [32, 0]
        let configuration = try open(builder, TemporaryDirectory()).configuration
        #expect(configuration["num_key_value_heads"] == 2 && configuration["head_dim"] == 2)
        #expect(configuration["rope_theta"] == 10_000.0 && configuration["moe_intermediate_size"] == 3)
        #expect(configuration["tie_word_embeddings"] == false)
        #expect(configuration["bos_token_id"] == 1 && configuration["eos_token_id"] == [4, 5])
    }

    @Test func positionsMayBeStretched() throws {
        func scaling(_ changes: [String: GGUFBuilder.Value]) throws -> JSON? {
            let keys = changes.map { ("qwen3moe.rope.scaling." + $0, Optional($1)) }
            let builder = Self.builder(Dictionary(keys, uniquingKeysWith: { $1 }))
            return try open(builder, TemporaryDirectory()).configuration["rope_scaling"]
        }
        #expect(try scaling(["type": .string("none"), "factor": .float32(4)]) == .null)
        #expect(try scaling(["factor": .float32(0)]) == .null)
        #expect(try scaling(["factor": .float32(2)]) == ["rope_type": "linear", "factor": 2.0])
        let yarn: [String: GGUFBuilder.Value] = [
            "type": .string("yarn"), "factor": .float32(4), "original_context_length": .uint32(16),
            "yarn_beta_fast": .float32(24), "yarn_attn_factor": .float32(1),
        ]
        #expect(
            try scaling(yarn) == [
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 24.0,
            ])
        for key in ["attn_factor", "yarn_attn_factor", "yarn_ext_factor"] {
            #expect(throws: WeightsError.self) { try scaling(yarn.merging([key: .float32(0.5)]) { $1 }) }
        }
    }

    @Test func keysThatDoNotServeAreNamed() throws {
        func message(_ changes: [String: GGUFBuilder.Value?]) throws -> String {
            try error(Self.builder(changes)).map(\.description) ?? "no error"
        }
        #expect(try message(["general.architecture": nil]).contains("'general.architecture' is missing"))
        #expect(
            try message(["general.architecture": .string("mamba")])
                .contains("architecture 'mamba' is not supported; these are: deepseek2, deepseek32, deepseek4,"))
        #expect(try message(["qwen3moe.block_count": nil]).contains("'qwen3moe.block_count' is missing"))
        #expect(
            try message(["qwen3moe.block_count": .string("two")])
                .contains("'qwen3moe.block_count' is \"two\", expected a whole number"))
        #expect(try message(["qwen3moe.attention.value_length": .uint32(4)]).contains("is 4, expected 8.0"))
        #expect(try message(["qwen3moe.expert_gating_func": .uint32(2)]).contains("is 2, expected 1.0"))
        #expect(try message(["qwen3moe.attention.head_count": .uint32(0)]) == "no error", "the model's business")
        #expect(try message(["qwen3moe.rope.freq_base": .float32(.nan)]).contains("expected a finite number"))
        let tokens = GGUFBuilder.Value.strings((0..<7).map(String.init))
        #expect(try message(["tokenizer.ggml.tokens": tokens]).contains("a list of 7, expected at most 6"))
        #expect(try message(["tokenizer.ggml.eos_token_id": .string("4")]).contains("expected a token id"))
    }

    @Test func unknownTensorsAreRefusedAndUnknownTypesWhenUsed() throws {
        var builder = Self.builder()
        builder.add("blk.0.attn_q.scale", [1], type: 0, [0, 0, 0, 0])
        guard case .tensorUnknown("blk.0.attn_q.scale", _, "qwen3moe") = try error(builder) else {
            Issue.record("a tensor without a place was passed over")
            return
        }
        builder = Self.builder()
        builder.add("blk.0.attn_q.weight", [256, 2], type: 18, [0])
        let directory = try TemporaryDirectory()
        let checkpoint = try open(builder, directory)
        do throws(WeightsError) {
            _ = try checkpoint.tensor("model.layers.0.self_attn.q_proj.weight", shape: [2, 256])
            Issue.record("used a tensor of a type that is not known")
        } catch {
            #expect(error.description.contains("blk.0.attn_q.weight"))
            #expect(error.description.contains("has type IQ3_XXS; supported are BF16, F16, F32, Q8_0"))
        }
        for name in ["blk.01.attn_q.weight", "blk..attn_q.weight", "blk.-1.attn_q.weight", "blk.0attn_q.weight"] {
            var odd = Self.builder()
            odd.add(name, [1], type: 0, [0, 0, 0, 0])
            #expect(try error(odd)?.description.contains("tensor \(name) in") == true)
        }
    }

    @Test func truncatedFilesAreRefused() throws {
        let directory = try TemporaryDirectory()
        let whole = Self.builder().file
        for count in [0, 3, 23, 200, whole.count - 33] {
            let path = try directory.write("m.gguf", whole.prefix(count))
            switch error(path) {
            case .fileTruncated(path, let expected, count): #expect(expected > count)
            case .tensorOutOfFile(_, path, _, let end, let dataByteCount): #expect(end > dataByteCount)
            case let other: Issue.record("\(count) bytes: \(other.map(String.init(describing:)) ?? "no error")")
            }
        }
        let text = try directory.write("config.json", text: "{}")
        #expect(error(text) == .fileTruncated(file: text, expectedByteCount: 4, foundByteCount: 2))
        #expect(error(directory.path + "/no.gguf") == .modelMissing(path: directory.path + "/no.gguf"))
    }

    @Test func longHeadersAreReadInPieces() throws {
        var builder = Self.builder()
        let texts = (0..<60_000).map { "a text of some length, number \($0)" }
        builder.keys.append(("long", .strings(texts)))
        #expect(builder.header.count > 2 * Limits.GGUF.headerReadBytes)
        let directory = try TemporaryDirectory()
        let checkpoint = try open(builder, directory)
        let embedding = try checkpoint.tensor("model.embed_tokens.weight", shape: [6, 4])
        #expect(try embedding.floats() == (0..<24).map(Float.init))
        let cut = try directory.write("cut.gguf", builder.file.prefix(Limits.GGUF.headerReadBytes + 5))
        guard case .fileTruncated(cut, _, Limits.GGUF.headerReadBytes + 5) = error(cut) else {
            Issue.record("\(String(describing: error(cut)))")
            return
        }
    }

    @Test func namesComeFromTheFile() throws {
        let directory = try TemporaryDirectory()
        let bytes = Self.builder().file
        #expect(try Checkpoint.open(directory.write("Some.Model-Q4_K_M.gguf", bytes)).name == "Some.Model-Q4_K_M")
        #expect(try Checkpoint.open(directory.write("sha256-abc", bytes)).name == "Small-model-3")
        #expect(try Checkpoint.open(directory.write("a-00001-of-00001.gguf", bytes)).name == "a")
        let nameless = Self.builder(["general.name": nil]).file
        #expect(try Checkpoint.open(directory.write("sha256-def", nameless)).name == "sha256-def")
    }

    @Test func theDigestIsOfTheContent() throws {
        let directory = try TemporaryDirectory()
        var builder = Self.builder()
        let digest = try open(builder, directory).digest
        #expect(try Checkpoint.open(directory.write("other.gguf", builder.file)).digest == digest)
        builder.tensors[0].bytes[5] ^= 1
        #expect(try open(builder, directory).digest != digest)
        #expect(try open(Self.builder(["qwen3moe.block_count": .uint32(3)]), directory).digest != digest)
    }
}

/// Models that are split into several GGUF files.
@Suite struct GGUFPartsTests {
    /// Three parts: keys and an embedding, one norm, another norm.
    private func parts() -> [GGUFBuilder] {
        (0..<3).map { number in
            var builder = GGUFBuilder(keys: [
                ("split.no", .uint16(UInt16(number))), ("split.count", .uint16(3)),
                ("split.tensors.count", .int32(3)),
            ])
            if number == 0 {
                for key in ["block_count", "embedding_length", "attention.head_count", "expert_used_count"] {
                    builder.keys.append(("qwen3moe." + key, .uint32(1)))
                }
                for key in ["expert_count", "expert_feed_forward_length", "context_length"] {
                    builder.keys.append(("qwen3moe." + key, .uint32(1)))
                }
                builder.keys.append(("qwen3moe.attention.layer_norm_rms_epsilon", .float32(1)))
                builder.keys.append(("general.architecture", .string("qwen3moe")))
            }
            let name = ["token_embd.weight", "output_norm.weight", "blk.0.ffn_norm.weight"][number]
            builder.add(name, [1], type: 0, littleEndian(Float(number).bitPattern))
            return builder
        }
    }

    private func name(_ number: Int, of count: Int = 3) -> String { "big-0000\(number)-of-0000\(count).gguf" }

    private func write(_ parts: [GGUFBuilder], _ directory: TemporaryDirectory) throws -> [String] {
        try parts.enumerated().map { try directory.write(name($0 + 1), $1.file) }
    }

    private func error(_ change: (inout [GGUFBuilder]) -> Void) throws -> WeightsError? {
        let directory = try TemporaryDirectory()
        var parts = parts()
        change(&parts)
        let paths = try write(parts, directory)
        do throws(WeightsError) {
            _ = try Checkpoint.open(paths[0])
            return nil
        } catch {
            return error
        }
    }

    private func mismatch(_ what: String, _ expected: String, _ found: String, _ error: WeightsError?) -> Bool {
        guard case .splitMismatch(_, what, expected, found) = error else { return false }
        return true
    }

    @Test func anyPartOpensAll() throws {
        let directory = try TemporaryDirectory()
        let paths = try write(parts(), directory)
        let checkpoints = try paths.map { try Checkpoint.open($0) }
        for checkpoint in checkpoints {
            #expect(checkpoint.name == "big" && checkpoint.digest == checkpoints[0].digest)
            #expect(try checkpoint.tensor("model.norm.weight", shape: [1]).floats() == [1])
            let last = "model.layers.0.post_attention_layernorm.weight"
            #expect(try checkpoint.tensor(last, shape: [1]).floats() == [2])
            #expect(checkpoint.configuration["model_type"] == "qwen3_moe")
        }
        #expect(try checkpoints[0].tensor("model.norm.weight", shape: [1]).filePath == paths[1])
    }

    @Test func linksAreOpenedByTheirOwnNames() throws {
        let directory = try TemporaryDirectory()
        let paths = try write(parts(), directory)
        let links = try TemporaryDirectory()
        for (number, path) in paths.enumerated() {
            let blob = try directory.copy(path, to: "blob\(number)")
            try FileManager.default.createSymbolicLink(
                atPath: links.path + "/" + name(number + 1), withDestinationPath: blob)
        }
        #expect(try Checkpoint.open(links.path + "/" + name(2)).tensorNames.count == 3)
    }

    @Test func aMissingPartIsNamed() throws {
        let directory = try TemporaryDirectory()
        let paths = try write(parts(), directory)
        try FileManager.default.removeItem(atPath: paths[1])
        #expect(throws: WeightsError.fileMissing(file: paths[1], neededBy: paths[2])) {
            try Checkpoint.open(paths[2])
        }
    }

    @Test func partsThatDoNotFitAreRefused() throws {
        #expect(try error { _ in } == nil)
        #expect(mismatch("split.count", "3", "4", try error { $0[1].keys[1].1 = .uint16(4) }))
        #expect(mismatch("split.count", "3", "none", try error { $0[1].keys = [] }))
        #expect(mismatch("split.no", "2", "1", try error { $0[2].keys[0].1 = .uint16(1) }))
        #expect(mismatch("split.tensors.count", "3", "5", try error { $0[2].keys[2].1 = .int32(5) }))
        let count = try error { parts in for number in 0..<3 { parts[number].keys[2].1 = .int32(7) } }
        #expect(mismatch("count of tensors (split.tensors.count)", "7", "3 in 3 files", count))
        let other = try error { $0[1].keys.append(("general.architecture", .string("llama"))) }
        #expect(mismatch("general.architecture", "\"qwen3moe\"", "\"llama\"", other))
        guard case .tensorDuplicated("token_embd.weight", let files) = try error({ $0[2].tensors = $0[0].tensors })
        else {
            Issue.record("a tensor in two files")
            return
        }
        #expect(files.contains(name(1)) && files.contains(name(3)))
        guard case .metadataInvalid(_, "split.count", "70000", _) = try error({ $0[0].keys[1].1 = .uint32(70_000) })
        else {
            Issue.record("70000 files")
            return
        }
    }

    @Test func aPartMustBeNamedAsOne() throws {
        let directory = try TemporaryDirectory()
        let bytes = parts()[1].file
        for wrong in ["big.gguf", name(1), name(2, of: 4)] {
            let path = try directory.write(wrong, bytes)
            #expect(
                throws: WeightsError.splitMismatch(
                    file: path, what: "file name", expected: "NAME-00002-of-00003.gguf", found: wrong)
            ) { try Checkpoint.open(path) }
        }
    }
}
