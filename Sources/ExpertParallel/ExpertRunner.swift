import Basics
import Kernels
import Wire

/// The rows of a layer as an `ExpertRunner` gets them.
enum ExpertInput {
    /// 8-bit integers, for experts whose gate and up projections take them.
    case compact(CompactRowsView)
    /// f32, for all experts.
    case rows(RowsView)
}

/// Computes the pairs of one layer with locally hosted experts: pair i gives row i of the output, already weighted.
/// The same code runs on a worker and in the single-process mode, which is why both give the same bits.
struct ExpertRunner {
    private let quantised = QuantisedRows()
    private var scratch = ExpertScratch()
    private var assignments = ExpertAssignments()
    private var numbers: [UInt32: Int] = [:]

    /// Computes with the kernels and in the form of activations of `compute`.
    /// - Throws: `shardNotHosted` for an expert that `table` does not host, `invalidRequest` for one that cannot take
    ///   the input's form; nothing was computed then.
    mutating func run(
        _ pairs: some Sequence<DispatchPair>, layer: LayerIndex, table: ExpertTable, input: ExpertInput,
        output: ResultRowsView, compute: Compute
    ) throws(Refusal) {
        assignments.removeAll()
        numbers.removeAll(keepingCapacity: true)
        for (row, pair) in pairs.enumerated() {
            let expert = try number(of: pair.expert, layer, table)
            assignments.assign(Int(pair.tokenRow), to: expert, outputRow: row, scale: pair.weight)
        }
        switch input {
        case .compact(let rows):
            try checkTakeQuantised(layer, compute)
            compute.gatedExperts(
                assignments, input: compute.linearInput(rows, quantised), output: output, scratch: &scratch)
        case .rows(let rows): compute.gatedExperts(assignments, input: rows, output: output, scratch: &scratch)
        }
    }

    /// The number of an expert among those of the step, a new one if no pair before has named it.
    private mutating func number(
        of expert: UInt32, _ layer: LayerIndex, _ table: ExpertTable
    ) throws(Refusal) -> Int {
        if let number = numbers[expert] { return number }
        let index = ExpertIndex(Int(expert))
        guard let weights = table.weights(layer: layer, expert: index) else {
            throw Refusal(.shardNotHosted, "expert \(index) of layer \(layer) is not hosted here")
        }
        let number = assignments.add(weights)
        numbers[expert] = number
        return number
    }

    private func checkTakeQuantised(_ layer: LayerIndex, _ compute: Compute) throws(Refusal) {
        let other = assignments.experts.first { !compute.takesQuantised($0.gate) || !compute.takesQuantised($0.up) }
        guard let weights = other else { return }
        let formats = "\(weights.gate.format) and \(weights.up.format)"
        throw Refusal(
            .invalidRequest, "the rows are 8-bit integers, experts of layer \(layer) in \(formats) take f32")
    }
}
