import Basics
import Kernels
import Weights

/// Makes entries of the keys of windows of positions; see `CompressorDescription`. What it keeps of incomplete windows
/// is in the sequence's state.
final class CompressorBlock: Sendable {
    let shape: CompressionShape
    let key: LinearBlock
    let gate: LinearBlock
    private let rotaryWidth: Int
    /// `[windowPositions][shape.width]`.
    private let bias: Rows
    private let norm: [Float]
    private let normEpsilon: Float

    init(
        _ description: CompressorDescription, rotaryWidth: Int, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        shape = description.shape
        self.rotaryWidth = rotaryWidth
        normEpsilon = model.normEpsilon
        key = try LinearBlock(description.key, outputs: shape.width, inputs: model.hiddenSize, checkpoint)
        gate = try LinearBlock(description.gate, outputs: shape.width, inputs: model.hiddenSize, checkpoint)
        norm = try checkpoint.tensor(description.normName, shape: [shape.dims]).floats()
        bias = Rows(capacity: shape.windowPositions, width: shape.width)
        let stored = try checkpoint.tensor(description.biasName, shape: [shape.windowPositions, shape.width]).floats()
        for (index, value) in stored.enumerated() { bias.view.floats[index] = value }
    }

    /// What the compressor keeps of a sequence, in bytes.
    var stateBytes: Int { shape.stateFloats * MemoryLayout<Float>.stride }

    /// Adds the rows' keys and gates to what is kept, and makes the entries that they complete: normed and rotated, one
    /// behind the other in `entries`. The runs' states are this compressor's.
    func compress(
        keys: RowsView, gates: RowsView, runs: [CompressionRun], angles: RotaryAngles, entries: RowsView,
        _ compute: Compute
    ) {
        compute.compress(keys: keys, gates: gates, bias: bias, shape, runs: runs, entries: entries)
        guard entries.count > 0 else { return }
        compute.rmsNorm(entries, weight: norm, epsilon: normEpsilon, output: entries)
        let end = HeadRows(entries, headCount: 1, part: shape.dims - rotaryWidth..<shape.dims)
        compute.rotate(
            end, into: end, cosine: angles.cosine.view, sine: angles.sine.view, isInterleaved: true)
    }
}
