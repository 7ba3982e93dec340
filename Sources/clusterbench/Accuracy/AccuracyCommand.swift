import ArgumentParser
import Basics
import Foundation
import Kernels

/// `clusterbench accuracy`: how far rounding moves a model's predictions.
struct AccuracyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accuracy", abstract: "Compares a model's predictions with those without rounding.",
        discussion: """
            Reads token ids, a JSON array as `clusterctl tokenize` prints it, from standard input and predicts each \
            next token twice: with activations, keys and values in f32, and as the options say. Prints the \
            Kullback-Leibler divergence of the second from the first, on average over the tokens and at most, and how \
            often the likeliest token is the same. Rounding of the weights themselves is in both.
            """)

    @Option(name: .long, help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @OptionGroup var computeOptions: ComputeOptions

    @Option(name: .long, help: "How keys and values are stored: f32, f16 or int8.")
    var keyValueFormat = KeyValueFormat.f32.rawValue

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard KeyValueFormat(rawValue: keyValueFormat) != nil else {
            throw ValidationError("key-value-format is f32, f16 or int8")
        }
    }

    func run() throws {
        let compute = try computeOptions.makeCompute()
        let predictor = try Predictor(path: model, threadCount: compute.pool.threadCount)
        let tokens = try readTokens(vocabularySize: predictor.vocabularySize)
        let exact = try predictor.logProbabilities(tokens, compute: compute.using(.f32), keyValueFormat: .f32)
        let rounded = try predictor.logProbabilities(
            tokens, compute: compute, keyValueFormat: KeyValueFormat(rawValue: keyValueFormat) ?? .f32)
        let comparison = PredictionComparison(exact: exact, rounded: rounded)
        let label = "activations in \(compute.activations.rawValue), keys and values in \(keyValueFormat)"
        print(json ? comparison.json.serialised() : "\(label): \(comparison.line)")
    }

    private func readTokens(vocabularySize: Int) throws -> [TokenID] {
        let limit = Limits.KernelBenchmark.textTokensMax
        guard let bytes = try FileHandle.standardInput.readToEnd(), case .array(let items) = try JSON(parsing: bytes)
        else { throw MeasurementError("standard input has no JSON array of token ids") }
        guard (1...limit).contains(items.count) else {
            throw MeasurementError("\(items.count) tokens on standard input, 1 to \(limit) are expected")
        }
        return try items.enumerated().map { index, item in
            guard case .integer(let number) = item, (0..<Int64(vocabularySize)).contains(number) else {
                throw MeasurementError("token \(index) is not an id from 0 to \(vocabularySize - 1)")
            }
            return TokenID(Int32(number))
        }
    }
}
