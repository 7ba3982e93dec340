import ArgumentParser
import Basics
import Foundation
import Kernels

/// What the commands that compute in this process have in common.
struct ComputeOptions: ParsableArguments {
    @Option(name: .long, help: "Compute threads; 0: one per processor.")
    var threads = 0

    @Option(
        name: .long,
        help: "Instruction set: auto, or one of \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")).")
    var isa = "auto"

    @Option(name: .long, help: "Activations with weights in blocks: int8 or f32.")
    var activations = ActivationFormat.int8.rawValue

    func validate() throws {
        guard ActivationFormat(rawValue: activations) != nil else {
            throw ValidationError("activations is int8 or f32")
        }
    }

    /// Kernels and threads as asked for.
    func makeCompute() throws -> Compute {
        try Compute(
            instructionSet: InstructionSet(choice: isa),
            threadCount: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount,
            activations: ActivationFormat(rawValue: activations) ?? .int8)
    }
}
