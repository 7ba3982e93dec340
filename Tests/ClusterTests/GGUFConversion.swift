import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// Makes of a model directory what the usual converters make of it: GGUF's names and keys, experts of a layer in one
/// tensor, and what they change beyond that. The names are written down here once more, so that a mistake in the
/// tables of `GGUFArchitecture` is seen.
struct GGUFConversion {
    /// A model to convert.
    struct Case: Sendable, CustomTestStringConvertible {
        /// Name of the small model.
        let fixture: String
        /// `general.architecture`.
        let architecture: String
        /// Whether the file is as converters wrote it in the architecture's first months.
        var isOld = false

        var testDescription: String { architecture + (isOld ? ", old" : "") }
    }

    static let cases = [
        Case(fixture: "deepseek_v3_bf16", architecture: "deepseek2"),
        Case(fixture: "deepseek_v3_bf16", architecture: "deepseek2", isOld: true),
        Case(fixture: "deepseek_v32_bf16", architecture: "deepseek32"),
        Case(fixture: "deepseek_v4_bf16", architecture: "deepseek4"),
        Case(fixture: "glm4_moe_bf16", architecture: "glm4moe"),
        Case(fixture: "glm_moe_dsa_bf16", architecture: "glm-dsa"),
        Case(fixture: "gpt_oss_bf16", architecture: "gpt-oss"),
        Case(fixture: "minimax_m2_bf16", architecture: "minimax-m2"),
        Case(fixture: "mixtral_bf16", architecture: "llama"),
        Case(fixture: "mixtral_bf16", architecture: "llama", isOld: true),
        Case(fixture: "qwen3_5_moe_bf16", architecture: "qwen35moe"),
        Case(fixture: "qwen3_moe_bf16", architecture: "qwen3moe"),
    ]

    /// How the last projection of recurrent layers is written: as it is, as blocks of 32 8-bit integers, or as the
    /// numbers that these blocks stand for.
    enum OutputForm {
        case blocks, numbers, numbersOfBlocks
    }

    let conversion: Case
    var output = OutputForm.numbers
    /// Whether every matrix whose rows are whole blocks is written as blocks, routers aside.
    var areMatricesBlocks = false
    private let checkpoint: Checkpoint
    /// `config.json`, that of the text part where there are several.
    let configuration: JSON
    private var builder = GGUFBuilder()
    /// Experts that come one by one, until all of a tensor are there.
    private var experts: [String: [Int: Matrix]] = [:]

    init(_ conversion: Case) throws {
        self.conversion = conversion
        checkpoint = try Checkpoint.open(Fixtures.checkpoint(conversion.fixture))
        configuration = checkpoint.configuration["text_config"] ?? checkpoint.configuration
    }

    /// The bytes of the file.
    func file() throws -> [UInt8] {
        var writer = self
        writer.builder.keys = keys()
        for name in checkpoint.tensorNames where !name.hasPrefix("model.visual.") {
            let shape = checkpoint.describe(name)?.shape ?? []
            if name.hasSuffix(".tid2eid") {
                let numbers = try checkpoint.numbers(name, shape: shape, below: integer("n_routed_experts"))
                writer.writeTable(name, shape, numbers)
                continue
            }
            let matrix = Matrix(shape: shape, weights: try checkpoint.tensor(name, shape: shape).floats())
            writer.convert(writer.layeredName(of: name.replacing("language_model.", with: "")), matrix)
        }
        for (name, matrices) in writer.experts.sorted(by: { $0.key < $1.key }) {
            writer.write(name, .stacked((0..<matrices.count).compactMap { matrices[$0] }))
        }
        return writer.builder.file
    }

    /// The name of a tensor of Qwen3.5's layer that predicts a further token as if it stood behind the last layer;
    /// any other name as it is.
    private func layeredName(of name: String) -> String {
        let others = [
            "mtp.fc.weight": "eh_proj.weight", "mtp.pre_fc_norm_embedding.weight": "enorm.weight",
            "mtp.pre_fc_norm_hidden.weight": "hnorm.weight", "mtp.norm.weight": "shared_head.norm.weight",
        ]
        let layer = "model.layers.\(integer("num_hidden_layers"))."
        if let other = others[name] { return layer + other }
        return name.replacing("mtp.layers.0.", with: layer)
    }

    /// Layers that predict further tokens.
    var furtherLayers: Int { integer("num_nextn_predict_layers") + integer("mtp_num_hidden_layers") }

    /// A whole number of the configuration.
    func integer(_ key: String) -> Int { configuration[key]?.integer ?? 0 }

    private mutating func write(_ name: String, _ matrix: Matrix) {
        if areMatricesBlocks, matrix.shape.count > 1, matrix.shape.last.map({ $0 % 32 == 0 }) == true,
            !name.hasSuffix("gate_inp.weight")
        {
            return writeBlocks(name, matrix, as: .blocks)
        }
        // Dimensions of 1 are left out, and of a scalar one is left.
        let shape = matrix.shape.filter { $0 != 1 }
        builder.add(
            name, (shape.isEmpty ? [1] : shape).reversed().map(UInt64.init), type: 0,
            matrix.weights.flatMap { littleEndian($0.bitPattern) })
    }

    /// Writes `matrix` as blocks of 32 numbers with a common scale, or as what these stand for.
    private mutating func writeBlocks(_ name: String, _ matrix: Matrix, as output: OutputForm) {
        var bytes: [UInt8] = []
        var numbers: [Float] = []
        for start in stride(from: 0, to: matrix.weights.count, by: 32) {
            let block = matrix.weights[start..<start + 32]
            let scale = Float16((block.map(abs).max() ?? 0) / 127)
            let codes = block.map { Int8(max(-127, min(127, ($0 / Float(scale)).rounded()))) }
            bytes += littleEndian(scale.bitPattern) + codes.map(UInt8.init(bitPattern:))
            numbers += codes.map { Float($0) * Float(scale) }
        }
        guard output == .blocks else { return write(name, Matrix(shape: matrix.shape, weights: numbers)) }
        builder.add(name, matrix.shape.reversed().map(UInt64.init), type: 8, bytes)
    }

    private mutating func writeTable(_ name: String, _ shape: [Int], _ numbers: [Int32]) {
        let layer = name.split(separator: ".")[1]
        builder.add(
            "blk.\(layer).ffn_gate_tid2eid.weight", shape.reversed().map(UInt64.init), type: 26,
            numbers.flatMap(littleEndian))
    }

    private mutating func convert(_ name: String, _ matrix: Matrix) {
        if conversion.architecture == "deepseek4", let stored = Self.deepSeek4Name(of: name) {
            return write(stored, matrix)
        }
        switch name {
        case "model.embed_tokens.weight": return write("token_embd.weight", matrix)
        case "model.norm.weight": return write("output_norm.weight", shifted(matrix))
        case "lm_head.weight": return write("output.weight", matrix)
        default: break
        }
        guard let match = name.wholeMatch(of: /(?:model\.)?layers\.([0-9]+)\.(.+)/) else { return }
        let prefix = "blk.\(match.1)."
        let rest = String(match.2)
        if let expert = rest.wholeMatch(of: /[a-z_]+\.experts\.([0-9]+)\.([a-z0-9_]+)\.weight/) {
            return convertExpert(prefix, Int(expert.1) ?? 0, String(expert.2), matrix)
        }
        if output != .numbers, rest == "linear_attn.out_proj.weight" {
            return writeBlocks(prefix + "ssm_out.weight", changed(rest, matrix), as: output)
        }
        if let table = Self.layerNames[rest] { return write(prefix + table, changed(rest, matrix)) }
        convertRest(prefix, rest, matrix)
    }

    private mutating func convertExpert(_ prefix: String, _ expert: Int, _ part: String, _ matrix: Matrix) {
        let parts = ["w1": "gate", "w2": "down", "w3": "up"]
        let word = parts[part] ?? part.replacing("_proj", with: "")
        if conversion.isOld, conversion.architecture == "llama" {
            return write("\(prefix)ffn_\(word).\(expert).weight", matrix)
        }
        experts["\(prefix)ffn_\(word)_exps.weight", default: [:]][expert] = matrix
    }

    /// What stands under a name of its own in every architecture: the names that say where, and those of one tensor
    /// that becomes several.
    private mutating func convertRest(_ prefix: String, _ rest: String, _ matrix: Matrix) {
        switch rest {
        case "post_attention_layernorm.weight":
            let isNamedSo = ["glm4moe", "gpt-oss", "qwen35moe"].contains(conversion.architecture)
            write(prefix + (isNamedSo ? "post_attention_norm.weight" : "ffn_norm.weight"), shifted(matrix))
        case "mlp.experts.gate_up_proj":
            let rows = conversion.architecture == "gpt-oss" ? matrix.transposed() : matrix
            let (gate, up) = conversion.architecture == "gpt-oss" ? rows.byTurns() : rows.halves()
            write(prefix + "ffn_gate_exps.weight", gate)
            write(prefix + "ffn_up_exps.weight", up)
        case "mlp.experts.down_proj":
            write(prefix + "ffn_down_exps.weight", conversion.architecture == "gpt-oss" ? matrix.transposed() : matrix)
        case "mlp.experts.gate_up_proj_bias":
            let columns = Matrix(shape: matrix.shape + [1], weights: matrix.weights)
            let (gate, up) = columns.byTurns()
            write(prefix + "ffn_gate_exps.bias", gate)
            write(prefix + "ffn_up_exps.bias", up)
        case "self_attn.kv_b_proj.weight" where !conversion.isOld:
            let plain = integer("qk_nope_head_dim")
            let heads = matrix.reshaped([integer("num_attention_heads"), plain + integer("v_head_dim")])
            let (keys, values) = heads.split(plain)
            write(prefix + "attn_k_b.weight", keys.transposed())
            write(prefix + "attn_v_b.weight", values)
        case "self_attn.kv_b_proj.weight": write(prefix + "attn_kv_b.weight", matrix)
        default:
            // Of layers that predict further tokens, whose tensors are named otherwise.
            let isNorm = rest.hasSuffix("norm.weight")
            write(
                prefix + "nextn." + rest.replacing("shared_head.", with: "shared_head_"),
                isNorm ? shifted(matrix) : matrix)
        }
    }

    /// With 1 added, where the architecture stores the sum.
    private func shifted(_ matrix: Matrix) -> Matrix {
        guard conversion.architecture == "qwen35moe" else { return matrix }
        return Matrix(shape: matrix.shape, weights: matrix.weights.map { $0 + 1 })
    }

    /// What converters change of a tensor that keeps its shape.
    private func changed(_ name: String, _ matrix: Matrix) -> Matrix {
        switch (conversion.architecture, name) {
        case ("llama", "self_attn.q_proj.weight"), ("llama", "self_attn.k_proj.weight"):
            return matrix.exchangingRows(2, integer("head_dim") / 2)
        case ("qwen35moe", _) where name.hasPrefix("linear_attn."): return changedRecurrent(name, matrix)
        case ("qwen35moe", _) where name.hasSuffix("norm.weight"): return shifted(matrix)
        default: return matrix
        }
    }

    private func changedRecurrent(_ name: String, _ matrix: Matrix) -> Matrix {
        let keyHeads = integer("linear_num_key_heads")
        let shared = integer("linear_num_value_heads") / keyHeads
        let width = integer("linear_value_head_dim")
        let keys = 2 * keyHeads * integer("linear_key_head_dim")
        switch name {
        case "linear_attn.in_proj_qkv.weight", "linear_attn.conv1d.weight":
            return matrix.exchangingRows(keyHeads, shared, unit: width, from: keys)
        case "linear_attn.in_proj_z.weight": return matrix.exchangingRows(keyHeads, shared, unit: width)
        case "linear_attn.out_proj.weight":
            return matrix.transposed().exchangingRows(keyHeads, shared, unit: width).transposed()
        case "linear_attn.A_log":
            let rates = matrix.weights.map { -Float(DeterministicMath.exp(Double($0))) }
            return Matrix(shape: matrix.shape, weights: rates).exchangingRows(keyHeads, shared)
        case "linear_attn.norm.weight": return matrix
        default: return matrix.exchangingRows(keyHeads, shared)
        }
    }

    private static let layerNames = [
        "input_layernorm.weight": "attn_norm.weight",
        "self_attn.q_proj.weight": "attn_q.weight", "self_attn.q_proj.bias": "attn_q.bias",
        "self_attn.k_proj.weight": "attn_k.weight", "self_attn.k_proj.bias": "attn_k.bias",
        "self_attn.v_proj.weight": "attn_v.weight", "self_attn.v_proj.bias": "attn_v.bias",
        "self_attn.o_proj.weight": "attn_output.weight", "self_attn.o_proj.bias": "attn_output.bias",
        "self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
        "self_attn.sinks": "attn_sinks.weight",
        "self_attn.q_a_proj.weight": "attn_q_a.weight", "self_attn.q_a_layernorm.weight": "attn_q_a_norm.weight",
        "self_attn.q_b_proj.weight": "attn_q_b.weight",
        "self_attn.kv_a_proj_with_mqa.weight": "attn_kv_a_mqa.weight",
        "self_attn.kv_a_layernorm.weight": "attn_kv_a_norm.weight",
        "self_attn.indexer.wq_b.weight": "indexer.attn_q_b.weight",
        "self_attn.indexer.wk.weight": "indexer.attn_k.weight",
        "self_attn.indexer.k_norm.weight": "indexer.k_norm.weight",
        "self_attn.indexer.k_norm.bias": "indexer.k_norm.bias",
        "self_attn.indexer.weights_proj.weight": "indexer.proj.weight",
        "linear_attn.in_proj_qkv.weight": "attn_qkv.weight", "linear_attn.in_proj_z.weight": "attn_gate.weight",
        "linear_attn.in_proj_a.weight": "ssm_alpha.weight", "linear_attn.in_proj_b.weight": "ssm_beta.weight",
        "linear_attn.conv1d.weight": "ssm_conv1d.weight", "linear_attn.norm.weight": "ssm_norm.weight",
        "linear_attn.out_proj.weight": "ssm_out.weight", "linear_attn.A_log": "ssm_a",
        "linear_attn.dt_bias": "ssm_dt.bias",
        "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight",
        "mlp.down_proj.weight": "ffn_down.weight",
        "mlp.gate.weight": "ffn_gate_inp.weight", "block_sparse_moe.gate.weight": "ffn_gate_inp.weight",
        "mlp.router.weight": "ffn_gate_inp.weight", "mlp.router.bias": "ffn_gate_inp.bias",
        "mlp.gate.e_score_correction_bias": "exp_probs_b.bias",
        "block_sparse_moe.e_score_correction_bias": "exp_probs_b.bias",
        "mlp.experts.down_proj_bias": "ffn_down_exps.bias",
        "mlp.shared_experts.gate_proj.weight": "ffn_gate_shexp.weight",
        "mlp.shared_experts.up_proj.weight": "ffn_up_shexp.weight",
        "mlp.shared_experts.down_proj.weight": "ffn_down_shexp.weight",
        "mlp.shared_expert.gate_proj.weight": "ffn_gate_shexp.weight",
        "mlp.shared_expert.up_proj.weight": "ffn_up_shexp.weight",
        "mlp.shared_expert.down_proj.weight": "ffn_down_shexp.weight",
        "mlp.shared_expert_gate.weight": "ffn_gate_inp_shexp.weight",
    ]
}
