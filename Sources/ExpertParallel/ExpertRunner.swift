import Basics
import Kernels
import Wire

/// Computes the pairs of one layer with locally hosted experts: pair i gives row i of the output, already weighted.
/// The same code runs on a worker and in the single-process mode, which is why both give the same bits.
struct ExpertRunner {
    private let compute: Compute
    private var scratch = ExpertScratch()
    private var batches: [ExpertBatch] = []
    private var batchOfExpert: [UInt32: Int] = [:]

    init(compute: Compute) { self.compute = compute }

    /// - Returns: the first expert that `table` does not host; nil if all rows were computed.
    mutating func run(
        _ pairs: some Sequence<DispatchPair>, layer: LayerIndex, table: ExpertTable, input: RowsView, output: RowsView
    ) -> ExpertIndex? {
        batches.removeAll(keepingCapacity: true)
        batchOfExpert.removeAll(keepingCapacity: true)
        for (row, pair) in pairs.enumerated() {
            if let index = batchOfExpert[pair.expert] {
                batches[index].inputRows.append(Int(pair.tokenRow))
                batches[index].outputRows.append(row)
                batches[index].scales.append(pair.weight)
            } else {
                let expert = ExpertIndex(Int(pair.expert))
                guard let weights = table.weights(layer: layer, expert: expert) else { return expert }
                batchOfExpert[pair.expert] = batches.count
                batches.append(
                    ExpertBatch(
                        weights: weights, inputRows: [Int(pair.tokenRow)], outputRows: [row], scales: [pair.weight]))
            }
        }
        compute.gatedExperts(batches, input: input, output: output, scratch: &scratch)
        return nil
    }
}
