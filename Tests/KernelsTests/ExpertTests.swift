import Kernels
import Testing

@Suite struct ExpertTests {
    private struct Expert {
        let gate, up, down: TestWeights
        let biases: Reference.Biases?
        let format: WeightFormat
        let activation: GatedActivation
        private let packedBiases: ExpertBiases?

        init(
            hidden: Int, intermediate: Int, format: WeightFormat, seed: Int, hasBiases: Bool = false,
            activation: GatedActivation = .silu
        ) {
            func weights(_ rows: Int, _ columns: Int, _ seed: Int) -> TestWeights {
                format.isPlain
                    ? TestWeights(rows: rows, columns: columns, format: format, seed: seed)
                    : TestWeights(blockRows: rows, columns: columns, format: format, seed: seed)
            }
            gate = weights(intermediate, hidden, seed)
            up = weights(intermediate, hidden, seed + 1)
            down = weights(hidden, intermediate, seed + 2)
            var numbers = TestNumbers(seed: seed + 100)
            let (gateBias, upBias) = (numbers.floats(intermediate, scale: 3), numbers.floats(intermediate, scale: 3))
            let downBias = numbers.floats(hidden)
            biases = hasBiases ? Reference.Biases(gate: gateBias, up: upBias, down: downBias) : nil
            packedBiases = hasBiases ? ExpertBiases(gate: gateBias, up: upBias, down: downBias) : nil
            self.activation = activation
            self.format = format
        }

        func packed() throws -> ExpertWeights {
            ExpertWeights(
                gate: try gate.packed(), up: try up.packed(), down: try down.packed(), biases: packedBiases,
                activation: activation)
        }

        func reference(_ input: [Float], scale: Float) -> [Float] {
            if format.isPlain {
                Reference.gatedExpert(
                    gate: gate.decoded, up: up.decoded, down: down.decoded, biases: biases, activation: activation,
                    input: input, scale: scale)
            } else {
                Reference.gatedExpert(
                    gate: gate.bytes, up: up.bytes, down: down.bytes, format: format, biases: biases,
                    activation: activation, input: input, scale: scale)
            }
        }
    }

    @Test(arguments: WeightFormat.plain)
    func equalsTheReference(format: WeightFormat) throws {
        let (hidden, intermediate, tokens) = (72, 200, 12)
        let experts = (0..<5).map { Expert(hidden: hidden, intermediate: intermediate, format: format, seed: $0 * 3) }
        var numbers = TestNumbers(seed: 1)
        let input = Rows.of(numbers.floats(tokens * hidden, scale: 4), width: hidden)
        var batches: [ExpertBatch] = []
        var expected: [[Float]] = []
        // The third expert gets no token, the first every one, the others some, in any order.
        for (index, counts) in [12, 1, 0, 7, 2].enumerated() {
            let rows = (0..<counts).map { ($0 * 5 + index) % tokens }
            let scales = numbers.floats(counts)
            batches.append(
                ExpertBatch(
                    weights: try experts[index].packed(), inputRows: rows,
                    outputRows: rows.indices.map { expected.count + counts - 1 - $0 }, scales: scales))
            expected += zip(rows, scales).reversed().map { row, scale in
                experts[index].reference(input.values(row: row), scale: scale)
            }
        }
        for compute in try everyCompute() {
            let output = Rows(capacity: expected.count, width: hidden)
            var scratch = ExpertScratch()
            for _ in 0..<2 {
                compute.gatedExperts(
                    ExpertAssignments(batches), input: input.view, output: output.view, scratch: &scratch)
                #expect(bits(output.values) == bits(expected.flatMap { $0 }), compute.label)
            }
        }
    }

    /// Both ways in which a family may differ from SiLU without biases, also where rows fill no panel.
    @Test(
        arguments: [WeightFormat.bf16, .f32, .mxfp4],
        [GatedActivation.silu, GatedActivation(limit: 2), GatedActivation(limit: 1.5, slope: 1.702, offset: 1)])
    func biasesAndActivationsEqualTheReference(format: WeightFormat, activation: GatedActivation) throws {
        let (hidden, intermediate) = (96, 64)
        let expert = Expert(
            hidden: hidden, intermediate: intermediate, format: format, seed: 7, hasBiases: true,
            activation: activation)
        var numbers = TestNumbers(seed: 2)
        let input = Rows.of(numbers.floats(9 * hidden), width: hidden)
        let scales = numbers.floats(9)
        let batch = ExpertBatch(
            weights: try expert.packed(), inputRows: Array(0..<9), outputRows: Array(0..<9), scales: scales)
        let expected = (0..<9).flatMap { expert.reference(input.values(row: $0), scale: scales[$0]) }
        for compute in try everyCompute() {
            let output = Rows(capacity: 9, width: hidden)
            var scratch = ExpertScratch()
            compute.gatedExperts(ExpertAssignments([batch]), input: input.view, output: output.view, scratch: &scratch)
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }

    /// Zeros of both signs, infinities, NaN and numbers at the limit go through the activation as in the reference.
    @Test func unusualNumbersAreActivated() throws {
        let numbers: [Float] = [0, -0.0, 7, 7.5, -7, -7.5, 100, -100, 3e38, .infinity, -.infinity, .nan, 0x1p-133, 0.5]
        let input = Rows.of([0], width: 1)
        let weight = TestWeights(bytes: [0, 0, 0x80, 0x3f], format: .f32, columns: 1)
        let pairs = numbers.flatMap { gate in numbers.map { (gate: gate, up: $0) } }
        for activation in [GatedActivation.silu, GatedActivation(limit: 7, slope: 1.702, offset: 1)] {
            // Each pair is an expert of one hidden number, which comes from its biases alone.
            let batches = try pairs.enumerated().map { index, pair in
                let weights = ExpertWeights(
                    gate: try weight.packed(), up: try weight.packed(), down: try weight.packed(),
                    biases: ExpertBiases(gate: [pair.gate], up: [pair.up], down: [0]), activation: activation)
                return ExpertBatch(weights: weights, inputRows: [0], outputRows: [index], scales: [1])
            }
            let expected = pairs.flatMap { pair -> [Float] in
                let biases = Reference.Biases(gate: [pair.gate], up: [pair.up], down: [0])
                return Reference.gatedExpert(
                    gate: [1], up: [1], down: [1], biases: biases, activation: activation, input: [0], scale: 1)
            }
            for compute in try everyCompute(threadCounts: [1]) {
                let output = Rows(capacity: pairs.count, width: 1)
                var scratch = ExpertScratch()
                compute.gatedExperts(
                    ExpertAssignments(batches), input: input.view, output: output.view, scratch: &scratch)
                #expect(bits(output.values) == bits(expected), compute.label)
            }
        }
    }

    @Test func takesNoExperts() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let rows = Rows(capacity: 1, width: 16)
        var scratch = ExpertScratch()
        compute.gatedExperts(ExpertAssignments(), input: rows.view, output: rows.view, scratch: &scratch)
        #expect(rows.values == [Float](repeating: 0, count: 16))
    }
}
