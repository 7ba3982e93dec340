import Basics
import Kernels
import Weights

extension MixtureDescription {
    /// Reads the weights of one expert.
    public func loadExpert(
        _ expert: ExpertIndex, hiddenSize: Int, from checkpoint: Checkpoint
    ) throws(WeightsError) -> ExpertWeights {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        return ExpertWeights(
            gate: try tensors.gate.packed(), up: try tensors.up.packed(), down: try tensors.down.packed(),
            biases: try biases(of: expert, hiddenSize: hiddenSize, in: checkpoint), activation: activation)
    }

    /// Bytes that one expert occupies once it is loaded.
    public func expertBytes(
        _ expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> UInt64 {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        let biasBytes = storage.hasBiases ? ExpertBiases.byteCount(width: expertWidth, hiddenSize: hiddenSize) : 0
        return [tensors.gate, tensors.up, tensors.down].reduce(UInt64(biasBytes)) { total, tensor in
            total
                + UInt64(PackedMatrix.byteCount(rows: tensor.shape[0], columns: tensor.shape[1], format: tensor.format))
        }
    }

    /// Whether the projections that read an expert's input are stored in blocks or groups of integers.
    public func readsInputInBlocks(
        _ expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> Bool {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        return tensors.gate.format.takesIntegers && tensors.up.format.takesIntegers
    }

    private func tensors(
        of expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> (gate: Tensor, up: Tensor, down: Tensor) {
        switch storage {
        case .separate(let prefix, let names):
            let names = GatedFeedForwardDescription(prefix: "\(prefix).\(expert)", width: expertWidth, names: names)
            return (
                try checkpoint.tensor(names.gateName, shape: [expertWidth, hiddenSize]),
                try checkpoint.tensor(names.upName, shape: [expertWidth, hiddenSize]),
                try checkpoint.tensor(names.downName, shape: [hiddenSize, expertWidth])
            )
        case .fused(let prefix):
            let both = try checkpoint.tensor(
                prefix + ".gate_up_proj", shape: [expertCount, 2 * expertWidth, hiddenSize])
            let down = try checkpoint.tensor(prefix + ".down_proj", shape: [expertCount, hiddenSize, expertWidth])
            let pair = both.slice(expert.value)
            return (
                pair.rows(0..<expertWidth), pair.rows(expertWidth..<2 * expertWidth), down.slice(expert.value)
            )
        case .interleaved(let prefix, let isTransposed):
            func slice(_ name: String, _ rows: Int, _ columns: Int) throws(WeightsError) -> Tensor {
                let shape = isTransposed ? [columns, rows] : [rows, columns]
                let matrix = try checkpoint.tensor("\(prefix).\(name)", shape: [expertCount] + shape)
                    .slice(expert.value)
                return isTransposed ? try matrix.transposed() : matrix
            }
            let both = try slice("gate_up_proj", 2 * expertWidth, hiddenSize)
            return (
                try both.rows(from: 0, by: 2), try both.rows(from: 1, by: 2),
                try slice("down_proj", hiddenSize, expertWidth)
            )
        case .stacked(let prefix, _):
            func slice(_ name: String, _ rows: Int, _ columns: Int) throws(WeightsError) -> Tensor {
                try checkpoint.tensor("\(prefix).\(name)", shape: [expertCount, rows, columns]).slice(expert.value)
            }
            return (
                try slice("gate_proj", expertWidth, hiddenSize), try slice("up_proj", expertWidth, hiddenSize),
                try slice("down_proj", hiddenSize, expertWidth)
            )
        }
    }
    private func biases(
        of expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> ExpertBiases? {
        func bias(_ name: String, _ width: Int) throws(WeightsError) -> [Float] {
            try checkpoint.tensor(name, shape: [expertCount, width]).slice(expert.value).floats()
        }
        switch storage {
        case .interleaved(let prefix, _):
            let both = try bias(prefix + ".gate_up_proj_bias", 2 * expertWidth)
            return ExpertBiases(
                gate: (0..<expertWidth).map { both[2 * $0] }, up: (0..<expertWidth).map { both[2 * $0 + 1] },
                down: try bias(prefix + ".down_proj_bias", hiddenSize))
        case .stacked(let prefix, true):
            return ExpertBiases(
                gate: try bias(prefix + ".gate_proj_bias", expertWidth),
                up: try bias(prefix + ".up_proj_bias", expertWidth),
                down: try bias(prefix + ".down_proj_bias", hiddenSize))
        case .fused, .separate, .stacked: return nil
        }
    }
}

extension MixtureDescription.Storage {
    fileprivate var hasBiases: Bool {
        switch self {
        case .interleaved, .stacked(_, true): true
        case .fused, .separate, .stacked: false
        }
    }
}
