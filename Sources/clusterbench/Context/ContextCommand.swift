import ArgumentParser
import Basics
import Foundation
import Kernels
import Models
import OrderedCollections

/// `clusterbench context`: what a token costs far into a sequence.
struct ContextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context", abstract: "Measures single tokens after contexts of several lengths, no network.",
        discussion: """
            What the model would keep of the context is not computed but made up: random numbers of the right size and \
            form, which take as long to read. Prints the milliseconds of a token and what the cache holds.
            """)

    @Option(name: .long, help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @Option(name: .long, help: "Lengths of contexts in tokens, separated by commas.")
    var contexts = "1024,2048,4096,8192,16384,32768,65536"

    @Option(name: [.customShort("n"), .long], help: "Tokens that are timed after each context; the median is shown.")
    var tokens = 32

    @OptionGroup var computeOptions: ComputeOptions

    @Option(name: .long, help: "How keys and values are stored: auto (by the weights), f32 or f16.")
    var keyValueFormat = "auto"

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var lengths: [Int] { contexts.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        let limits = Limits.KernelBenchmark.self
        guard !lengths.isEmpty, lengths.count == contexts.split(separator: ",").count,
            lengths.allSatisfy({ (1...limits.contextTokensMax).contains($0) })
        else { throw ValidationError("contexts are numbers from 1 to \(limits.contextTokensMax)") }
        guard (1...limits.tokensMax).contains(tokens) else {
            throw ValidationError("tokens are from 1 to \(limits.tokensMax)")
        }
        guard ["auto", "f32", "f16"].contains(keyValueFormat) else {
            throw ValidationError("key-value-format is auto, f32 or f16")
        }
    }

    func run() throws {
        let (compute, placement) = try computeOptions.makeCompute()
        let subject = try ContextMeasurement(
            path: model, compute: compute, placement: placement, format: KeyValueFormat(rawValue: keyValueFormat))
        // The first steps of a process find no weights in caches and no page tables.
        _ = try subject.measure(context: lengths[0], tokens: tokens)
        var results: [JSON] = []
        for length in lengths {
            let result = try subject.measure(context: length, tokens: tokens)
            results.append(result.json)
            if !json { print(result.line) }
        }
        if json { print(JSON.object(["model": .string(model), "results": .array(results)]).serialised()) }
    }
}
