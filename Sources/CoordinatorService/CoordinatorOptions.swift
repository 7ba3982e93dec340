import Basics
import Engine
import Kernels
import Membership
import Transport
import Weights

/// How a coordinator is set up.
public struct CoordinatorOptions: Sendable {
    /// A worker that the coordinator dials.
    public struct WorkerAddress: Hashable, Sendable {
        /// The name in its certificate.
        public var node: NodeID
        /// Where it listens.
        public var endpoint: Endpoint

        /// Names a worker.
        public init(node: NodeID, endpoint: Endpoint) {
            self.node = node
            self.endpoint = endpoint
        }
    }

    /// Who the coordinator is: its certificate.
    public var identity: NodeIdentity
    /// Directory of the model.
    public var modelPath: String
    /// The name under which the model is served; nil: the directory's name.
    public var modelName: String?
    /// Where it listens for gateways and operators; port 0 lets the system choose.
    public var listen: Endpoint
    /// The workers; none: all experts are computed in this process.
    public var workers: [WorkerAddress]
    /// In which form activations meet weights in blocks, here and on the workers.
    public var activations: ActivationFormat
    /// In which form experts' rows are added up; nil: see `ExpertLoader.resultFormat`.
    public var results: ResultFormat?
    /// Compute threads, and where they run.
    public var threads: ThreadPlacement
    /// Instruction set of the kernels.
    public var instructionSet: InstructionSet
    /// How long compute threads spin for more work before they sleep, in microseconds.
    public var spinMicroseconds: Int
    /// How long a link's reader polls before it sleeps, in microseconds.
    public var busyPollMicroseconds: Int
    /// A dispatch that takes longer counts as lost, in milliseconds.
    public var dispatchTimeoutMilliseconds: Int
    /// After how much silence a worker is suspected and given up.
    public var membership: Membership.Timings
    /// Longest sequence that is served, in tokens; nil: what the model allows.
    public var contextTokensMax: Int?
    /// How the engine is sized.
    public var engine: EngineOptions
    /// Where packed weights are kept from start to start; nil: nowhere.
    public var weightCache: WeightCache?
    /// Whether weights lie in huge pages where the system has some.
    public var hasHugePages: Bool

    /// Sets a coordinator up.
    public init(
        identity: NodeIdentity, modelPath: String, modelName: String?, listen: Endpoint, workers: [WorkerAddress],
        threads: ThreadPlacement, instructionSet: InstructionSet, spinMicroseconds: Int, busyPollMicroseconds: Int,
        dispatchTimeoutMilliseconds: Int, contextTokensMax: Int?, engine: EngineOptions,
        membership: Membership.Timings = Membership.Timings(), activations: ActivationFormat = .int8,
        results: ResultFormat? = nil, weightCache: WeightCache? = nil, hasHugePages: Bool = true
    ) {
        self.identity = identity
        self.modelPath = modelPath
        self.modelName = modelName
        self.listen = listen
        self.workers = workers
        self.activations = activations
        self.results = results
        self.threads = threads
        self.instructionSet = instructionSet
        self.spinMicroseconds = spinMicroseconds
        self.busyPollMicroseconds = busyPollMicroseconds
        self.dispatchTimeoutMilliseconds = dispatchTimeoutMilliseconds
        self.membership = membership
        self.contextTokensMax = contextTokensMax
        self.engine = engine
        self.weightCache = weightCache
        self.hasHugePages = hasHugePages
    }
}
