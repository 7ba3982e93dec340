import Kernels

/// Which experts chosen rows of a step pick, layer by layer. Without chosen rows, which is how most steps are, it costs
/// one comparison per layer.
struct RoutingRecord {
    /// The chosen rows, ascending, with their experts so far.
    private var entries: [(row: Int, experts: [UInt16])] = []

    /// Starts anew for another step.
    mutating func begin(rows: [Int]) { entries = rows.map { ($0, []) } }

    /// Takes down what the chosen rows among `range` picked in a layer. Layers come in order, also where a step is cut
    /// into micro-batches: each row belongs to one of them.
    mutating func note(_ routing: Routing, rows range: Range<Int>) {
        for index in entries.indices where range.contains(entries[index].row) {
            let start = (entries[index].row - range.lowerBound) * routing.expertsPerToken
            for expert in routing.experts[start..<start + routing.expertsPerToken] {
                // A layer has at most 65,536 experts (`Limits.Models.expertsMax`).
                entries[index].experts.append(UInt16(truncatingIfNeeded: expert))
            }
        }
    }

    /// The experts of a row, first layer first; nil if it was not chosen.
    func experts(ofRow row: Int) -> [UInt16]? { entries.first { $0.row == row }?.experts }
}

extension ForwardState {
    /// The experts that a row of the last step visited, first layer first, in the router's order; nil if the step was
    /// not asked to record it.
    public func recordedExperts(ofRow row: Int) -> [UInt16]? { record.experts(ofRow: row) }
}
