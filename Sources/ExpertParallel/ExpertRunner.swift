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
    private var batches: [ExpertBatch] = []
    private var batchOfExpert: [UInt32: Int] = [:]

    /// Computes with the kernels and in the form of activations of `compute`.
    /// - Throws: `shardNotHosted` for an expert that `table` does not host, `invalidRequest` for one that cannot take
    ///   the input's form; nothing was computed then.
    mutating func run(
        _ pairs: some Sequence<DispatchPair>, layer: LayerIndex, table: ExpertTable, input: ExpertInput,
        output: ResultRowsView, compute: Compute
    ) throws(Refusal) {
        batches.removeAll(keepingCapacity: true)
        batchOfExpert.removeAll(keepingCapacity: true)
        for (row, pair) in pairs.enumerated() {
            if let index = batchOfExpert[pair.expert] {
                batches[index].inputRows.append(Int(pair.tokenRow))
                batches[index].outputRows.append(row)
                batches[index].scales.append(pair.weight)
            } else {
                let expert = ExpertIndex(Int(pair.expert))
                guard let weights = table.weights(layer: layer, expert: expert) else {
                    throw Refusal(.shardNotHosted, "expert \(expert) of layer \(layer) is not hosted here")
                }
                batchOfExpert[pair.expert] = batches.count
                batches.append(
                    ExpertBatch(
                        weights: weights, inputRows: [Int(pair.tokenRow)], outputRows: [row], scales: [pair.weight]))
            }
        }
        switch input {
        case .compact(let rows):
            try checkTakeQuantised(layer, compute)
            compute.gatedExperts(
                batches, input: compute.linearInput(rows, quantised), output: output, scratch: &scratch)
        case .rows(let rows): compute.gatedExperts(batches, input: rows, output: output, scratch: &scratch)
        }
    }

    private func checkTakeQuantised(_ layer: LayerIndex, _ compute: Compute) throws(Refusal) {
        let other = batches.first { batch in
            !compute.takesQuantised(batch.weights.gate) || !compute.takesQuantised(batch.weights.up)
        }
        guard let weights = other?.weights else { return }
        let formats = "\(weights.gate.format) and \(weights.up.format)"
        throw Refusal(
            .invalidRequest, "the rows are 8-bit integers, experts of layer \(layer) in \(formats) take f32")
    }
}
