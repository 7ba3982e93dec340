import Basics
import Engine
import Foundation
import Kernels
import TestSupport
import Testing
import Wire

@Suite struct SamplerTests {
    let compute: Compute

    init() throws { compute = try Compute(instructionSet: .best, threadCount: 1) }

    /// Draws once for each of many positions, as a sequence of growing length would.
    func draws(_ logits: [Float], _ parameters: SamplingParameters, count: Int = 400) -> [Int] {
        var sampler = Sampler(compute: compute)
        return (0..<count).map { position in
            let context = Sampler.Context(
                parameters: parameters, prompt: Array(repeating: TokenID(0), count: position + 1), output: [],
                banned: [])
            return Int(logits.withUnsafeBufferPointer { sampler.draw($0, context)?.value ?? -1 })
        }
    }

    /// What the filters leave, found the plain way: sort everything.
    static func allowed(_ logits: [Float], _ parameters: SamplingParameters) -> Set<Int> {
        let largest = logits.max() ?? 0
        let scaled = logits.map { exp(Double($0 - largest) / Double(parameters.temperature)) }
        var order = logits.indices.sorted { (scaled[$1], $0) < (scaled[$0], $1) }
        if parameters.topK > 0 { order = Array(order.prefix(Int(parameters.topK))) }
        let total = order.reduce(0) { $0 + scaled[$1] }
        var held = 0.0
        var kept: [Int] = []
        for token in order {
            kept.append(token)
            held += scaled[token]
            if held >= Double(parameters.topP) * total { break }
        }
        return Set(kept.filter { scaled[$0] >= Double(parameters.minP) })
    }

    @Test(arguments: 0..<60) func onlyWhatTheFiltersLeaveIsDrawn(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let logits = (0..<500).map { _ in random.normal() * 3 }
        let parameters = SamplingParameters(
            temperature: Float.random(in: 0.2...2, using: &random), topP: Float.random(in: 0.1...1, using: &random),
            topK: UInt32.random(in: 0...30, using: &random), minP: Float.random(in: 0...0.3, using: &random), seed: seed
        )
        let allowed = Self.allowed(logits, parameters)
        let drawn = Set(draws(logits, parameters))
        #expect(drawn.isSubset(of: allowed))
        if allowed.count <= 3 { #expect(drawn == allowed || parameters.minP < 0.05) }
    }

    @Test func sharesFollowTheProbabilities() {
        let logits = [0.5, 0.25, 0.125, 0.125].map { Float(log($0)) }
        let counts = draws(logits, SamplingParameters(temperature: 1, seed: 3), count: 8000)
            .reduce(into: [Int](repeating: 0, count: 4)) { $0[$1] += 1 }
        for (count, share) in zip(counts, [0.5, 0.25, 0.125, 0.125]) {
            #expect(abs(Double(count) / 8000 - share) < 0.02)
        }
    }

    @Test func greedyTakesTheLowerOfEquals() {
        #expect(Set(draws([1, 7, 7, 3], SamplingParameters(temperature: 0), count: 3)) == [1])
    }

    @Test func notANumberNeverWins() {
        let logits: [Float] = [.nan, 1, 2, -.infinity]
        #expect(Set(draws(logits, SamplingParameters(temperature: 0), count: 2)) == [2])
        #expect(Set(draws(logits, SamplingParameters(temperature: 1, seed: 1))) == [1, 2])
        #expect(draws([.nan, .nan], SamplingParameters(temperature: 1), count: 1) == [-1])
        #expect(draws([.infinity, 1], SamplingParameters(temperature: 0), count: 1) == [-1])
    }

    @Test func penaltiesAndBiasMoveLogits() {
        var sampler = Sampler(compute: compute)
        func draw(_ parameters: SamplingParameters, output: [TokenID] = [], banned: [TokenID] = []) -> Int32 {
            let context = Sampler.Context(
                parameters: parameters, prompt: [TokenID(3)], output: output, banned: banned)
            return [Float(5), 4.5, 4, 3.9].withUnsafeBufferPointer { sampler.draw($0, context)?.value ?? -1 }
        }
        #expect(draw(SamplingParameters()) == 0)
        #expect(draw(SamplingParameters(presencePenalty: 0.6), output: [TokenID(0)]) == 1)
        #expect(draw(SamplingParameters(frequencyPenalty: 0.6), output: [TokenID(0), TokenID(1), TokenID(1)]) == 0)
        #expect(draw(SamplingParameters(frequencyPenalty: 0.6), output: [TokenID(0), TokenID(1)]) == 0)
        #expect(draw(SamplingParameters(repetitionPenalty: 2), output: [TokenID(0), TokenID(1), TokenID(2)]) == 0)
        #expect(draw(SamplingParameters(logitBias: [.init(token: TokenID(3), bias: 2)])) == 3)
        #expect(draw(SamplingParameters(), banned: [TokenID(0), TokenID(1)]) == 2)
    }
}
