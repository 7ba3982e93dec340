import Basics
import Kernels
import Weights

/// Gated delta rules over the sequences' recurrent states; see `GatedDeltaDescription`.
///
/// A sequence's state in this layer is that of the rule, `DeltaShape.stateFloats`, and then the convolution's inputs
/// before the next token, `[taps - 1][mixedWidth]`. A token costs the same wherever it stands.
final class GatedDeltaBlock: AttentionBlock {
    private let shape: GatedDeltaDescription
    private let mixed: LinearBlock
    private let gate: LinearBlock
    private let decay: LinearBlock
    private let beta: LinearBlock
    private let output: LinearBlock
    /// `[taps][mixedWidth]`.
    private let convolution: Rows
    private let rates: [Float]
    private let decayBias: [Float]
    private let norm: [Float]
    private let normEpsilon: Float

    /// Added to the squared length of a key or query: the published models' own, not in their configurations.
    private static let lengthEpsilon: Float = 1e-6

    init(_ shape: GatedDeltaDescription, model: ModelDescription, _ checkpoint: Checkpoint) throws(WeightsError) {
        self.shape = shape
        normEpsilon = model.normEpsilon
        let heads = shape.heads
        func linear(_ names: LinearNames, _ outputs: Int) throws(WeightsError) -> LinearBlock {
            try LinearBlock(names, outputs: outputs, inputs: model.hiddenSize, checkpoint)
        }
        mixed = try linear(shape.mixed, heads.mixedWidth)
        gate = try linear(shape.gate, heads.valueWidth)
        decay = try linear(shape.decay, heads.valueHeadCount)
        beta = try linear(shape.beta, heads.valueHeadCount)
        output = try LinearBlock(shape.output, outputs: model.hiddenSize, inputs: heads.valueWidth, checkpoint)
        convolution = try Self.convolution(shape, checkpoint)
        let stored = try checkpoint.tensor(shape.rateName, shape: [heads.valueHeadCount]).floats()
        rates = stored.map { shape.hasRates ? -$0 : Float(DeterministicMath.exp(Double($0))) }
        decayBias = try checkpoint.tensor(shape.decayBiasName, shape: [heads.valueHeadCount]).floats()
        norm = try checkpoint.tensor(shape.normName, shape: [heads.valueDim]).floats()
    }

    /// The stored weights of each channel, turned into those of each tap.
    private static func convolution(
        _ shape: GatedDeltaDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) -> Rows {
        let (taps, channels) = (shape.convolutionTaps, shape.heads.mixedWidth)
        let stored = try checkpoint.tensor(shape.convolutionName, shape: [channels, 1, taps]).floats()
        let rows = Rows(capacity: taps, width: channels)
        for tap in 0..<taps {
            let row = rows.view[tap]
            for channel in 0..<channels { row[channel] = stored[channel * taps + tap] }
        }
        return rows
    }

    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout {
        let convolutionFloats = (shape.convolutionTaps - 1) * shape.heads.mixedWidth
        return .recurrent(
            byteCount: (shape.heads.stateFloats + convolutionFloats) * MemoryLayout<Float>.stride)
    }

    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        let range = rows.indices
        let compute = state.compute
        let heads = shape.heads
        let input = compute.linearInput(
            state.normed.view(range), for: [mixed.matrix, gate.matrix, decay.matrix, beta.matrix], state.quantised)
        let mixedRows = state.mixed.view(range, width: heads.mixedWidth)
        let gates = state.gate.view(range, width: heads.valueWidth)
        let decays = state.decay.view(range, width: heads.valueHeadCount)
        let betas = state.beta.view(range, width: heads.valueHeadCount)
        compute.linear(
            [
                LinearCall(mixed.matrix, output: mixedRows), LinearCall(gate.matrix, output: gates),
                LinearCall(decay.matrix, output: decays), LinearCall(beta.matrix, output: betas),
            ], input: input)
        let convolved = state.convolved.view(range, width: heads.mixedWidth)
        let runs = SequenceRun.runs(of: rows)
        compute.causalConvolution(
            mixedRows, weights: convolution, runs: recurrentRuns(runs, layer, range, offset: heads.stateFloats),
            output: convolved)
        compute.deltaGates(decay: decays, beta: betas, rates: rates, bias: decayBias)
        compute.normaliseDeltaKeys(convolved, heads, epsilon: Self.lengthEpsilon)
        let attended = state.attended.view(range, width: heads.valueWidth)
        compute.deltaRule(
            convolved, decay: decays, beta: betas, heads, runs: recurrentRuns(runs, layer, range, offset: 0),
            output: attended)
        let outputs = attended.reshaped(width: heads.valueDim)
        compute.rmsNorm(outputs, weight: norm, epsilon: normEpsilon, output: outputs)
        compute.multiply(attended, bySiluOf: gates)
        // What the convolution made is used up by now.
        let ordered = output.ordered(attended, state.convolved.view(range, width: heads.valueWidth))
        compute.linear(
            output.matrix, input: compute.linearInput(ordered, for: [output.matrix], state.quantised),
            output: state.projected.view(range))
    }

    /// The runs counted from the first row of `range`, with what lies `offset` floats into the layer's states.
    private func recurrentRuns(
        _ runs: [SequenceRun], _ layer: Int, _ range: Range<Int>, offset: Int
    ) -> [RecurrentRun] {
        runs.map { run in
            let state = run.cache.state(layer: layer).assumingMemoryBound(to: Float.self)
            return RecurrentRun(
                rows: run.rows.lowerBound - range.lowerBound..<run.rows.upperBound - range.lowerBound,
                state: state + offset)
        }
    }
}
