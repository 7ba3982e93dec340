import Basics
import Kernels

/// The rows of one step: each is one token of one sequence.
public struct StepBatch {
    /// One row.
    public struct Row {
        /// The token.
        public let token: TokenID
        /// Its place in the sequence, from 0.
        public let position: Int
        /// The sequence's cache; has room for `position`.
        public let cache: SequenceCache

        /// One token of one sequence.
        public init(token: TokenID, position: Int, cache: SequenceCache) {
            self.token = token
            self.position = position
            self.cache = cache
        }
    }

    /// The rows; tokens of one sequence in order of position.
    public var rows: [Row]
    /// Rows, ascending, whose experts are to be recorded.
    public var recordedRows: [Int]

    /// Collects rows.
    public init(rows: [Row] = [], recordedRows: [Int] = []) {
        self.rows = rows
        self.recordedRows = recordedRows
    }
}

/// The buffers of a forward pass, allocated once for `rowsMax` rows, and the kernels it runs on. One engine thread
/// uses it at a time.
public final class ForwardState {
    /// Rows that a step may have.
    public let rowsMax: Int
    /// The kernels and their threads.
    public let compute: Compute

    let hidden: Rows
    let normed: Rows
    let query: Rows
    let key: Rows
    let value: Rows
    let attended: Rows
    let narrowQuery: Rows
    let latentQuery: Rows
    let attendedLatent: Rows
    let indexQuery: Rows
    let indexKey: Rows
    let indexWeights: Rows
    let choices = PositionChoices()
    let entryKey: Rows
    let entryGate: Rows
    let entry: Rows
    let indexEntryKey: Rows
    let indexEntryGate: Rows
    let indexEntry: Rows
    let narrowOutput: Rows
    let mixed: Rows
    let convolved: Rows
    let gate: Rows
    let decay: Rows
    let beta: Rows
    let projected: Rows
    /// What a residual of several streams needs beside `hidden`, which has them all; nil where it is one.
    let streams: StreamBuffers?
    /// Embedding and hidden state of a token beside each other, as prediction layers take them where the residual is
    /// one stream; nil if there are none.
    let joined: Rows?
    /// Whose result `hidden` is.
    var hiddenSource = HiddenSource.model
    /// The tokens of the rows of a step.
    var tokens: [Int32] = []
    /// As the model's `rotaries`.
    let rotaries: [RotaryAngles]
    let routerLogits: Rows
    let logits: Rows
    let selected: Rows
    let quantised = QuantisedRows()
    var routing: [Int: Routing] = [:]
    var attentionScratch = AttentionScratch()
    var sparseScratch = SparseScratch()
    var expertScratch = ExpertScratch()
    /// Of blocks that every token passes.
    var denseAssignments = ExpertAssignments()
    var record = RoutingRecord()
    /// Rows of the embedding that were read since its pages were given back.
    var embeddedRows = 0
    /// Where the time of the steps so far went.
    public internal(set) var phases = StepPhases()

    /// Allocates buffers for steps of up to `rowsMax` rows.
    public init(_ model: ModelDescription, rowsMax: Int, compute: Compute) {
        self.rowsMax = rowsMax
        self.compute = compute
        let attention = model.allLayers.reduce(AttentionWorkspace()) { $0.union($1.attention.workspace) }
        func rows(_ width: Int?, capacity: Int? = nil) -> Rows {
            Rows(capacity: capacity ?? rowsMax, width: max(1, width ?? 1))
        }
        hidden = rows(model.residualWidth)
        streams = model.streams.map { StreamBuffers($0.rule, hiddenSize: model.hiddenSize, rowsMax: rowsMax) }
        let joins = !model.predictionLayers.isEmpty && streams == nil
        joined = joins ? rows(2 * model.hiddenSize) : nil
        normed = rows(model.hiddenSize)
        projected = rows(model.hiddenSize)
        query = rows(attention.query)
        key = rows(attention.key)
        value = rows(attention.value)
        attended = rows(attention.attended)
        narrowQuery = rows(attention.narrowQuery)
        latentQuery = rows(attention.latentQuery)
        attendedLatent = rows(attention.attendedLatent)
        indexQuery = rows(attention.indexQuery)
        indexKey = rows(attention.indexKey)
        indexWeights = rows(attention.indexWeights)
        choices.reserve(rowCount: rowsMax, count: attention.chosenCount)
        entryKey = rows(attention.entryKey)
        entryGate = rows(attention.entryKey)
        entry = rows(attention.entry)
        indexEntryKey = rows(attention.indexEntryKey)
        indexEntryGate = rows(attention.indexEntryKey)
        indexEntry = rows(attention.indexEntry)
        narrowOutput = rows(attention.narrowOutput)
        mixed = rows(attention.mixed)
        convolved = rows(attention.convolved)
        gate = rows(attention.gate)
        decay = rows(attention.decay)
        beta = rows(attention.decay)
        rotaries = model.rotaries.map { RotaryAngles($0, rowsMax: rowsMax) }
        routerLogits = rows(model.allLayers.compactMap(\.mixture?.expertCount).max())
        logits = rows(model.vocabularySize, capacity: Limits.Models.logitRowsMax)
        selected = rows(model.hiddenSize, capacity: Limits.Models.logitRowsMax)
    }
}

/// Seconds spent in each phase of the steps so far.
public struct StepPhases: Sendable {
    /// Norms, projections and attention.
    public var attentionSeconds = 0.0
    /// The router.
    public var routeSeconds = 0.0
    /// Handing rows to the experts; where these are in this process, computing them.
    public var dispatchSeconds = 0.0
    /// Waiting for the workers' answers.
    public var dispatchWaitSeconds = 0.0
    /// Adding the experts' rows.
    public var combineSeconds = 0.0
    /// Dense feed-forward blocks.
    public var denseSeconds = 0.0
    /// Output projection.
    public var headSeconds = 0.0
    /// Drawing and scoring tokens.
    public var sampleSeconds = 0.0

    /// Nothing spent yet.
    public init() {}

    /// The same by the names that the state of the cluster has for the phases.
    public var byName: [String: Double] {
        [
            "attention": attentionSeconds, "combine": combineSeconds, "dense": denseSeconds,
            "dispatch": dispatchSeconds, "dispatchWait": dispatchWaitSeconds, "head": headSeconds,
            "route": routeSeconds, "sample": sampleSeconds,
        ]
    }
}

extension ForwardState {
    /// Where a block's result is added, `[rows, hidden]`: the residual itself, or what goes back into its streams.
    func sum(_ range: Range<Int>) -> RowsView { streams?.sum.view(range) ?? hidden.view(range) }
}

extension ModelDescription {
    /// Numbers of a row of the residual, all its streams together.
    var residualWidth: Int { hiddenSize * (streams?.rule.streamCount ?? 1) }

    /// The layers of the model, and behind them those that predict further tokens: as the cache and the experts count
    /// them.
    public var allLayers: [LayerDescription] { layers + predictionLayers.map(\.layer) }

    /// The mixtures among the layers of the model.
    public var mixtures: [MixtureDescription] { layers.compactMap(\.mixture) }

    /// Experts that a token visits in all layers together.
    public var expertsPerToken: Int { mixtures.reduce(0) { $0 + $1.expertsPerToken } }

    /// The layers of the model that are mixtures, in order.
    public var mixtureLayers: [LayerIndex] {
        layers.indices.filter { layers[$0].mixture != nil }.map(LayerIndex.init)
    }
}
