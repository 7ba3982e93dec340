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
    private let routerBias: [Float]?
    private let choiceBias: [Float]?
    /// `[vocabularySize][expertsPerToken]`.
    private let table: [Int32]?
    private let sharedExpert: DenseFeedForwardBlock?
    private let sharedExpertGate: PackedMatrix?

    init(_ shape: MixtureDescription, model: ModelDescription, _ checkpoint: Checkpoint) throws(WeightsError) {
        self.shape = shape
        router = try checkpoint.tensor(shape.router.weightName, shape: [shape.expertCount, model.hiddenSize]).packed()
        func bias(_ name: String?) throws(WeightsError) -> [Float]? {
            guard let name else { return nil }
            return try checkpoint.tensor(name, shape: [shape.expertCount]).floats()
        }
        routerBias = try bias(shape.router.biasName)
        choiceBias = try bias(shape.router.choiceBiasName)
        table = try shape.router.tableName.map { name throws(WeightsError) in
            try checkpoint.numbers(
                name, shape: [model.vocabularySize, shape.expertsPerToken], below: shape.expertCount)
        }
        sharedExpert = try shape.sharedExpert.map { shared throws(WeightsError) in
            try DenseFeedForwardBlock(shared, model: model, checkpoint)
        }
        sharedExpertGate = try shape.sharedExpertGateName.map { name throws(WeightsError) in
            try checkpoint.tensor(name, shape: [1, model.hiddenSize]).packed()
        }
    }

    /// Routes the `normed` rows of `range`, hands them to the experts, and adds the shared expert's to `state.sum`.
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
            state.compute.add(state.projected.view(range), to: state.sum(range))
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
        state.compute.linear(router, input: state.normed.view(range), output: logits, bias: routerBias)
        if let table {
            routing.experts = state.tokens[range].flatMap { token in
                table[Int(token) * shape.expertsPerToken..<(Int(token) + 1) * shape.expertsPerToken]
            }
            state.compute.weigh(
                shape.router.rule, logits: logits, experts: routing.experts, weights: &routing.weights)
        } else {
            state.compute.route(
                shape.router.rule, logits: logits, bias: choiceBias, experts: &routing.experts,
                weights: &routing.weights)
        }
        state.record.note(routing, rows: range)
    }
}
