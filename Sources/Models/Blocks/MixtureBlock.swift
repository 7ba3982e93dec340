import Basics
import Kernels
import Weights

/// A router in front of experts that an `ExpertBackend` computes, and the shared expert, if there is one, which is
/// computed here while the others are under way.
///
/// The order of additions is one and the same for any number of workers, none included, and any batch: the shared
/// expert's row is added to the residual stream first (`begin`), then the routed rows one by one in the router's order
/// (`ExpertBackend.combine`).
final class MixtureBlock: Sendable {
    private let shape: MixtureDescription
    private let router: PackedMatrix
    private let choiceBias: [Float]?
    private let sharedExpert: DenseFeedForwardBlock?
    private let sharedExpertGate: PackedMatrix?

    init(_ shape: MixtureDescription, model: ModelDescription, _ checkpoint: Checkpoint) throws(WeightsError) {
        self.shape = shape
        router = try checkpoint.tensor(shape.router.weightName, shape: [shape.expertCount, model.hiddenSize]).packed()
        choiceBias = try shape.router.choiceBiasName.map { name throws(WeightsError) in
            try checkpoint.tensor(name, shape: [shape.expertCount]).floats()
        }
        sharedExpert = try shape.sharedExpert.map { shared throws(WeightsError) in
            try DenseFeedForwardBlock(shared, model: model, checkpoint)
        }
        sharedExpertGate = try shape.sharedExpertGateName.map { name throws(WeightsError) in
            try checkpoint.tensor(name, shape: [1, model.hiddenSize]).packed()
        }
    }

    /// Routes the `normed` rows of `range`, hands them to the experts, and adds the shared expert's to `hidden`.
    func begin(
        layer: LayerIndex, slot: Int, rows range: Range<Int>, _ state: ForwardState, _ experts: any ExpertBackend
    ) throws(ExpertBackendError) {
        let input = state.normed.view(range)
        var routing = state.routing.removeValue(forKey: slot) ?? Routing(expertsPerToken: shape.expertsPerToken)
        if routing.expertsPerToken != shape.expertsPerToken {
            routing = Routing(expertsPerToken: shape.expertsPerToken)
        }
        state.phases.routeSeconds += timed { route(range, state, &routing) }
        let start = ContinuousClock.now
        try experts.begin(slot: slot, layer: layer, input: input, routing: routing)
        state.phases.dispatchSeconds += (ContinuousClock.now - start).seconds
        state.routing[slot] = routing
        guard let sharedExpert else { return }
        state.phases.denseSeconds += timed {
            sharedExpert.forward(rows: range, state, scales: sharedExpertScales(range, state))
            state.compute.add(state.projected.view(range), to: state.hidden.view(range))
        }
    }

    /// What each row of the shared expert is multiplied with; nil: by nothing.
    private func sharedExpertScales(_ range: Range<Int>, _ state: ForwardState) -> [Float]? {
        guard let sharedExpertGate else { return nil }
        // The router's logits are used up by now.
        let scales = state.routerLogits.view(range, width: 1)
        state.compute.linear(sharedExpertGate, input: state.normed.view(range), output: scales)
        state.compute.sigmoid(scales)
        return Array(scales.floats)
    }

    private func route(_ range: Range<Int>, _ state: ForwardState, _ routing: inout Routing) {
        let logits = state.routerLogits.view(range, width: shape.expertCount)
        state.compute.linear(router, input: state.normed.view(range), output: logits)
        state.compute.route(
            shape.router.rule, logits: logits, bias: choiceBias, experts: &routing.experts, weights: &routing.weights)
        state.record.note(routing, rows: range)
    }
}

extension MixtureDescription {
    /// Reads the weights of one expert.
    public func loadExpert(
        _ expert: ExpertIndex, hiddenSize: Int, from checkpoint: Checkpoint
    ) throws(WeightsError) -> ExpertWeights {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        return ExpertWeights(
            gate: try tensors.gate.packed(), up: try tensors.up.packed(), down: try tensors.down.packed())
    }

    /// Bytes that one expert occupies once it is loaded.
    public func expertBytes(
        _ expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> UInt64 {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        return [tensors.gate, tensors.up, tensors.down].reduce(0) { total, tensor in
            total
                + UInt64(PackedMatrix.byteCount(rows: tensor.shape[0], columns: tensor.shape[1], format: tensor.format))
        }
    }

    /// Whether the projections that read an expert's input are stored in blocks.
    public func readsInputInBlocks(
        _ expert: ExpertIndex, hiddenSize: Int, in checkpoint: Checkpoint
    ) throws(WeightsError) -> Bool {
        let tensors = try tensors(of: expert, hiddenSize: hiddenSize, in: checkpoint)
        return !tensors.gate.format.isPlain && !tensors.up.format.isPlain
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
        case .stacked(let prefix):
            func slice(_ name: String, _ rows: Int, _ columns: Int) throws(WeightsError) -> Tensor {
                try checkpoint.tensor("\(prefix).\(name)", shape: [expertCount, rows, columns]).slice(expert.value)
            }
            return (
                try slice("gate_proj", expertWidth, hiddenSize), try slice("up_proj", expertWidth, hiddenSize),
                try slice("down_proj", hiddenSize, expertWidth)
            )
        }
    }
}
