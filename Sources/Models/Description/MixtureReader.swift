import Basics
import Kernels

/// What the mixtures of all layers have in common, checked against each other; a layer adds names.
struct MixtureReader {
    let expertCount: Int
    let expertWidth: Int
    /// What joins the inner projections of each expert.
    var activation = GatedActivation.silu
    private(set) var rule: RouterRule
    private let tensorNames: Set<String>

    /// Reads how many experts there are from the first of `countKeys` that the file has, and their width from
    /// `widthKey`; `rule` is the family's, whose experts and groups are read here.
    init(
        _ configuration: ConfigurationReader, countKeys: [String], widthKey: String, rule: RouterRule,
        expertsMin: Int = 1, tensorNames: Set<String>
    ) throws(ModelError) {
        guard let countKey = countKeys.first(where: { configuration.value($0) != nil }) else {
            throw .configurationKeyMissing(key: countKeys[0])
        }
        expertCount = try configuration.integer(countKey, in: expertsMin...Limits.Models.expertsMax)
        expertWidth = try configuration.integer(widthKey, in: 1...Limits.Models.widthMax)
        self.tensorNames = tensorNames
        var rule = rule
        rule.expertsPerToken = try configuration.integer(
            "num_experts_per_tok", in: 1...Limits.Models.expertsMax, default: rule.expertsPerToken)
        guard expertCount == 0 || rule.expertsPerToken <= expertCount else {
            throw .configurationInvalid(
                key: "num_experts_per_tok", found: String(rule.expertsPerToken),
                expected: "no more than \(countKeys[0]), \(expertCount)")
        }
        self.rule = rule
    }

    /// The same with the groups of `n_group` and `topk_group`; the other arguments are what holds if the file does not
    /// say it.
    func grouped(
        _ configuration: ConfigurationReader, groupCount: Int = 1, chosenGroupCount: Int = 1
    ) throws(ModelError) -> MixtureReader {
        var result = self
        result.rule.groupCount = try configuration.integer(
            "n_group", in: 1...Limits.Kernels.routerGroupsMax, default: groupCount)
        result.rule.chosenGroupCount = try configuration.integer(
            "topk_group", in: 1...result.rule.groupCount, default: min(chosenGroupCount, result.rule.groupCount))
        guard !result.rule.fits(expertCount: expertCount) else { return result }
        let chosenGroups = "topk_group, \(result.rule.chosenGroupCount), of them"
        throw .configurationInvalid(
            key: "n_group", found: String(result.rule.groupCount),
            expected: "a divisor of the \(expertCount) experts, two or more in each group, and "
                + "num_experts_per_tok, \(rule.expertsPerToken), in \(chosenGroups)")
    }

    /// The mixture of a layer whose experts are under `prefix.experts`, as one by one with `names` or for all together,
    /// and whose router is `prefix.gate`; `choiceBias`, `table` and `sharedExpertGate` are named
    /// below `prefix`.
    func layer(
        prefix: String, names: ProjectionNames = .words, choiceBias: String? = nil, table: String? = nil,
        sharedExpert: GatedFeedForwardDescription? = nil, sharedExpertGate: String? = nil
    ) -> FeedForwardDescription {
        let router = RouterDescription(
            weightName: prefix + ".gate.weight", choiceBiasName: choiceBias.map { "\(prefix).\($0)" },
            tableName: table.map { "\(prefix).\($0)" }, rule: rule)
        return layer(
            router: router, storage: storage(prefix: prefix + ".experts", names: names), sharedExpert: sharedExpert,
            sharedExpertGateName: sharedExpertGate.map { "\(prefix).\($0)" })
    }

    /// The mixture of a layer whose router and experts are described by the family itself.
    func layer(
        router: RouterDescription, storage: MixtureDescription.Storage,
        sharedExpert: GatedFeedForwardDescription? = nil, sharedExpertGateName: String? = nil
    ) -> FeedForwardDescription {
        .mixture(
            MixtureDescription(
                router: router,
                expertCount: expertCount, expertWidth: expertWidth,
                storage: storage, activation: activation, sharedExpert: sharedExpert,
                sharedExpertGateName: sharedExpertGateName))
    }

    /// The first of `prefixes` under which the checkpoint has a router; the first if it has none.
    func prefix(among prefixes: [String]) -> String {
        prefixes.first { tensorNames.contains($0 + ".gate.weight") } ?? prefixes[0]
    }

    private func storage(prefix: String, names: ProjectionNames) -> MixtureDescription.Storage {
        if tensorNames.contains(prefix + ".gate_up_proj") { return .fused(prefix: prefix) }
        if tensorNames.contains(prefix + ".gate_proj") { return .stacked(prefix: prefix) }
        return .separate(prefix: prefix, names: names)
    }
}
