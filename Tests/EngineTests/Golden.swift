import Basics
import Foundation
import TestSupport

/// The golden answers of a fixture checkpoint, see `Tests/Fixtures/README.md`.
struct Golden {
    struct Case {
        let prompt: [TokenID]
        let greedy: [TokenID]
        let margins: [Double]
        let logSumExp: [Double]
        let tokenLogits: [Double]
        let topIDs: [[TokenID]]
        let topLogits: [[Double]]

        /// The logprob of token `position + 1`.
        func tokenLogprob(after position: Int) -> Double { tokenLogits[position] - logSumExp[position] }
    }

    let cases: [Case]

    init(checkpoint name: String) throws {
        let path = Fixtures.checkpoint(name) + "/golden.json"
        let document = try JSON(parsing: Data(contentsOf: URL(filePath: path)))
        cases = (document["answers"]?.array ?? []).map { answer in
            func tokens(_ json: JSON?) -> [TokenID] {
                (json?.array ?? []).map { TokenID(Int32($0.integer ?? -1)) }
            }
            func numbers(_ json: JSON?) -> [Double] { (json?.array ?? []).map { $0.double ?? .nan } }
            return Case(
                prompt: tokens(answer["prompt"]), greedy: tokens(answer["greedy"]),
                margins: numbers(answer["greedy_margins"]), logSumExp: numbers(answer["log_sum_exp"]),
                tokenLogits: numbers(answer["token_logits"]), topIDs: (answer["top_ids"]?.array ?? []).map(tokens),
                topLogits: (answer["top_logits"]?.array ?? []).map(numbers))
        }
    }
}
