import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// Tensors whose rows or columns lie in another order in GGUF files, and those of other dimensions.
@Suite struct GGUFOrderTests {
    /// The bytes of rows of numbers: as F32, or as blocks of 32 8-bit integers with a scale of 1.
    private static func bytes(_ rows: [[Int]], isBlocks: Bool) -> [UInt8] {
        rows.flatMap { row in
            guard isBlocks else { return row.flatMap { littleEndian(Float($0).bitPattern) } }
            return stride(from: 0, to: row.count, by: 32).flatMap { start in
                [0x00, 0x3C] + row[start..<start + 32].map { UInt8(bitPattern: Int8($0)) }
            }
        }
    }

    private func open(_ builder: GGUFBuilder) throws -> Checkpoint {
        let directory = try TemporaryDirectory()
        return try withExtendedLifetime(directory) {
            try Checkpoint.open(directory.write("m.gguf", builder.file))
        }
    }

    private func packedBytes(_ tensor: Tensor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try tensor.packed().withPackedBytes { bytes += $0 }
        return bytes
    }

    /// Rows of queries are stored as pairs, of numbers as of blocks.
    @Test(arguments: [false, true]) func pairsBecomeHalves(isBlocks: Bool) throws {
        let rows = (0..<64).map { row in (0..<32).map { (row * 7 + $0) % 100 } }
        // A head of 16: row 2i of the file is row i of the model, row 2i + 1 is row 8 + i.
        let stored = (0..<64).map { (row: Int) -> [Int] in
            let (head, place) = row.quotientAndRemainder(dividingBy: 16)
            return rows[head * 16 + place % 2 * 8 + place / 2]
        }
        var builder = GGUFArchitectureTests.builder("llama")
        let type: UInt32 = isBlocks ? 8 : 0
        builder.add("blk.0.attn_q.weight", [32, 64], type: type, Self.bytes(stored, isBlocks: isBlocks))
        builder.add("blk.0.attn_output.weight", [32, 64], type: type, Self.bytes(rows, isBlocks: isBlocks))
        builder.add("blk.0.attn_k.weight", [32, 24], type: 0, Self.bytes(Array(rows.prefix(24)), isBlocks: false))
        let checkpoint = try open(builder)
        let prefix = "model.layers.0.self_attn."
        let query = try checkpoint.tensor(prefix + "q_proj.weight", shape: [64, 32])
        #expect(try query.floats() == rows.flatMap { $0.map(Float.init) })
        #expect(query.inputOrder == nil)
        #expect(
            try packedBytes(query) == packedBytes(checkpoint.tensor(prefix + "o_proj.weight", shape: [64, 32])))
        do throws(WeightsError) {
            _ = try checkpoint.tensor(prefix + "k_proj.weight", shape: [24, 32])
            Issue.record("24 rows are one head and a half")
        } catch {
            #expect(error.description.contains("tensor blk.0.attn_k.weight in"))
            #expect(error.description.contains("its shape, [24, 32], is not that of the heads"))
        }
    }

    /// Columns are moved where they are numbers or whole blocks. Two keys have two heads of values each.
    @Test(arguments: [(false, 24), (true, 64), (true, 24)]) func columnsAreMovedIfTheyCan(
        isBlocks: Bool, width: Int
    ) throws {
        let rows = (0..<32).map { row in (0..<4 * width).map { (row * 5 + $0 * 3) % 120 } }
        let heads = [0, 2, 1, 3]
        let stored = rows.map { row in heads.flatMap { row[$0 * width..<($0 + 1) * width] } }
        var builder = GGUFArchitectureTests.builder("qwen35moe", ["ssm.inner_size": .uint32(UInt32(4 * width))])
        let type: UInt32 = isBlocks ? 8 : 0
        let dimensions = [UInt64(4 * width), 32]
        builder.add("blk.0.ssm_out.weight", dimensions, type: type, Self.bytes(stored, isBlocks: isBlocks))
        builder.add("blk.0.attn_output.weight", dimensions, type: type, Self.bytes(rows, isBlocks: isBlocks))
        let checkpoint = try open(builder)
        let prefix = "model.layers.0."
        let output = try checkpoint.tensor(prefix + "linear_attn.out_proj.weight", shape: [32, 4 * width])
        #expect(try output.floats() == rows.flatMap { $0.map(Float.init) })
        guard isBlocks, width == 24 else {
            let other = try checkpoint.tensor(prefix + "self_attn.o_proj.weight", shape: [32, 4 * width])
            #expect(output.inputOrder == nil)
            #expect(try packedBytes(output) == packedBytes(other))
            return
        }
        let order = try #require(output.inputOrder)
        #expect((0..<4 * width).map(order.stored) == (0..<4 * width).map { heads[$0 / width] * width + $0 % width })
    }

    /// Queries and keys stay, values are moved; a convolution has a dimension that the file leaves out.
    @Test func onlyValuesAreMoved() throws {
        let channels = 2 * 2 * 16 + 4 * 24
        let rows = (0..<channels).map { row in (0..<4).map { row * 4 + $0 } }
        let heads = [0, 2, 1, 3]
        let stored = rows.prefix(64) + heads.flatMap { rows[64 + $0 * 24..<64 + ($0 + 1) * 24] }
        var builder = GGUFArchitectureTests.builder("qwen35moe")
        builder.add(
            "blk.0.ssm_conv1d.weight", [4, UInt64(channels)], type: 0, Self.bytes(Array(stored), isBlocks: false))
        builder.add("blk.0.ssm_a", [4], type: 0, Self.bytes([[1, 2, 3, 4]], isBlocks: false))
        builder.add("blk.0.ffn_gate_inp_shexp.weight", [8], type: 0, Self.bytes([Array(0..<8)], isBlocks: false))
        let checkpoint = try open(builder)
        let prefix = "model.layers.0."
        let convolution = try checkpoint.tensor(prefix + "linear_attn.conv1d.weight", shape: [channels, 1, 4])
        #expect(try convolution.floats() == rows.flatMap { $0.map(Float.init) })
        #expect(try checkpoint.tensor(prefix + "linear_attn.A", shape: [4]).floats() == [1, 3, 2, 4])
        let gate = try checkpoint.tensor(prefix + "mlp.shared_expert_gate.weight", shape: [1, 8])
        #expect(gate.shape == [1, 8])
        #expect(try packedBytes(gate).count == 16 * 8 * 4)
        #expect(throws: WeightsError.self) { try checkpoint.tensor(prefix + "linear_attn.A", shape: [5]) }
    }
}
