import Kernels
import Testing

/// What works on a part of each head.
@Suite struct HeadTests {
    /// Heads of whole panels, of partial ones, and of more panels than a step of a thread has.
    static let shapes = [(heads: 3, rows: 32, columns: 20), (5, 24, 7), (2, 130, 64), (1, 5, 3)]

    @Test(arguments: WeightFormat.plain, shapes)
    func linearHeadsEqualsTheReference(format: WeightFormat, shape: (heads: Int, rows: Int, columns: Int)) throws {
        let (heads, rows, columns) = shape
        let weights = (0..<heads).map { TestWeights(rows: rows, columns: columns, format: format, seed: 10 + $0) }
        let matrices = try weights.map { try $0.packed() }
        for tokens in [1, 2, 9] {
            var numbers = TestNumbers(seed: tokens)
            // Each head has three more floats before and one after its part.
            let (inputStride, outputStride) = (columns + 4, rows + 4)
            let input = numbers.floats(tokens * heads * inputStride)
            let before = numbers.floats(tokens * heads * outputStride)
            var expected = before
            for index in 0..<tokens * heads {
                let part = Array(input[index * inputStride + 3..<index * inputStride + 3 + columns])
                let result = Reference.linear(weights: weights[index % heads].decoded, columns: columns, input: part)
                expected.replaceSubrange(index * outputStride + 3..<index * outputStride + 3 + rows, with: result)
            }
            for compute in try everyCompute() {
                let output = Rows.of(before, width: heads * outputStride)
                compute.linearHeads(
                    matrices,
                    input: HeadRows(
                        Rows.of(input, width: heads * inputStride).view, headCount: heads, part: 3..<3 + columns),
                    output: HeadRows(output.view, headCount: heads, part: 3..<3 + rows), QuantisedRows())
                #expect(bits(output.values) == bits(expected), compute.label)
            }
        }
    }

    /// Heads of blocks meet activations that are rounded head by head.
    @Test(arguments: [ActivationFormat.int8, .f32]) func linearHeadsOfBlocksEqualsLinear(
        activations: ActivationFormat
    ) throws {
        let (heads, rows, columns, tokens) = (3, 40, 64, 5)
        let weights = (0..<heads).map { TestWeights(blockRows: rows, columns: columns, format: .q80, seed: $0) }
        let matrices = try weights.map { try $0.packed() }
        var numbers = TestNumbers(seed: 1)
        let input = Rows.of(numbers.floats(tokens * heads * columns), width: heads * columns)
        for compute in try everyCompute(activations: activations) {
            let output = Rows(capacity: tokens, width: heads * rows)
            compute.linearHeads(
                matrices, input: HeadRows(input.view, headCount: heads, part: 0..<columns),
                output: HeadRows(output.view, headCount: heads, part: 0..<rows), QuantisedRows())
            for head in 0..<heads {
                let part = (0..<tokens).flatMap {
                    row(head, of: input.values(row: $0), width: columns)
                }
                let single = Rows(capacity: tokens, width: rows)
                compute.linear(matrices[head], input: Rows.of(part, width: columns).view, output: single.view)
                let found = (0..<tokens).flatMap { row(head, of: output.values(row: $0), width: rows) }
                #expect(bits(found) == bits(single.values), compute.label)
            }
        }
    }

    @Test(arguments: [1, 4, 16, 33], [false, true])
    func rotateEqualsTheReference(half: Int, isInterleaved: Bool) throws {
        let (tokens, heads, stride) = (5, 3, 2 * half + 5)
        var numbers = TestNumbers(seed: half)
        let source = numbers.floats(tokens * heads * stride)
        let before = numbers.floats(tokens * heads * (stride + 1))
        let (cosine, sine) = (numbers.floats(tokens * half), numbers.floats(tokens * half))
        var expected = before
        for index in 0..<tokens * heads {
            let head = Array(source[index * stride + 5..<(index + 1) * stride])
            let (c, s) = (row(index / heads, of: cosine, width: half), row(index / heads, of: sine, width: half))
            let rotated =
                isInterleaved
                ? Reference.rotateInterleaved(head, cosine: c, sine: s) : Reference.rotate(head, cosine: c, sine: s)
            expected.replaceSubrange(index * (stride + 1) + 2..<index * (stride + 1) + 2 + 2 * half, with: rotated)
        }
        for compute in try everyCompute() {
            let target = Rows.of(before, width: heads * (stride + 1))
            compute.rotate(
                HeadRows(Rows.of(source, width: heads * stride).view, headCount: heads, part: 5..<stride),
                into: HeadRows(target.view, headCount: heads, part: 2..<2 + 2 * half),
                cosine: Rows.of(cosine, width: half).view, sine: Rows.of(sine, width: half).view,
                isInterleaved: isInterleaved)
            #expect(bits(target.values) == bits(expected), compute.label)
        }
    }

    @Test func rmsNormOfAPartEqualsTheReference() throws {
        var numbers = TestNumbers(seed: 1)
        let values = numbers.floats(4 * 30)
        let weight = numbers.floats(21)
        var expected = values
        for index in 0..<4 {
            let part = Array(values[index * 30 + 2..<index * 30 + 23])
            expected.replaceSubrange(
                index * 30 + 2..<index * 30 + 23, with: Reference.rmsNorm(part, weight: weight, epsilon: 1e-6))
        }
        for compute in try everyCompute() {
            let rows = Rows.of(values, width: 60)
            compute.rmsNorm(HeadRows(rows.view, headCount: 2, part: 2..<23), weight: weight, epsilon: 1e-6)
            #expect(bits(rows.values) == bits(expected), compute.label)
        }
    }

    @Test(arguments: WeightFormat.plain, [(rows: 16, columns: 5), (37, 64), (3, 1)])
    func transposedWeightsArePackedAsTheirTranspose(format: WeightFormat, shape: (rows: Int, columns: Int)) throws {
        let (rows, columns) = shape
        let stored = TestWeights(rows: columns, columns: rows, format: format, seed: rows)
        let transposed = (0..<rows).flatMap { r in (0..<columns).map { stored.decoded[$0 * rows + r] } }
        let packed = try stored.bytes.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(
                packing: source, rows: rows, columns: columns, format: format,
                strides: MatrixStrides(rows: 1, columns: rows))
        }
        var numbers = TestNumbers(seed: 2)
        let input = numbers.floats(columns)
        let expected = Reference.linear(weights: transposed, columns: columns, input: input)
        let output = Rows(capacity: 1, width: rows)
        try Compute(instructionSet: .generic, threadCount: 1)
            .linear(packed, input: Rows.of(input, width: columns).view, output: output.view)
        #expect(bits(output.values) == bits(expected))
    }
}
