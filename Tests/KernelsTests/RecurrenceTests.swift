import Foundation
import Kernels
import Testing

/// Convolution and gated delta rule against the scalar reference, bit for bit, however the rows are cut.
@Suite struct RecurrenceTests {
    static let shapes = [
        DeltaShape(keyHeadCount: 1, valueHeadCount: 1, keyDim: 1, valueDim: 1),
        DeltaShape(keyHeadCount: 2, valueHeadCount: 6, keyDim: 16, valueDim: 20),
        DeltaShape(keyHeadCount: 2, valueHeadCount: 2, keyDim: 13, valueDim: 48),
        DeltaShape(keyHeadCount: 1, valueHeadCount: 2, keyDim: 128, valueDim: 128),
    ]

    /// Rows of one sequence, and what the reference makes of them.
    private struct DeltaCase {
        let shape: DeltaShape
        let rowCount: Int
        let mixed, decay, beta: [Float]

        init(_ shape: DeltaShape, rowCount: Int) {
            var numbers = TestNumbers(seed: shape.valueDim)
            self.shape = shape
            self.rowCount = rowCount
            mixed = numbers.floats(rowCount * shape.mixedWidth)
            decay = numbers.floats(rowCount * shape.valueHeadCount).map(abs)
            beta = numbers.floats(rowCount * shape.valueHeadCount).map(abs)
        }

        /// The reference's output, `[rows][head][value]`, and its last states, `[head][key][value]`.
        func expected() -> (output: [Float], states: [Float]) {
            var output = [Float](repeating: 0, count: rowCount * shape.valueWidth)
            var states: [Float] = []
            for head in 0..<shape.valueHeadCount {
                var state = [[Float]](repeating: Array(repeating: 0, count: shape.valueDim), count: shape.keyDim)
                for row in 0..<rowCount {
                    let target = row * shape.valueWidth + head * shape.valueDim
                    output.replaceSubrange(target..<target + shape.valueDim, with: step(row, head, &state))
                }
                states += state.flatMap { $0 }
            }
            return (output, states)
        }

        private func step(_ row: Int, _ head: Int, _ state: inout [[Float]]) -> [Float] {
            let keyHead = head * shape.keyHeadCount / shape.valueHeadCount
            func part(_ offset: Int, _ width: Int) -> [Float] {
                let start = row * shape.mixedWidth + offset
                return Array(mixed[start..<start + width])
            }
            return Reference.deltaRule(
                query: part(keyHead * shape.keyDim, shape.keyDim),
                key: part(shape.keyWidth + keyHead * shape.keyDim, shape.keyDim),
                value: part(2 * shape.keyWidth + head * shape.valueDim, shape.valueDim),
                decay: decay[row * shape.valueHeadCount + head], beta: beta[row * shape.valueHeadCount + head],
                state: &state)
        }

        /// The state in the reference's order, [head][key][value].
        func states(_ stored: [Float]) -> [Float] {
            (0..<shape.valueHeadCount).flatMap { head in
                (0..<shape.keyDim).flatMap { key in
                    (0..<shape.valueDim).map { dim in
                        stored[head * shape.headStateFloats + (dim / 16 * shape.keyDim + key) * 16 + dim % 16]
                    }
                }
            }
        }
    }

    @Test(arguments: shapes) func theDeltaRuleEqualsTheReferenceHoweverItIsCut(shape: DeltaShape) throws {
        let rows = DeltaCase(shape, rowCount: 21)
        let expected = rows.expected()
        for compute in try everyCompute(threadCounts: [1, 3, 16]) {
            for chunk in [1, 4, 21] {
                let state = Rows(capacity: 1, width: shape.stateFloats)
                let output = Rows(capacity: 21, width: shape.valueWidth)
                for start in stride(from: 0, to: 21, by: chunk) {
                    let run = RecurrentRun(rows: start..<min(start + chunk, 21), state: state.view.base)
                    compute.deltaRule(
                        Rows.of(rows.mixed, width: shape.mixedWidth).view,
                        decay: Rows.of(rows.decay, width: shape.valueHeadCount).view,
                        beta: Rows.of(rows.beta, width: shape.valueHeadCount).view, shape, runs: [run],
                        output: output.view)
                }
                #expect(bits(output.values) == bits(expected.output), compute.label)
                #expect(bits(rows.states(state.values)) == bits(expected.states), compute.label)
            }
        }
    }

    /// Two sequences in one call, the second of which has a row before.
    @Test func sequencesDoNotMeet() throws {
        let shape = Self.shapes[1]
        let one = DeltaCase(shape, rowCount: 9)
        let expected = one.expected().output
        let input = Rows.of(one.mixed + one.mixed, width: shape.mixedWidth)
        let decay = Rows.of(one.decay + one.decay, width: shape.valueHeadCount)
        let beta = Rows.of(one.beta + one.beta, width: shape.valueHeadCount)
        for compute in try everyCompute() {
            let states = Rows(capacity: 2, width: shape.stateFloats)
            let output = Rows(capacity: 18, width: shape.valueWidth)
            let second = states.view.base + shape.stateFloats
            for runs in [
                [RecurrentRun(rows: 9..<10, state: second)],
                [RecurrentRun(rows: 0..<9, state: states.view.base), RecurrentRun(rows: 10..<18, state: second)],
            ] {
                compute.deltaRule(
                    input.view, decay: decay.view, beta: beta.view, shape, runs: runs, output: output.view)
            }
            #expect(bits(output.values) == bits(expected + expected), compute.label)
            #expect(bits(states.values(row: 0)) == bits(states.values(row: 1)), compute.label)
        }
    }

    @Test(arguments: [(1, 4), (40, 4), (530, 3), (16, 1)])
    func convolutionEqualsTheReferenceHoweverItIsCut(channels: Int, taps: Int) throws {
        var numbers = TestNumbers(seed: channels)
        let input = numbers.floats(11 * channels, scale: 3)
        let weights = numbers.floats(taps * channels)
        var expected = [Float](repeating: 0, count: input.count)
        for channel in 0..<channels {
            let column = (0..<11).map { input[$0 * channels + channel] }
            let result = Reference.causalConvolution(
                column, weights: (0..<taps).map { weights[$0 * channels + channel] },
                before: Array(repeating: 0, count: taps - 1))
            for row in 0..<11 { expected[row * channels + channel] = result[row] }
        }
        for compute in try everyCompute() {
            for chunk in [1, 2, 5, 11] {
                let state = Rows(capacity: taps, width: channels)
                let output = Rows(capacity: 11, width: channels)
                for start in stride(from: 0, to: 11, by: chunk) {
                    let run = RecurrentRun(rows: start..<min(start + chunk, 11), state: state.view.base)
                    compute.causalConvolution(
                        Rows.of(input, width: channels).view, weights: Rows.of(weights, width: channels), runs: [run],
                        output: output.view)
                }
                #expect(bits(output.values) == bits(expected), "\(chunk) rows at a time")
                #expect(bits(state.values.prefix((taps - 1) * channels)) == bits(input.suffix((taps - 1) * channels)))
            }
        }
    }

    @Test func gatesEqualTheReference() throws {
        let unusual: [Float] = [0, -0.0, 100, -100, 3e38, -3e38, 0x1p-140, .infinity, -.infinity, .nan, 20, -20]
        var numbers = TestNumbers(seed: 5)
        let a = numbers.floats(52, scale: 10) + unusual, b = unusual + numbers.floats(52, scale: 10)
        let rates = numbers.floats(64, scale: 8).map(abs), bias = numbers.floats(64)
        let decays = a.indices.map { Reference.deltaDecay(a[$0], rate: rates[$0], bias: bias[$0]) }
        let betas = b.map { Reference.gated(1, gate: $0) }
        for compute in try everyCompute(threadCounts: [1]) {
            let decay = Rows.of(a, width: 64), beta = Rows.of(b, width: 64)
            compute.deltaGates(decay: decay.view, beta: beta.view, rates: rates, bias: bias)
            #expect(bits(decay.values) == bits(decays), compute.label)
            #expect(bits(beta.values) == bits(betas), compute.label)
        }
    }

    @Test func softplusIsTheLogarithm() {
        for step in -3000...3000 {
            let x = Float(step) / 100
            let exact = log1p(Foundation.exp(Double(x)))
            #expect(abs(Double(Reference.softplus(x)) - exact) <= 4e-7 * exact, "\(x)")
        }
    }

    @Test func keysAreDividedByTheirLengths() throws {
        let shape = Self.shapes[1]
        var numbers = TestNumbers(seed: 3)
        let mixed = numbers.floats(3 * shape.mixedWidth)
        let expected = (0..<3).flatMap { index -> [Float] in
            let values = row(index, of: mixed, width: shape.mixedWidth)
            let normed = (0..<4).flatMap { head in
                Reference.l2Norm(
                    row(head, of: values, width: 16), scale: head < 2 ? 1 / Float(16).squareRoot() : 1, epsilon: 1e-6)
            }
            return normed + values.dropFirst(64)
        }
        for compute in try everyCompute() {
            let rows = Rows.of(mixed, width: shape.mixedWidth)
            compute.normaliseDeltaKeys(rows.view, shape, epsilon: 1e-6)
            #expect(bits(rows.values) == bits(expected), compute.label)
        }
    }

    @Test(arguments: RowTests.widths) func gatesOfValuesEqualTheReference(width: Int) throws {
        var numbers = TestNumbers(seed: width)
        let values = numbers.floats(3 * width), wide = numbers.floats(6 * width, scale: 9)
        let weight = numbers.floats(width)
        let gates = (0..<3).flatMap { row($0 * 2 + 1, of: wide, width: width) }
        for compute in try everyCompute() {
            let both = Rows.of(wide, width: 2 * width)
            let gated = Rows.of(values, width: width), silu = Rows.of(values, width: width)
            compute.multiply(gated.view, bySigmoidOf: HeadRows(both.view, headCount: 1, part: width..<2 * width))
            #expect(bits(gated.values) == bits(zip(values, gates).map { Reference.gated($0, gate: $1) }))
            compute.multiply(silu.view, bySiluOf: Rows.of(gates, width: width).view)
            #expect(bits(silu.values) == bits(zip(values, gates).map { Reference.gated($1, gate: $1) * $0 }))
            let normed = Rows(capacity: 3, width: width)
            compute.rmsNorm(
                HeadRows(both.view, headCount: 1, part: 0..<width), weight: weight, epsilon: 1e-6,
                output: normed.view)
            let expected = (0..<3).flatMap {
                Reference.rmsNorm(row($0 * 2, of: wide, width: width), weight: weight, epsilon: 1e-6)
            }
            #expect(bits(normed.values) == bits(expected), compute.label)
        }
    }
}
