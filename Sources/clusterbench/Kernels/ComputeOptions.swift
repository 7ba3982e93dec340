import ArgumentParser
import Configuration
import Kernels
import ServiceSupport

/// What the commands that compute in this process have in common.
struct ComputeOptions: ParsableArguments {
    @Option(name: .long, help: "Compute threads; 0: one per processor that this process may use.")
    var threads = 0

    @Option(
        name: .long,
        help: "Where threads stay: \(ThreadPinning.allCases.map(\.rawValue).joined(separator: ", ")), as in a cluster.")
    var pinning = ThreadPinning.auto.rawValue

    @Option(name: .long, help: "Pages for weights: auto (huge ones where the system has some) or off.")
    var hugePages = "auto"

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
        guard ThreadPinning(rawValue: pinning) != nil else {
            throw ValidationError("pinning is auto, none, node or processor")
        }
        guard HugePagesChoice(rawValue: hugePages) != nil else { throw ValidationError("huge-pages is auto or off") }
    }

    /// Kernels and threads as asked for, and where weights for them go.
    func makeCompute() throws -> (compute: Compute, placement: WeightPlacement) {
        let placed = ThreadPlacement(setting: threads, pinning: PinningChoice(rawValue: pinning) ?? .auto)
        let compute = try Compute(
            instructionSet: InstructionSet(choice: isa), threads: placed,
            activations: ActivationFormat(rawValue: activations) ?? .int8)
        return (compute, WeightPlacement(threads: placed, hasHugePages: hugePages == HugePagesChoice.auto.rawValue))
    }
}
