import Basics
import Kernels
import Testing

@Suite struct RouterTests {
    static let shapes: [(experts: Int, topK: Int)] = [(1, 1), (8, 2), (60, 4), (128, 8), (257, 257)]

    static func softmax(_ topK: Int, normalises: Bool) -> RouterRule {
        RouterRule(scoring: .softmax, expertsPerToken: topK, normalises: normalises)
    }

    @Test(arguments: shapes, [true, false])
    func softmaxEqualsTheReference(shape: (experts: Int, topK: Int), normalises: Bool) throws {
        var numbers = TestNumbers(seed: shape.experts)
        let logits = numbers.floats(40 * shape.experts, scale: 8)
        try compare(Self.softmax(shape.topK, normalises: normalises), logits, shape.experts)
    }

    @Test(arguments: shapes, [true, false])
    func sigmoidEqualsTheReference(shape: (experts: Int, topK: Int), normalises: Bool) throws {
        var numbers = TestNumbers(seed: shape.experts)
        let rule = RouterRule(
            scoring: .sigmoid, expertsPerToken: shape.topK, normalises: normalises, normaliserEpsilon: 1e-20,
            scale: 2.5)
        let logits = numbers.floats(40 * shape.experts, scale: 8)
        try compare(rule, logits, shape.experts)
        try compare(rule, logits, shape.experts, bias: numbers.floats(shape.experts, scale: 0.5))
    }

    @Test(arguments: shapes, [true, false])
    func rootOfSoftplusEqualsTheReference(shape: (experts: Int, topK: Int), normalises: Bool) throws {
        var numbers = TestNumbers(seed: shape.experts)
        let rule = RouterRule(
            scoring: .sqrtSoftplus, expertsPerToken: shape.topK, normalises: normalises, normaliserEpsilon: 1e-20,
            scale: 1.5)
        let logits = numbers.floats(40 * shape.experts, scale: 30)
        try compare(rule, logits, shape.experts, bias: numbers.floats(shape.experts, scale: 0.5))
        #expect(abs(Reference.route(rule, logits: [4], bias: nil).weights[0] - (normalises ? 1.5 : 3.0068)) < 1e-4)
    }

    /// Experts that the token names: any order, also one with a small score.
    @Test(arguments: RouterScoring.allCases) func chosenExpertsAreOnlyWeighed(scoring: RouterScoring) throws {
        var numbers = TestNumbers(seed: 5)
        let rule = RouterRule(
            scoring: scoring, expertsPerToken: 3, normalises: true, normaliserEpsilon: 1e-20, scale: 1.5)
        let logits = numbers.floats(20 * 10, scale: 6)
        let experts = (0..<20).flatMap { token in (0..<3).map { Int32((token * 7 + $0 * 3) % 10) } }
        let expected = (0..<20).flatMap { token in
            Reference.weigh(
                rule, logits: row(token, of: logits, width: 10), experts: Array(experts[token * 3..<token * 3 + 3]))
        }
        for compute in try everyCompute(threadCounts: [1]) {
            var weights: [Float] = [7]
            compute.weigh(rule, logits: Rows.of(logits, width: 10).view, experts: experts, weights: &weights)
            #expect(bits(weights) == bits(expected), compute.label)
        }
    }

    @Test(
        arguments: [(8, 4, 2, 3), (256, 8, 4, 8), (60, 3, 1, 20), (34, 2, 2, 5), (512, 256, 7, 9)],
        RouterScoring.allCases)
    func groupsEqualTheReference(
        shape: (experts: Int, groups: Int, chosenGroups: Int, topK: Int), scoring: RouterScoring
    ) throws {
        var numbers = TestNumbers(seed: shape.experts)
        let rule = RouterRule(
            scoring: scoring, expertsPerToken: shape.topK, groupCount: shape.groups,
            chosenGroupCount: shape.chosenGroups, normalises: true, normaliserEpsilon: 1e-20, scale: 1.5)
        let logits = numbers.floats(40 * shape.experts, scale: 4)
        // Some choices are negative.
        try compare(rule, logits, shape.experts, bias: numbers.floats(shape.experts, scale: 1))
        try compare(rule, logits, shape.experts)
        // Few distinct values: nearly everything is a tie.
        try compare(rule, logits.map { $0.rounded() / 2 }, shape.experts)
    }

    @Test func theBiasChoosesButDoesNotWeigh() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        let rule = RouterRule(scoring: .sigmoid, expertsPerToken: 2, normalises: false)
        var (experts, weights): ([Int32], [Float]) = ([], [])
        compute.route(
            rule, logits: Rows.of([0, 1, -1, 0], width: 4).view, bias: [0, 0, 4, 2], experts: &experts,
            weights: &weights)
        #expect(experts == [2, 3])
        #expect(abs(weights[0] - 0.2689414) < 1e-6 && weights[1] == 0.5)
    }

    @Test func tiesGoToTheLowerIndex() throws {
        var logits = [Float](repeating: 1, count: 40)
        logits[37] = 2
        logits[21] = 2
        try compare(Self.softmax(6, normalises: true), logits, 40)
        var (experts, weights): ([Int32], [Float]) = ([], [])
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        compute.route(
            Self.softmax(4, normalises: false), logits: Rows.of(logits, width: 40).view, bias: nil, experts: &experts,
            weights: &weights)
        #expect(experts == [21, 37, 0, 1])
    }

    @Test func unusualNumbersChooseDistinctExperts() throws {
        let logits: [[Float]] = [
            [.nan, 1, .infinity, -.infinity, 0, 1], [.nan, .nan, .nan, .nan, .nan, .nan], [1, .nan, 3, .nan, 2, 1],
            [-.infinity, -.infinity, -.infinity, -.infinity, -.infinity, -.infinity],
            [0, 3e38, -3e38, .leastNonzeroMagnitude, -0.0, 2],
        ]
        let bias: [Float] = [.nan, 1, .infinity, -.infinity, 0, -1]
        for scoring in RouterScoring.allCases {
            for (topK, groups) in [(3, 1), (6, 1), (3, 2), (4, 3)] {
                let rule = RouterRule(
                    scoring: scoring, expertsPerToken: topK, groupCount: groups, chosenGroupCount: (groups + 1) / 2,
                    normalises: topK == 3)
                try compare(rule, logits.flatMap { $0 }, 6)
                try compare(rule, logits.flatMap { $0 }, 6, bias: bias)
            }
        }
    }

    @Test func rulesFitOrNot() {
        func rule(_ topK: Int, _ groups: Int, _ chosen: Int) -> RouterRule {
            RouterRule(
                scoring: .sigmoid, expertsPerToken: topK, groupCount: groups, chosenGroupCount: chosen,
                normalises: true)
        }
        #expect(rule(8, 1, 1).fits(expertCount: 8) && rule(3, 4, 4).fits(expertCount: 8))
        #expect(rule(4, Limits.Kernels.routerGroupsMax, 2).fits(expertCount: 2 * Limits.Kernels.routerGroupsMax))
        for wrong in [
            rule(9, 1, 1), rule(0, 1, 1), rule(2, 3, 1), rule(2, 8, 1), rule(2, 4, 5), rule(2, 1, 0), rule(5, 2, 1),
        ] {
            #expect(!wrong.fits(expertCount: 8))
        }
        #expect(!rule(2, 512, 1).fits(expertCount: 1024))
    }

    private func compare(_ rule: RouterRule, _ logits: [Float], _ width: Int, bias: [Float]? = nil) throws {
        let expected = (0..<logits.count / width).map {
            Reference.route(rule, logits: row($0, of: logits, width: width), bias: bias)
        }
        for result in expected { #expect(Set(result.experts).count == rule.expertsPerToken) }
        for compute in try everyCompute() {
            var experts: [Int32] = [9, 9, 9]
            var weights: [Float] = []
            compute.route(
                rule, logits: Rows.of(logits, width: width).view, bias: bias, experts: &experts, weights: &weights)
            #expect(experts == expected.flatMap(\.experts), compute.label)
            #expect(bits(weights) == bits(expected.flatMap(\.weights)), compute.label)
        }
    }
}
