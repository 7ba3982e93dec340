public import Basics

/// Which vector instructions to compute with.
public enum InstructionSetChoice: String, Hashable, Sendable, CaseIterable {
    /// The fastest that the processor has.
    case auto
    /// Portable C.
    case generic
    /// x86-64 with AVX2.
    case avx2
    /// x86-64 with AVX-512.
    case avx512
    /// 64-bit ARM.
    case neon
}

/// How compute threads are bound to processors.
public enum PinningChoice: String, Hashable, Sendable, CaseIterable {
    /// `node` on machines whose memory has several nodes, `none` on others.
    case auto
    /// Not at all.
    case none
    /// Each thread to the processors of one node.
    case node
    /// Each thread to one processor.
    case processor
}

/// In what pages weights lie.
public enum HugePagesChoice: String, Hashable, Sendable, CaseIterable {
    /// Huge ones, where the system has some.
    case auto
    /// Those of the usual size.
    case off
}

/// How keys and values are stored.
public enum KeyValueFormatChoice: String, Hashable, Sendable, CaseIterable {
    /// f16 where a model's weights are quantised, else f32.
    case auto
    /// Single precision.
    case f32
    /// Half precision.
    case f16
    /// 8-bit integers with scales.
    case int8
}

/// In which form activations are multiplied with quantised weights.
public enum ActivationsChoice: String, Hashable, Sendable, CaseIterable {
    /// Rounded once per token to 8-bit integers.
    case int8
    /// Single precision.
    case f32
}

/// In which form the rows that experts give are added up.
public enum ResultsChoice: String, Hashable, Sendable, CaseIterable {
    /// bf16 where all experts round what they get to 8 bits anyway, else f32.
    case auto
    /// Single precision.
    case f32
    /// bfloat16.
    case bf16
    /// 8-bit integers with scales.
    case int8
}

/// Everything that a cluster's processes are told at start. What each value means, its unit and its range stand in
/// `ConfigurationOption.all`; names here are those of the keys.
public struct ClusterConfiguration: Hashable, Sendable {
    /// The coordinator's part.
    public struct Coordinator: Hashable, Sendable {
        /// The coordinator's name.
        public var node = NodeID("coordinator")
        /// Where it listens, `host:port`.
        public var address = "127.0.0.1:7400"
        /// Compute threads; 0 for one per processor that the process may use.
        public var threads = 0
        /// How compute threads are bound to processors.
        public var pinning = PinningChoice.auto
        /// In what pages weights lie.
        public var hugePages = HugePagesChoice.auto
        /// Vector instructions.
        public var instructionSet = InstructionSetChoice.auto
        /// Longest sequence in tokens; 0 for the model's own limit.
        public var contextTokensMax = 0
        /// Memory for keys, values and recurrent states, in bytes.
        public var kvCacheBytes: UInt64 = 1 << 30
        /// How keys and values are stored.
        public var kvCacheFormat = KeyValueFormatChoice.auto
        /// In which form activations meet quantised weights.
        public var activations = ActivationsChoice.int8
        /// In which form experts' rows are added up.
        public var results = ResultsChoice.auto
        /// Sequences in one step.
        public var batchSequencesMax = 64
        /// Prompt tokens in one step.
        public var prefillChunkTokens = 256
        /// Requests that may wait.
        public var waitingSequencesMax = 1024
        /// How long an idle compute thread spins.
        public var spinMicroseconds = 1000
        /// How long a thread that waits for a worker spins.
        public var busyPollMicroseconds = 0
        /// How long a worker may take for one layer.
        public var dispatchTimeoutMilliseconds = 10_000

        /// The defaults.
        public init() {}
    }

    /// A worker's part.
    public struct Worker: Hashable, Sendable {
        /// The worker's name.
        public var node: NodeID
        /// Where it listens, `host:port`.
        public var address: String
        /// Memory for experts, in bytes; nil for a share of what is available.
        public var memoryBytes: UInt64?
        /// Compute threads; 0 for one per processor that the process may use.
        public var threads = 0
        /// How compute threads are bound to processors.
        public var pinning = PinningChoice.auto
        /// In what pages weights lie.
        public var hugePages = HugePagesChoice.auto
        /// Vector instructions.
        public var instructionSet = InstructionSetChoice.auto
        /// How long an idle compute thread spins.
        public var spinMicroseconds = 1000
        /// How long the thread that waits for work spins.
        public var busyPollMicroseconds = 0

        /// The defaults for a worker of this name and address.
        public init(node: NodeID, address: String) {
            self.node = node
            self.address = address
        }
    }

    /// The gateway's part.
    public struct Gateway: Hashable, Sendable {
        /// The gateway's name.
        public var node = NodeID("gateway")
        /// Where it listens, `host:port`.
        public var address = "0.0.0.0:8080"
        /// Certificate chain for HTTPS; nil for cleartext.
        public var tlsCertificate: String?
        /// Private key for HTTPS; nil for cleartext.
        public var tlsKey: String?
        /// Threads that serve connections.
        public var queueCount = 2
        /// Open client connections.
        public var connectionsMax = 8192
        /// Requests in flight on one HTTP/2 connection.
        public var streamsPerConnectionMax = 2048
        /// All header lines of a request, in bytes.
        public var headerBytesMax = 32 << 10
        /// Body of one request, in bytes.
        public var bodyBytesMax = 32 << 20
        /// Time for a request's headers.
        public var headerTimeoutMilliseconds = 10_000
        /// Time for a request's body.
        public var bodyTimeoutMilliseconds = 60_000
        /// How long an idle connection stays open.
        public var idleTimeoutMilliseconds = 75_000
        /// How long a client may take nothing of an answer.
        public var writeStallTimeoutMilliseconds = 30_000
        /// Time for one answer; 0 for no limit.
        public var requestTimeoutMilliseconds = 600_000

        /// The defaults.
        public init() {}
    }

    /// What is logged, and how.
    public struct Log: Hashable, Sendable {
        /// The least important level: trace, debug, info, notice, warning, error or critical.
        public var level = "info"
        /// `text` or `json`.
        public var format = "text"

        /// The defaults.
        public init() {}
    }

    /// The model's directory.
    public var model: String
    /// The name under which it is served; nil for the directory's.
    public var modelName: String?
    /// Directory with this process's certificate.
    public var certificates: String
    /// Directory for packed weights; nil for the user's.
    public var weightCache: String?
    /// How big it may become, in bytes; 0 for none, nil for what the disk allows.
    public var weightCacheBytes: UInt64?
    /// The coordinator.
    public var coordinator = Coordinator()
    /// The workers; none means that the coordinator computes everything.
    public var workers: [Worker] = []
    /// The gateway.
    public var gateway = Gateway()
    /// What is logged.
    public var log = Log()

    /// The defaults for a model and a directory of certificates.
    public init(model: String, certificates: String) {
        self.model = model
        self.certificates = certificates
    }

    /// The worker of this name; the error lists those that exist.
    public func worker(_ node: NodeID) throws(ConfigurationError) -> Worker {
        guard let worker = workers.first(where: { $0.node == node }) else {
            throw .nodeUnknown(node: node.value, role: "worker", known: workers.map(\.node.value))
        }
        return worker
    }
}
