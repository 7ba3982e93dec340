import ArgumentParser
import Basics
import Kernels

/// `clusterbench accuracy`: how far rounding moves a model's predictions.
struct AccuracyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accuracy", abstract: "Compares a model's predictions with those without rounding.",
        discussion: """
            Reads texts from standard input, each a line with a JSON array of token ids as `clusterctl tokenize` \
            prints it, and predicts each next token twice: with activations, keys, values and experts' results in \
            f32, and as the options say. Prints the Kullback-Leibler divergence of the second from the first over all \
            tokens: its mean, median, 99th percentile and maximum; and how often the likeliest token is the same. \
            Rounding of the weights themselves is in both.
            """)

    @Option(name: .long, help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @OptionGroup var computeOptions: ComputeOptions

    @OptionGroup var resultsOption: ResultsOption

    @Option(name: .long, help: "How keys and values are stored: f32, f16 or int8.")
    var keyValueFormat = KeyValueFormat.f32.rawValue

    @Option(
        name: .long,
        help: "Compare only from the first token of this id on, such as the mark before an answer; absent: everywhere.")
    var after: Int32?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard KeyValueFormat(rawValue: keyValueFormat) != nil else {
            throw ValidationError("key-value-format is f32, f16 or int8")
        }
    }

    func run() throws {
        let (compute, placement) = try computeOptions.makeCompute()
        let predictor = try Predictor(path: model, threadCount: compute.pool.threadCount, placement: placement)
        let format = KeyValueFormat(rawValue: keyValueFormat) ?? .f32
        let results = try predictor.resultFormat(resultsOption.format, compute.activations)
        var comparison = PredictionComparison()
        for tokens in try TokenTexts.read(vocabularySize: predictor.vocabularySize) {
            guard let first = after.map({ tokens.firstIndex(of: TokenID($0)) }) ?? 0 else { continue }
            let exact = try predictor.logProbabilities(
                tokens, compute: compute.using(.f32), keyValueFormat: .f32, results: .f32)
            let rounded = try predictor.logProbabilities(
                tokens, compute: compute, keyValueFormat: format, results: results)
            comparison.add(exact: exact[first...], rounded: rounded[first...])
        }
        let label =
            "activations in \(compute.activations.rawValue), results in \(results.rawValue), "
            + "keys and values in \(keyValueFormat)"
        print(json ? comparison.json.serialised() : "\(label): \(comparison.line)")
    }
}
