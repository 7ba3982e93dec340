import Basics
import Foundation
import Kernels
import TestSupport
import Testing
import Weights

/// Matrices that are views of stored tensors: transposed, and every other row.
@Suite struct TensorViewTests {
    /// What a matrix of numbers answers for one row of input, which tells its rows and columns apart.
    private func product(_ matrix: PackedMatrix) throws -> [Float] {
        let compute = try Compute(instructionSet: .generic, threadCount: 1)
        let input = Rows(capacity: 1, width: matrix.columns)
        for column in 0..<matrix.columns { input.view(0..<1)[0][column] = Float(column + 1) }
        let output = Rows(capacity: 1, width: matrix.rows)
        compute.linear(matrix, input: input.view(0..<1), output: output.view(0..<1))
        return Array(output.view(0..<1)[0])
    }

    private func product(_ rows: [[Float]]) -> [Float] {
        rows.map { row in row.enumerated().reduce(0) { $0 + $1.element * Float($1.offset + 1) } }
    }

    @Test func viewsArePackedAsTheyAreSeen() throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint("gpt_oss_f32"))
        let width = try #require(checkpoint.configuration["intermediate_size"]?.integer)
        let hidden = try #require(checkpoint.configuration["hidden_size"]?.integer)
        let experts = try #require(checkpoint.configuration["num_local_experts"]?.integer)
        let both = try checkpoint.tensor(
            "model.layers.1.mlp.experts.gate_up_proj", shape: [experts, hidden, 2 * width]
        ).slice(3)
        let stored = try both.floats()
        let transposed = try both.transposed()
        #expect(transposed.shape == [2 * width, hidden])
        let rows = (0..<2 * width).map { row in (0..<hidden).map { stored[$0 * 2 * width + row] } }
        try expectClose(try product(try transposed.packed()), product(rows))
        for first in [0, 1] {
            let view = try transposed.rows(from: first, by: 2)
            #expect(view.shape == [width, hidden])
            try expectClose(
                try product(try view.packed()), product(stride(from: first, to: 2 * width, by: 2).map { rows[$0] }))
        }
        let plain = (0..<hidden / 2).map { row in Array(stored[(2 * row + 1) * 2 * width..<(2 * row + 2) * 2 * width]) }
        try expectClose(try product(try both.rows(from: 1, by: 2).packed()), product(plain))
        #expect(try product(try transposed.transposed().packed()) == product(try both.packed()))
    }

    /// 4-bit floats, whose rows are published as gate and up by turns.
    @Test func rowsOfPairsAreTakenByTurns() throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint("gpt_oss_mxfp4"))
        let width = try #require(checkpoint.configuration["intermediate_size"]?.integer)
        let hidden = try #require(checkpoint.configuration["hidden_size"]?.integer)
        let experts = try #require(checkpoint.configuration["num_local_experts"]?.integer)
        let both = try checkpoint.tensor(
            "model.layers.1.mlp.experts.gate_up_proj", shape: [experts, 2 * width, hidden]
        ).slice(2)
        let stored = try both.floats()
        for first in [0, 1] {
            let view = try both.rows(from: first, by: 2)
            #expect(view.shape == [width, hidden] && view.format == .stored(.mxfp4))
            let expected = stride(from: first, to: 2 * width, by: 2).flatMap { stored[$0 * hidden..<($0 + 1) * hidden] }
            #expect(try view.floats() == expected)
            let packed = try view.packed()
            #expect(packed.rows == width && packed.columns == hidden)
        }
        #expect(throws: WeightsError.self) { try both.transposed() }
        #expect(stored.contains { $0 != 0 })
    }

    private func expectClose(_ found: [Float], _ expected: [Float]) throws {
        try #require(found.count == expected.count)
        for (x, y) in zip(found, expected) { #expect(abs(x - y) < 1e-4) }
    }
}
