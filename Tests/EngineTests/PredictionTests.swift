import Basics
import ExpertParallel
import Foundation
import Kernels
import Models
import TestSupport
import Testing
import Weights

/// Layers that predict further tokens: what they say is what the reference says, the same bits however a text is cut
/// and whatever computes it, and the model's own answers do not depend on them.
@Suite struct PredictionTests {
    /// As in `GoldenTests`.
    static let tolerance = 0.002

    static let texts: [[TokenID]] = [41, 17].enumerated().map { number, count in
        (0..<count).map { TokenID(Int32(3 + ($0 * 29 + number * 71) % 300)) }
    }

    @Test(arguments: Fixtures.predictingNames) func predictionsEqualTheReference(name: String) throws {
        let run = try PredictionRun(name, activations: .f32)
        var worst = 0.0
        for expected in try GoldenAnswer.load(name) {
            let golden = try #require(expected.prediction)
            let tokens = expected.tokens
            let found = try run.predict([tokens], stepRows: 64)[0].predicted.map(PredictionRun.logProbabilities)
            try #require(found.count == tokens.count - 1 && found.count == golden.logSumExp.count)
            for (position, row) in found.enumerated() {
                let best = golden.bestLogits[position] - golden.logSumExp[position]
                worst = max(worst, abs(row[Int(golden.bestTokens[position].value)] - best))
                guard position + 2 < tokens.count else { continue }
                let logprob = golden.tokenLogits[position] - golden.logSumExp[position]
                worst = max(worst, abs(row[Int(tokens[position + 2].value)] - logprob))
            }
        }
        #expect(worst < Self.tolerance)
    }

    /// Cut into steps of any size, alone or beside another sequence, on any number of threads.
    @Test(arguments: Fixtures.predictingNames, ActivationFormat.allCases)
    func anyCutGivesTheSameBits(name: String, activations: ActivationFormat) throws {
        let alone = try PredictionRun(name, activations: activations)
        let expected = try Self.texts.map { try alone.predict([$0], stepRows: 64)[0] }
        for stepRows in [1, 7, 64] {
            let run = try PredictionRun(name, threads: stepRows == 7 ? 4 : 1, activations: activations)
            #expect(try run.predict(Self.texts, stepRows: stepRows) == expected)
        }
    }

    @Test(arguments: Fixtures.predictingNames, InstructionSet.available)
    func anyInstructionSetGivesTheSameBits(name: String, instructionSet: InstructionSet) throws {
        let expected = try PredictionRun(name).predict(Self.texts, stepRows: 64)
        let run = try PredictionRun(name, instructionSet: instructionSet, threads: 3)
        #expect(try run.predict(Self.texts, stepRows: 11) == expected)
    }

    /// The model says the same with prediction layers as without, before, between and after predictions.
    @Test(arguments: Fixtures.predictingNames) func theModelsOwnAnswersStayAsTheyAre(name: String) throws {
        let without = try PredictionRun(name, predictionLayers: 0)
        let expected = try without.predict(Self.texts, stepRows: 64).map(\.own)
        let run = try PredictionRun(name)
        #expect(try run.predict(Self.texts, stepRows: 5).map(\.own) == expected)
        let golden = try GoldenAnswer.load(name)[1]
        #expect(golden.prompt.count > 1)
    }

    /// A prediction that is made from a prediction: the layer again, one position on, as drafts of several tokens are.
    @Test(arguments: Fixtures.predictingNames) func aDraftCanGoOn(name: String) throws {
        let tokens = Self.texts[0]
        let run = try PredictionRun(name)
        let one = try run.draft(tokens, count: 3, stepRows: 64)
        #expect(one.count == 3)
        #expect(try run.draft(tokens, count: 3, stepRows: 1) == one)
        #expect(try PredictionRun(name, instructionSet: .generic).draft(tokens, count: 3, stepRows: 9) == one)
        // What a draft left in the cache is replaced by what is computed there later.
        let plain = try run.predict([tokens], stepRows: 64)
        #expect(try run.predict([tokens], stepRows: 6, draftsBetween: true) == plain)
    }

    /// Who does not ask has the experts and the cache of a model without such layers.
    @Test(arguments: Fixtures.predictingNames) func nothingIsLoadedThatIsNotAskedFor(name: String) throws {
        let checkpoint = try Checkpoint.open(Fixtures.checkpoint(name))
        let plain = try Registry.describe(checkpoint)
        let full = try Registry.describe(checkpoint, predictionLayers: 5)
        #expect(plain.predictionLayers.isEmpty && full.predictionLayers.count == 1)
        let further = LayerIndex(plain.layers.count)
        let (few, all) = (
            ExpertLoader(checkpoint: checkpoint, description: plain),
            ExpertLoader(checkpoint: checkpoint, description: full)
        )
        let mixture = try #require(full.predictionLayers[0].layer.mixture)
        let shards = try all.shardSizes().map(\.shard)
        #expect(try few.shardSizes().map(\.shard) == shards.dropLast(mixture.expertCount))
        let last = ShardID.expert(layer: further, expert: ExpertIndex(mixture.expertCount - 1))
        #expect(shards.last == last && all.contains(last) && !few.contains(last))
        #expect(!all.contains(.expert(layer: LayerIndex(further.value + 1), expert: ExpertIndex(0))))
        let (model, both) = (try Model(plain, from: checkpoint), try Model(full, from: checkpoint))
        #expect(Array(both.cacheLayouts().dropLast()) == model.cacheLayouts())
    }

    /// A tensor that is missing or has another shape is reported when the layer is loaded, and does no harm before.
    @Test func brokenLayersAreRefusedWhenTheyAreLoaded() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.copy(Fixtures.checkpoint("deepseek_v32_bf16"), to: "model")
        let name = "model.layers.2.eh_proj.weight"
        func refusal(replacing old: String, by new: String) throws -> WeightsError? {
            let file = path + "/model.safetensors"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            let range = try #require(bytes.range(of: Data(old.utf8)))
            try #require(old.utf8.count == new.utf8.count)
            bytes.replaceSubrange(range, with: Data(new.utf8))
            try bytes.write(to: URL(fileURLWithPath: file))
            let checkpoint = try Checkpoint.open(path)
            _ = try Model(Registry.describe(checkpoint), from: checkpoint)
            return #expect(throws: WeightsError.self) {
                try Model(Registry.describe(checkpoint, predictionLayers: 1), from: checkpoint)
            }
        }
        let shape = try #require(try refusal(replacing: "[64,128]", by: "[128,64]"))
        #expect("\(shape)".contains(name) && "\(shape)".contains("[64, 128]"))
        let missing = try #require(try refusal(replacing: name, by: "model.layers.2.eh_porj.weight"))
        #expect("\(missing)".contains(name))
    }
}
