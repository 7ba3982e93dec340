import ArgumentParser
import Basics
import Foundation
import Kernels
import OrderedCollections
import Weights

/// `clusterbench model`: how fast one process computes a model, without any network.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Measures the engine in this process: prompts and answers, no network.",
        discussion: """
            Loads the whole model, then times prompts, and answers of several sequences together (greedy, whatever the \
            model says). Reading the model's weights without computing is timed beside them: decoding cannot be faster \
            than reading the weights that a token needs.
            """)

    @Option(name: .long, help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @Option(name: .shortAndLong, help: "Tokens of the prompt that is timed; 0 times none.")
    var prompt = 512

    @Option(name: [.customShort("n"), .long], help: "Tokens that each sequence generates.")
    var tokens = 64

    @Option(name: .shortAndLong, help: "Numbers of sequences that generate together, separated by commas.")
    var batch = "1,4,8,16,32"

    @OptionGroup var computeOptions: ComputeOptions

    @OptionGroup var resultsOption: ResultsOption

    @Option(name: .long, help: "Prompt tokens in one step.")
    var prefillChunkTokens = 512

    @Option(name: .long, help: "How keys and values are stored: auto (by the weights), f32, f16 or int8.")
    var keyValueFormat = "auto"

    @Option(name: .long, help: "Directory of packed weights, read and written as a cluster does; none by default.")
    var weightCache: String?

    @Option(name: .long, help: "Measurements of each figure; the median is shown.")
    var rounds = 3

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var sequenceCounts: [Int] { batch.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        let limits = Limits.KernelBenchmark.self
        guard (0...limits.tokensMax).contains(prompt), (1...limits.tokensMax).contains(tokens),
            (1...limits.tokensMax).contains(prefillChunkTokens)
        else { throw ValidationError("prompt, tokens and prefill-chunk-tokens are at most \(limits.tokensMax)") }
        guard sequenceCounts.count == batch.split(separator: ",").count,
            sequenceCounts.allSatisfy({ (1...limits.sequencesMax).contains($0) })
        else { throw ValidationError("batch is numbers from 1 to \(limits.sequencesMax)") }
        guard keyValueFormat == "auto" || KeyValueFormat(rawValue: keyValueFormat) != nil else {
            throw ValidationError("key-value-format is auto, f32, f16 or int8")
        }
        guard (1...limits.roundsMax).contains(rounds) else {
            throw ValidationError("rounds are from 1 to \(limits.roundsMax)")
        }
    }

    private func makeWeightCache() -> WeightCache? {
        weightCache.map { directory in
            WeightCache(directory: directory, bytesMax: nil) { event in
                guard case .refused(let reason) = event else { return }
                FileHandle.standardError.write(Data("weight cache: \(reason)\n".utf8))
            }
        }
    }

    func run() throws {
        let (compute, placement) = try computeOptions.makeCompute()
        let subject = try ModelUnderTest(
            path: model, compute: compute, placement: placement, sequencesMax: max(1, sequenceCounts.max() ?? 1),
            tokensPerSequenceMax: max(prompt, ModelUnderTest.promptTokensPerSequence) + tokens,
            prefillChunkTokens: prefillChunkTokens, keyValueFormat: KeyValueFormat(rawValue: keyValueFormat),
            results: resultsOption.format, cache: makeWeightCache())
        defer { subject.stop() }
        let report = ModelReport(
            path: model, subject: subject, compute: compute,
            readGigabytesPerSecond: subject.readGigabytesPerSecond(rounds: rounds))
        if !json { print(report.header) }
        var results: [ModelResult] = []
        func add(_ result: ModelResult) {
            results.append(result)
            if !json { print(report.line(result)) }
        }
        if prompt > 0 { add(try subject.measurePrompt(tokens: prompt, rounds: rounds)) }
        for count in sequenceCounts { add(try subject.measureDecode(sequences: count, tokens: tokens, rounds: rounds)) }
        if json { print(report.json(results).serialised()) }
    }
}
