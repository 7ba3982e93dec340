import Basics
import Kernels
import Models
import Wire

/// All experts in this process: the reference that every distributed run must equal bit for bit.
public final class LocalExpertBackend: ExpertBackend {
    /// Nothing is hidden by cutting a step when the same threads compute both halves.
    public let slotCount = 1

    private let table: ExpertTable
    private let compute: Compute
    private var runner = ExpertRunner()
    private var output: Rows
    private var expertsPerToken = 0

    /// Computes the experts of `table`, which must hold all of the model's.
    public init(table: ExpertTable, compute: Compute, hiddenSize: Int) {
        self.table = table
        self.compute = compute
        output = Rows(capacity: 1, width: hiddenSize)
    }

    /// Computes at once: there is nothing to wait for.
    public func begin(slot: Int, layer: LayerIndex, input: RowsView, routing: Routing) throws(ExpertBackendError) {
        expertsPerToken = routing.expertsPerToken
        let pairCount = routing.experts.count
        if output.capacity < pairCount { output = Rows(capacity: pairCount, width: output.width) }
        let pairs = (0..<pairCount).lazy.map { index in
            DispatchPair(
                tokenRow: index / routing.expertsPerToken, expert: ExpertIndex(Int(routing.experts[index])),
                weight: routing.weights[index])
        }
        do {
            try runner.run(
                pairs, layer: layer, table: table, input: .rows(input), output: output.view(0..<pairCount),
                compute: compute)
        } catch {
            preconditionFailure("the single-process mode hosts every expert, and all take f32: \(error.message)")
        }
    }

    /// Returns at once.
    public func wait(slot: Int) throws(ExpertBackendError) {}

    /// Adds the rows in the router's order.
    public func combine(slot: Int, into sum: RowsView) {
        compute.add(expertsPerToken, to: sum) { UnsafePointer(output.view($0..<$0 + 1).base) }
    }

    /// Nothing is ever under way between calls.
    public func abandon() {}
}
