extension Reference {
    /// What `rule` makes of one row of logits: the experts, best first, and their weights. Sorts everything.
    public static func route(
        _ rule: RouterRule, logits: [Float], bias: [Float]? = nil
    ) -> (experts: [Int32], weights: [Float]) {
        let scores = scores(rule.scoring, logits)
        let keys = scores.indices.map { index in key(bias.map { scores[index] + $0[index] } ?? scores[index]) }
        let chosen = descending(keys, among: candidates(rule, keys)).prefix(rule.expertsPerToken)
        return (chosen.map { Int32($0) }, weights(rule, of: Array(chosen), scores))
    }

    /// The weights of experts that are chosen already.
    public static func weigh(_ rule: RouterRule, logits: [Float], experts: [Int32]) -> [Float] {
        weights(rule, of: experts.map { Int($0) }, scores(rule.scoring, logits))
    }

    private static func weights(_ rule: RouterRule, of chosen: [Int], _ scores: [Float]) -> [Float] {
        var weights = chosen.map { scores[$0] }
        if rule.normalises {
            let total = weights.reduce(0, +) + rule.normaliserEpsilon
            weights = weights.map { $0 / total }
        }
        return weights.map { $0 * rule.scale }
    }

    /// The experts of the best groups.
    private static func candidates(_ rule: RouterRule, _ keys: [Float]) -> [Int] {
        guard rule.groupCount > 1 else { return Array(keys.indices) }
        let size = keys.count / rule.groupCount
        let groupKeys = (0..<rule.groupCount).map { group in
            let best = keys[group * size..<(group + 1) * size].sorted(by: >).prefix(2)
            return key(best[0] + best[1])
        }
        let chosen = descending(groupKeys, among: Array(groupKeys.indices)).prefix(rule.chosenGroupCount)
        return keys.indices.filter { chosen.contains($0 / size) }
    }

    private static func scores(_ scoring: RouterScoring, _ logits: [Float]) -> [Float] {
        switch scoring {
        case .sigmoid: return logits.map { 1 / (1 + exp(-$0)) }
        case .sqrtSoftplus: return logits.map { softplus($0).squareRoot() }
        case .softmax:
            let maximum = greatest(logits)
            let exponentials = logits.map { exp($0 - maximum) }
            let sum = laneSum(exponentials)
            return exponentials.map { $0 / sum }
        }
    }

    /// A NaN ranks as -inf.
    private static func key(_ choice: Float) -> Float { choice.isNaN ? -.infinity : choice }

    /// Indices by descending key, ties to the lower.
    private static func descending(_ keys: [Float], among indices: [Int]) -> [Int] {
        indices.sorted { keys[$0] != keys[$1] ? keys[$0] > keys[$1] : $0 < $1 }
    }
}
