import Kernels

/// What follows attention in a layer.
public enum FeedForwardDescription: Sendable {
    /// One gated FFN for all tokens.
    case dense(GatedFeedForwardDescription)
    /// A router and its experts.
    case mixture(MixtureDescription)
}

/// What a family calls the three projections of a gated FFN.
public struct ProjectionNames: Hashable, Sendable {
    /// The projection that the activation is applied to.
    public let gate: String
    /// The projection that the activated one is multiplied with.
    public let up: String
    /// The projection back to the hidden size.
    public let down: String

    /// `gate_proj`, `up_proj`, `down_proj`: what most families say.
    public static let words = ProjectionNames(gate: "gate_proj", up: "up_proj", down: "down_proj")
    /// `w1`, `w3`, `w2`: what Mixtral and its relatives say.
    public static let numbers = ProjectionNames(gate: "w1", up: "w3", down: "w2")
}

/// A gated FFN: `down(activation(gate(x), up(x)))`.
public struct GatedFeedForwardDescription: Sendable {
    /// Width between the projections.
    public let width: Int
    /// What joins gate and up.
    public let activation: GatedActivation
    /// `[width, hiddenSize]`.
    public let gateName: String
    /// `[width, hiddenSize]`.
    public let upName: String
    /// `[hiddenSize, width]`.
    public let downName: String

    /// Describes a gated FFN whose projections are stored under `prefix`.
    public init(
        prefix: String, width: Int, names: ProjectionNames = .words, activation: GatedActivation = .silu
    ) {
        self.width = width
        self.activation = activation
        gateName = "\(prefix).\(names.gate).weight"
        upName = "\(prefix).\(names.up).weight"
        downName = "\(prefix).\(names.down).weight"
    }
}

/// A linear layer that scores every expert, and what follows from the scores.
public struct RouterDescription: Hashable, Sendable {
    /// The weight, `[experts, hiddenSize]`.
    public let weightName: String
    /// What is added to the weight's results, `[experts]`; nil if nothing is.
    public let biasName: String?
    /// What is added to the scores for the choice of experts, but not to their weights, `[experts]` (Wang et al., arXiv
    /// 2408.15664); nil if nothing is.
    public let choiceBiasName: String?
    /// The experts of each token, where the token itself names them and scores only weigh them:
    /// `[vocabularySize, expertsPerToken]`, whole numbers (DeepSeek-V4); nil where scores choose.
    public let tableName: String?
    /// How scores are made, and how they choose and weigh experts.
    public let rule: RouterRule

    /// Describes a router.
    public init(
        weightName: String, biasName: String? = nil, choiceBiasName: String? = nil, tableName: String? = nil,
        rule: RouterRule
    ) {
        self.weightName = weightName
        self.biasName = biasName
        self.choiceBiasName = choiceBiasName
        self.tableName = tableName
        self.rule = rule
    }
}

/// A router with its experts (Shazeer et al., arXiv 1701.06538).
public struct MixtureDescription: Sendable {
    /// How the experts of a layer are stored.
    public enum Storage: Hashable, Sendable {
        /// Two tensors for all experts: `prefix.gate_up_proj` `[experts, 2 · width, hidden]` and
        /// `prefix.down_proj` `[experts, hidden, width]`.
        case fused(prefix: String)
        /// The same with rows of gate and up by turns, beginning with gate, and with biases `prefix.gate_up_proj_bias`
        /// `[experts, 2 · width]` and `prefix.down_proj_bias` `[experts, hidden]`. Where they are transposed,
        /// `prefix.gate_up_proj` is `[experts, hidden, 2 · width]` and `prefix.down_proj` `[experts, width, hidden]`.
        case interleaved(prefix: String, isTransposed: Bool)
        /// Three tensors per expert: `prefix.<expert>.gate_proj.weight` and so on.
        case separate(prefix: String, names: ProjectionNames = .words)
        /// Three tensors for all experts: `prefix.gate_proj` and `prefix.up_proj` `[experts, width, hidden]` and
        /// `prefix.down_proj` `[experts, hidden, width]`; biases are `prefix.gate_proj_bias` and so on, without the
        /// last dimension. So GGUF files have them.
        case stacked(prefix: String, hasBiases: Bool = false)
    }

    /// The router.
    public let router: RouterDescription
    /// Experts of the layer.
    public let expertCount: Int
    /// Width of one expert.
    public let expertWidth: Int
    /// Where the experts are stored.
    public let storage: Storage
    /// What joins the inner projections of each expert.
    public let activation: GatedActivation
    /// An FFN that every token passes beside its experts (Dai et al., arXiv 2401.06066); nil if there is none.
    public let sharedExpert: GatedFeedForwardDescription?
    /// What the shared expert's row is multiplied with, before the sigmoid: `[1, hiddenSize]`; nil: by nothing.
    public let sharedExpertGateName: String?

    /// Experts that each token picks.
    public var expertsPerToken: Int { router.rule.expertsPerToken }

    /// Describes a router and its experts.
    public init(
        router: RouterDescription, expertCount: Int, expertWidth: Int, storage: Storage,
        activation: GatedActivation = .silu, sharedExpert: GatedFeedForwardDescription? = nil,
        sharedExpertGateName: String? = nil
    ) {
        self.router = router
        self.expertCount = expertCount
        self.expertWidth = expertWidth
        self.storage = storage
        self.activation = activation
        self.sharedExpert = sharedExpert
        self.sharedExpertGateName = sharedExpertGateName
    }
}
