import ArgumentParser
import Basics
import Kernels

/// `clusterbench kernels`: what the linear layers reach of what this machine can do.
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures linear kernels and attention beside the ceilings of this machine.",
        discussion: """
            Matrices of one shape, together larger than the caches, are multiplied one after the other with a number \
            of tokens, for each format. GB/s counts the stored weights, GOPS a multiplication and an addition as two. \
            The ceilings (reading memory, integer dot products) are measured again with every figure: shares are \
            made of neighbours in time. Attention is that of one row with 32 query and 4 key/value heads of 128 \
            numbers, for each way to store keys and values; its GB/s count these.
            """)

    @Option(name: .long, help: "Formats, separated by commas; all of them by default.")
    var formats = MatrixFormat.measured.map(\.description).joined(separator: ",")

    @Option(name: .long, help: "Rows of a matrix.")
    var rows = 768

    @Option(name: .long, help: "Columns of a matrix.")
    var columns = 2048

    @Option(name: .long, help: "Tokens per multiplication, separated by commas.")
    var tokens = "1,4,8,32,128"

    @Option(name: .long, help: "Weights of all matrices of a format together, in MiB.")
    var mebibytes = 1024

    @Option(name: .long, help: "Contexts over which attention is timed, in tokens, separated by commas; 0: none.")
    var contexts = "512,4096,32768"

    @OptionGroup var computeOptions: ComputeOptions

    @Option(name: .long, help: "Measurements of each; the median is shown.")
    var rounds = 5

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var contextTokens: [Int] { contexts.split(separator: ",").compactMap { Int($0) } }
    private var tokenCounts: [Int] { tokens.split(separator: ",").compactMap { Int($0) } }
    private var formatList: [MatrixFormat] { formats.split(separator: ",").compactMap { MatrixFormat(name: $0) } }

    func validate() throws {
        guard formatList.count == formats.split(separator: ",").count, !formatList.isEmpty else {
            let known = MatrixFormat.measured.map(\.description).joined(separator: ", ")
            throw ValidationError("formats are some of \(known)")
        }
        let limits = Limits.KernelBenchmark.self
        guard (1...limits.rowsMax).contains(rows), (256...limits.columnsMax).contains(columns), columns % 256 == 0
        else {
            throw ValidationError(
                "rows are from 1 to \(limits.rowsMax), columns a multiple of 256 up to \(limits.columnsMax)")
        }
        guard !tokenCounts.isEmpty, tokenCounts.count == tokens.split(separator: ",").count,
            tokenCounts.allSatisfy({ (1...limits.tokensMax).contains($0) })
        else { throw ValidationError("tokens are numbers from 1 to \(limits.tokensMax)") }
        guard contextTokens.count == contexts.split(separator: ",").count,
            contextTokens.allSatisfy({ (0...limits.contextTokensMax).contains($0) })
        else { throw ValidationError("contexts are numbers up to \(limits.contextTokensMax)") }
        guard (1...limits.mebibytesMax).contains(mebibytes), (1...limits.roundsMax).contains(rounds) else {
            throw ValidationError(
                "mebibytes is from 1 to \(limits.mebibytesMax), rounds from 1 to \(limits.roundsMax)")
        }
    }

    func run() throws {
        let (compute, placement) = try computeOptions.makeCompute()
        let measurement = KernelMeasurement(
            compute: compute, placement: placement, rows: rows, columns: columns, byteCount: mebibytes << 20,
            rounds: rounds)
        if !json { print(KernelResult.header(compute: compute, rows: rows, columns: columns)) }
        var results: [KernelResult] = []
        for format in formatList {
            let measured = try measurement.measure(format, tokenCounts: tokenCounts)
            if !json { for result in measured { print(result.line) } }
            results += measured
        }
        let attention = try measureAttention(compute, placement)
        if json { print(JSON.array(results.map(\.json) + attention.map(\.json)).serialised()) }
    }

    private func measureAttention(_ compute: Compute, _ placement: WeightPlacement) throws -> [AttentionResult] {
        let contexts = contextTokens.filter { $0 > 0 }
        guard !contexts.isEmpty else { return [] }
        if !json { print(AttentionResult.header) }
        return try KeyValueFormat.allCases.flatMap { format in
            let measurement = AttentionMeasurement(compute: compute, format: format, rounds: rounds)
            let weights = try Ceilings.sampleMatrices(placement)
            return contexts.map { context in
                let ceilings = Ceilings(compute: compute, reading: weights, rounds: rounds)
                let result = measurement.measure(context: context, ceilings: ceilings)
                if !json { print(result.line) }
                return result
            }
        }
    }
}

extension MatrixFormat {
    /// All that are stored by themselves, and of those in groups the published ones: 8-bit floats in blocks of 128,
    /// compressed-tensors, GPTQ and AWQ, and GPTQ with an order of columns.
    fileprivate static let measured =
        WeightFormat.allCases.map(MatrixFormat.stored)
        + [
            GroupedFormat(code: .e4m3, groupColumns: 128, scale: .f32, isSharedByPanel: true),
            GroupedFormat(code: .int4, groupColumns: 32, scale: .bf16),
            GroupedFormat(code: .int4, groupColumns: 128, scale: .f16, zeros: .storedMinusOne),
            GroupedFormat(code: .int8, groupColumns: 128, scale: .f16, zeros: .storedMinusOne),
            GroupedFormat(code: .int4, groupColumns: 128, scale: .f16, zeros: .storedMinusOne, isReordered: true),
        ].map(MatrixFormat.grouped)

    fileprivate init?(name: Substring) {
        guard let format = Self.measured.first(where: { $0.description.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = format
    }
}
