import ArgumentParser
import Configuration
import Kernels

/// The form of experts' results, for the commands that run a whole model.
struct ResultsOption: ParsableArguments {
    @Option(
        name: .long,
        help: "In which form experts' rows are added up: auto (as in a cluster), f32, bf16 or int8.")
    var results = ResultsChoice.auto.rawValue

    func validate() throws {
        guard ResultsChoice(rawValue: results) != nil else {
            throw ValidationError("results is auto, f32, bf16 or int8")
        }
    }

    /// What was asked for; nil for what suits the model.
    var format: ResultFormat? { ResultFormat(rawValue: results) }
}
