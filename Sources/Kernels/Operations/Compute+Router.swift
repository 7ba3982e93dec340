import Basics
import CKernels

/// How a router turns logits into scores.
public enum RouterScoring: String, CaseIterable, Sendable {
    /// Each expert by itself: `1 / (1 + exp(-x))`.
    case sigmoid
    /// Shares of one: `exp(x) / Σ exp`.
    case softmax
    /// Each expert by itself, without an upper end: `sqrt(log(1 + exp(x)))`.
    case sqrtSoftplus

    var tableIndex: Int {
        switch self {
        case .sigmoid: Int(COLONY_ROUTER_SIGMOID)
        case .softmax: Int(COLONY_ROUTER_SOFTMAX)
        case .sqrtSoftplus: Int(COLONY_ROUTER_SQRT_SOFTPLUS)
        }
    }
}

/// How a router chooses a token's experts and how much each counts, as data. `operations/router.h` has the order of
/// operations.
public struct RouterRule: Hashable, Sendable {
    /// What becomes of the logits.
    public var scoring: RouterScoring
    /// Experts that a token picks.
    public var expertsPerToken: Int
    /// Groups of neighbouring experts, all of one size; 1 where there are none (DeepSeek-V3, arXiv 2412.19437, §2.1.2).
    public var groupCount: Int
    /// The groups whose experts a token may pick; a group counts as its two best experts together.
    public var chosenGroupCount: Int
    /// Whether the weights of the picked experts are divided by their sum.
    public var normalises: Bool
    /// Added to that sum.
    public var normaliserEpsilon: Float
    /// What the weights are multiplied with last.
    public var scale: Float

    /// A rule; without groups and scale if nothing else is said.
    public init(
        scoring: RouterScoring, expertsPerToken: Int, groupCount: Int = 1, chosenGroupCount: Int = 1,
        normalises: Bool, normaliserEpsilon: Float = 0, scale: Float = 1
    ) {
        self.scoring = scoring
        self.expertsPerToken = expertsPerToken
        self.groupCount = groupCount
        self.chosenGroupCount = chosenGroupCount
        self.normalises = normalises
        self.normaliserEpsilon = normaliserEpsilon
        self.scale = scale
    }

    /// Whether the rule can be applied to so many experts.
    public func fits(expertCount: Int) -> Bool {
        guard expertCount > 0, (1...Limits.Kernels.routerGroupsMax).contains(groupCount) else { return false }
        guard expertCount % groupCount == 0, (1...groupCount).contains(chosenGroupCount) else { return false }
        let groupSize = expertCount / groupCount
        return (groupCount == 1 || groupSize >= 2) && (1...groupSize * chosenGroupCount).contains(expertsPerToken)
    }

    fileprivate func arguments(expertCount: Int, bias: UnsafePointer<Float>?) -> colony_router_arguments {
        colony_router_arguments(
            bias: bias, count: expertCount, top_k: expertsPerToken, groups: groupCount,
            chosen_groups: chosenGroupCount, normalise: normalises ? 1 : 0, epsilon: normaliserEpsilon, scale: scale)
    }
}

extension Compute {
    /// Applies `rule` to each row of `logits` ([tokens][experts]), which become the scores. `bias`, one per expert, is
    /// added to the scores for the choice only. Both results become [tokens][rule.expertsPerToken], the best first,
    /// ties to the lower index; their memory is reused.
    public func route(
        _ rule: RouterRule, logits: RowsView, bias: [Float]?, experts: inout [Int32], weights: inout [Float]
    ) {
        precondition(rule.fits(expertCount: logits.width), "the rule was made for other experts")
        precondition(rule.groupCount <= Int(COLONY_ROUTER_GROUPS_MAX), "more groups than the kernel has room for")
        precondition(bias.map { $0.count == logits.width } ?? true, "one bias per expert")
        resize(&experts, to: logits.count * rule.expertsPerToken)
        resize(&weights, to: logits.count * rule.expertsPerToken)
        guard let bias else { return route(rule, logits, nil, &experts, &weights) }
        bias.withUnsafeBufferPointer { route(rule, logits, $0.baseAddress, &experts, &weights) }
    }

    /// Applies `rule` to each row of `logits`, which become the scores, where the experts are chosen already, for
    /// instance by the token itself: `experts` are [tokens][rule.expertsPerToken], below the number of experts. Only
    /// their weights are computed.
    public func weigh(_ rule: RouterRule, logits: RowsView, experts: [Int32], weights: inout [Float]) {
        precondition(experts.count == logits.count * rule.expertsPerToken, "experts for each row")
        precondition(experts.allSatisfy { $0 >= 0 && $0 < logits.width }, "an expert that there is")
        resize(&weights, to: experts.count)
        var arguments = rule.arguments(expertCount: logits.width, bias: nil)
        let scores = kernels.routerScores(rule.scoring)
        for row in 0..<logits.count {
            let base = logits.base + row * logits.width
            let first = row * rule.expertsPerToken
            scores(base, logits.width)
            experts.withUnsafeBufferPointer { experts in
                weights.withUnsafeMutableBufferPointer { weights in
                    guard let expertBase = experts.baseAddress, let weightBase = weights.baseAddress else { return }
                    table.router_weigh(&arguments, base, expertBase + first, weightBase + first)
                }
            }
        }
    }

    private func route(
        _ rule: RouterRule, _ logits: RowsView, _ bias: UnsafePointer<Float>?, _ experts: inout [Int32],
        _ weights: inout [Float]
    ) {
        var arguments = rule.arguments(expertCount: logits.width, bias: bias)
        let scores = kernels.routerScores(rule.scoring)
        experts.withUnsafeMutableBufferPointer { experts in
            weights.withUnsafeMutableBufferPointer { weights in
                guard let expertBase = experts.baseAddress, let weightBase = weights.baseAddress else { return }
                withUnsafePointer(to: &arguments) { arguments in
                    parallel(logits.count, grain: 16) { range in
                        for row in range {
                            let base = logits.base + row * logits.width
                            let first = row * rule.expertsPerToken
                            scores(base, logits.width)
                            table.router_choose(arguments, base, expertBase + first, weightBase + first)
                        }
                    }
                }
            }
        }
    }
}

private func resize<Element: Numeric>(_ array: inout [Element], to count: Int) {
    if array.count > count { array.removeLast(array.count - count) }
    while array.count < count { array.append(0) }
}
