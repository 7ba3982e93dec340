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
    private let results: ResultFormat
    private var runner = ExpertRunner()
    private let memory = ResultRows()
    private var output: ResultRowsView
    private var expertsPerToken = 0

    /// Computes the experts of `table`, which must hold all of the model's; `results` is the form in which their rows
    /// are added up.
    public init(table: ExpertTable, compute: Compute, hiddenSize: Int, results: ResultFormat) {
        self.table = table
        self.compute = compute
        self.results = results
        output = memory.reserve(0, width: hiddenSize, format: results)
    }

    /// Computes at once: there is nothing to wait for.
    public func begin(slot: Int, layer: LayerIndex, input: RowsView, routing: Routing) throws(ExpertBackendError) {
        expertsPerToken = routing.expertsPerToken
        let pairCount = routing.experts.count
        output = memory.reserve(pairCount, width: output.width, format: results)
        let pairs = (0..<pairCount).lazy.map { index in
            DispatchPair(
                tokenRow: index / routing.expertsPerToken, expert: ExpertIndex(Int(routing.experts[index])),
                weight: routing.weights[index])
        }
        do {
            try runner.run(
                pairs, layer: layer, table: table, input: .rows(input), output: output, compute: compute)
        } catch {
            preconditionFailure("the single-process mode hosts every expert, and all take f32: \(error.message)")
        }
    }

    /// Returns at once.
    public func wait(slot: Int) throws(ExpertBackendError) {}

    /// Adds the rows in the router's order.
    public func combine(slot: Int, into sum: RowsView) {
        compute.add(expertsPerToken, of: results, to: sum) { UnsafeRawPointer(output[$0]) }
    }

    /// Nothing is ever under way between calls.
    public func abandon() {}
}
