import Basics
import Kernels

/// Which experts the rows of a step picked, and how much each counts.
public struct Routing: Sendable {
    /// Experts per row.
    public let expertsPerToken: Int
    /// Row by row, `expertsPerToken` experts each, in the router's order (largest weight first).
    public var experts: [Int32] = []
    /// The weights of those experts.
    public var weights: [Float] = []

    /// An empty routing.
    public init(expertsPerToken: Int) { self.expertsPerToken = expertsPerToken }
}

/// Why the experts of a layer could not be computed.
public enum ExpertBackendError: Error, Equatable, CustomStringConvertible {
    /// A worker refused to compute: our bug, or a placement that changed under way.
    case refused(node: NodeID, reason: String)
    /// A worker is gone, or did not answer in time.
    case workerUnavailable(node: NodeID, reason: String)

    /// One line for people.
    public var description: String {
        switch self {
        case .refused(let node, let reason): "node \(node) refused a dispatch: \(reason)"
        case .workerUnavailable(let node, let reason): "node \(node) is unavailable: \(reason)"
        }
    }
}

/// Computes routed experts, wherever they are hosted.
///
/// A layer's work is begun, awaited and combined in three calls: the caller can do something else while workers
/// compute, and knows how long it waited. `slot` tells the micro-batches of a step apart: between `begin` and `combine`
/// of a slot nothing else may use it.
/// The result does not depend on where experts are hosted (DESIGN §2): each (row, expert) pair gives one weighted row,
/// and rows are added in the router's order.
public protocol ExpertBackend: AnyObject {
    /// How many micro-batches may be under way at a time; more than one only where it hides waiting.
    var slotCount: Int { get }

    /// Starts the experts of `layer` for the rows of `input` (the normed hidden state, `[rows, hidden]`). `input` may
    /// be overwritten as soon as this returns.
    func begin(slot: Int, layer: LayerIndex, input: RowsView, routing: Routing) throws(ExpertBackendError)

    /// Waits for what `begin` started in `slot`.
    func wait(slot: Int) throws(ExpertBackendError)

    /// Adds the rows of `slot`, which was waited for, to `sum` (`[rows, hidden]`).
    func combine(slot: Int, into sum: RowsView)

    /// Forgets everything under way: a step failed.
    func abandon()
}
