import ArgumentParser
import Basics
import Kernels
import Models

/// `clusterbench prediction`: what a model's layers that predict further tokens are worth.
struct PredictionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prediction",
        abstract: "Measures how often a model's layers that predict further tokens are right.",
        discussion: """
            Reads texts from standard input, each a line with a JSON array of token ids as `clusterctl tokenize` \
            prints it, and runs the model and its prediction layers over them; with --generate over its own greedy \
            continuation of each. Prints for each layer at how many positions its likeliest token is the one that the \
            model itself finds likeliest there, once it has read the token between (what greedy speculation would \
            accept), and the mean overlap of the two distributions, the sum of the lesser of both probabilities over \
            all tokens (what sampled speculation would accept, arXiv 2211.17192). Also what the layers' weights take, \
            and what a step of one token takes without and with predictions.
            """)

    @Option(name: .long, help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @Option(name: .long, help: "Compare on so many tokens that the model itself appends to each text; 0: on the texts.")
    var generate = 0

    @OptionGroup var computeOptions: ComputeOptions

    @OptionGroup var resultsOption: ResultsOption

    @Option(name: .long, help: "How keys and values are stored: auto (by the weights), f32, f16 or int8.")
    var keyValueFormat = "auto"

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard keyValueFormat == "auto" || KeyValueFormat(rawValue: keyValueFormat) != nil else {
            throw ValidationError("key-value-format is auto, f32, f16 or int8")
        }
        guard (0...Limits.KernelBenchmark.textTokensMax).contains(generate) else {
            throw ValidationError("generate is from 0 to \(Limits.KernelBenchmark.textTokensMax)")
        }
    }

    func run() throws {
        let (compute, placement) = try computeOptions.makeCompute()
        let measurement = try PredictionMeasurement(
            path: model, compute: compute, placement: placement, format: KeyValueFormat(rawValue: keyValueFormat),
            results: resultsOption.format)
        let texts = try TokenTexts.read(vocabularySize: measurement.vocabularySize)
        var report = PredictionReport(layerCount: measurement.layerCount)
        for text in texts {
            let tokens = try measurement.continued(text, by: generate)
            try measurement.compare(tokens, from: generate > 0 ? text.count - 1 : 0, &report)
            report.tokenCount += tokens.count
        }
        report.textCount = texts.count
        report.weightBytes = measurement.weightBytes
        report.steps = try measurement.timeSteps(texts[0])
        if json {
            print(report.json(model: model, family: measurement.family).serialised())
        } else {
            report.lines.forEach { print($0) }
        }
    }
}
