/// The state of the cluster: what `GET /cluster` and `clusterctl status --json` print. Keys are only ever added.
public struct ClusterStatus: Codable, Hashable, Sendable {
    /// State of a node as the coordinator sees it.
    public enum NodeState: String, Codable, CaseIterable, Sendable {
        /// Being dialled for the first time, or again.
        case connecting
        /// Connected and reading its shards.
        case loading
        /// Answers dispatches.
        case ready
        /// Missed heartbeats; not yet given up.
        case suspect
        /// Gone; being dialled again.
        case dead
    }

    /// One process of the cluster.
    public struct Node: Codable, Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Its role.
        public var role: Role
        /// Where it listens, `host:port`; empty if it does not.
        public var address: String
        /// How the coordinator sees it.
        public var state: NodeState
        /// Why it is not ready; nil if it is.
        public var reason: String?
        /// Shards that it hosts.
        public var shardCount: Int
        /// Bytes of weights that it hosts.
        public var shardBytes: UInt64
        /// Bytes of its shards that are loaded so far.
        public var loadedBytes: UInt64
        /// Memory that it offers for shards, in bytes.
        public var memoryBudgetBytes: UInt64
        /// Memory that its process occupies, in bytes.
        public var residentBytes: UInt64
        /// Median round trip of its last heartbeats, in milliseconds; nil before the first.
        public var roundTripMilliseconds: Double?
        /// Share of the last seconds that it spent computing, 0…1.
        public var load: Double
        /// Instruction set of its kernels.
        public var instructionSet: String
        /// Compute threads.
        public var threadCount: Int
        /// Dispatches that it answered since it started; nil if it is no worker, or none that was heard of yet.
        public var dispatches: UInt64?
        /// Rows that its experts computed since it started, one per token and expert; nil as above, and from a worker
        /// that does not tell.
        public var expertRows: UInt64?
        /// Time that it spent computing since it started, in microseconds; nil as above.
        public var computeMicroseconds: UInt64?

        /// Describes a process.
        public init(
            name: String, role: Role, address: String, state: NodeState, reason: String? = nil, shardCount: Int = 0,
            shardBytes: UInt64 = 0, loadedBytes: UInt64 = 0, memoryBudgetBytes: UInt64 = 0, residentBytes: UInt64 = 0,
            roundTripMilliseconds: Double? = nil, load: Double = 0, instructionSet: String = "", threadCount: Int = 0,
            dispatches: UInt64? = nil, expertRows: UInt64? = nil, computeMicroseconds: UInt64? = nil
        ) {
            self.name = name
            self.role = role
            self.address = address
            self.state = state
            self.reason = reason
            self.shardCount = shardCount
            self.shardBytes = shardBytes
            self.loadedBytes = loadedBytes
            self.memoryBudgetBytes = memoryBudgetBytes
            self.residentBytes = residentBytes
            self.roundTripMilliseconds = roundTripMilliseconds
            self.load = load
            self.instructionSet = instructionSet
            self.threadCount = threadCount
            self.dispatches = dispatches
            self.expertRows = expertRows
            self.computeMicroseconds = computeMicroseconds
        }
    }

    /// The model that is served.
    public struct Model: Codable, Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Its family, e.g. `qwen3_moe`.
        public var family: String
        /// Digest of configuration and weights.
        public var digest: String
        /// Longest sequence, in tokens.
        public var contextTokensMax: Int
        /// Bytes of weights in the whole cluster.
        public var weightBytes: UInt64
        /// Number of layers; nil, like what follows, from a coordinator that does not tell.
        public var layers: Int?
        /// The layers with a router, counted from 0, in order.
        public var mixtureLayers: [Int]?
        /// Routed experts of such a layer; the most where layers differ.
        public var experts: Int?
        /// Experts that such a layer picks per token; the most where layers differ.
        public var expertsPerToken: Int?
        /// How keys and values are stored, e.g. `f16`, or `f32/f16` where layers differ; nil until the engine runs.
        public var keyValueFormat: String?
        /// What recurrent layers keep of a sequence, in bytes, 0 where there are none; nil until the engine runs.
        public var stateBytesPerSequence: Int?
        /// In which form activations meet weights in blocks, `int8` or `f32`; nil: the coordinator does not tell.
        public var activations: String?
        /// In which form experts' rows are added up, `f32`, `bf16` or `int8`; nil: the coordinator does not tell.
        public var results: String?

        /// Describes a model.
        public init(
            name: String, family: String, digest: String, contextTokensMax: Int, weightBytes: UInt64,
            layers: Int? = nil, mixtureLayers: [Int]? = nil, experts: Int? = nil, expertsPerToken: Int? = nil,
            keyValueFormat: String? = nil, stateBytesPerSequence: Int? = nil, activations: String? = nil,
            results: String? = nil
        ) {
            self.name = name
            self.family = family
            self.digest = digest
            self.contextTokensMax = contextTokensMax
            self.weightBytes = weightBytes
            self.layers = layers
            self.mixtureLayers = mixtureLayers
            self.experts = experts
            self.expertsPerToken = expertsPerToken
            self.keyValueFormat = keyValueFormat
            self.stateBytesPerSequence = stateBytesPerSequence
            self.activations = activations
            self.results = results
        }
    }

    /// What the coordinator is doing.
    public struct Work: Codable, Hashable, Sendable {
        /// Sequences in the running batch.
        public var runningSequences: Int
        /// Sequences that wait for a place in it.
        public var waitingSequences: Int
        /// Positions of the KV cache in use.
        public var cachedTokens: Int
        /// Positions that the KV cache has room for.
        public var cachedTokensMax: Int
        /// Tokens generated since the start.
        public var generatedTokens: UInt64
        /// Prompt tokens processed since the start.
        public var promptTokens: UInt64
        /// Requests accepted since the start.
        public var requests: UInt64
        /// Requests that ended with an error since the start.
        public var failedRequests: UInt64
        /// Steps run since the start; nil from a coordinator that does not tell.
        public var steps: UInt64?
        /// Seconds spent in each phase of the steps since the start: `attention`, `route` (the router), `dispatch`
        /// (sending rows to the experts; without workers, computing them), `dispatchWait` (waiting for the workers'
        /// answers), `combine` (adding their rows), `dense`, `head`, `sample`; nil from a coordinator that does not
        /// tell.
        public var phaseSeconds: [String: Double]?

        /// Describes the work.
        public init(
            runningSequences: Int = 0, waitingSequences: Int = 0, cachedTokens: Int = 0, cachedTokensMax: Int = 0,
            generatedTokens: UInt64 = 0, promptTokens: UInt64 = 0, requests: UInt64 = 0, failedRequests: UInt64 = 0,
            steps: UInt64? = nil,
            phaseSeconds: [String: Double]? = nil
        ) {
            self.runningSequences = runningSequences
            self.waitingSequences = waitingSequences
            self.cachedTokens = cachedTokens
            self.cachedTokensMax = cachedTokensMax
            self.generatedTokens = generatedTokens
            self.promptTokens = promptTokens
            self.requests = requests
            self.failedRequests = failedRequests
            self.steps = steps
            self.phaseSeconds = phaseSeconds
        }
    }

    /// Whether the cluster can generate now.
    public var isReady: Bool
    /// Why it cannot; nil if it can.
    public var reason: String?
    /// The placement in force.
    public var epoch: UInt64
    /// The model.
    public var model: Model
    /// All nodes that the coordinator knows, itself first.
    public var nodes: [Node]
    /// What the coordinator is doing.
    public var work: Work

    /// Describes the cluster.
    public init(isReady: Bool, reason: String?, epoch: UInt64, model: Model, nodes: [Node], work: Work) {
        self.isReady = isReady
        self.reason = reason
        self.epoch = epoch
        self.model = model
        self.nodes = nodes
        self.work = work
    }
}
