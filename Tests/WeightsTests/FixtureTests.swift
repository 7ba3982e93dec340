import Basics
import Foundation
import TestSupport
import Testing

/// The golden answers are complete and agree with themselves; what they are held against is other suites' work.
@Suite struct FixtureTests {
    @Test(arguments: Fixtures.checkpointNames)
    func goldenAnswersAreComplete(_ name: String) throws {
        let answers = try GoldenAnswer.load(name)
        #expect(answers.map(\.prompt.count) == [1, 7, 33, 150])
        for answer in answers {
            let count = answer.tokens.count
            #expect(answer.greedy.count == 12 && answer.greedyMargins.count == 12)
            #expect(answer.logSumExp.count == count && answer.tokenLogits.count == count - 1)
            #expect(answer.topTokens.count == count && answer.topTokens.allSatisfy { $0.count == 20 })
            #expect(answer.topLogits.allSatisfy { zip($0, $0.dropFirst()).allSatisfy { $0 >= $1 } })
            for (step, token) in answer.greedy.enumerated() {
                #expect(answer.topTokens[answer.prompt.count - 1 + step].first == token)
            }
            for (position, logits) in answer.fullLogits {
                #expect(logits.count == 320)
                let sum = log(logits.reduce(0) { $0 + exp($1) })
                #expect(abs(sum - answer.logSumExp[position]) < 1e-4)
            }
        }
    }

    @Test func fixturesStaySmall() throws {
        var total = 0
        let directory = Fixtures.directory + "/checkpoints"
        let files = FileManager.default.enumerator(atPath: directory)
        while let file = files?.nextObject() as? String {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory + "/" + file)
            let size = attributes[.size] as? Int ?? 0
            #expect(size <= 1 << 20, "\(file)")
            total += size
        }
        #expect(total <= 12 << 20)
    }
}
