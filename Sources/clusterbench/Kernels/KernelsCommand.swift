import ArgumentParser
import Basics
import Kernels

/// `clusterbench kernels`: what the linear layers reach of what this machine can do.
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Measures the linear kernels beside the ceilings of this machine.",
        discussion: """
            Matrices of one shape, together larger than the caches, are multiplied one after the other with a number \
            of tokens, for each format. GB/s counts the stored weights, GOPS a multiplication and an addition as two. \
            The ceilings (reading memory, integer dot products) are measured again before every format: shares are \
            made of neighbours in time.
            """)

    @Option(name: .long, help: "Formats, separated by commas; all of them by default.")
    var formats = WeightFormat.allCases.map(\.rawValue).joined(separator: ",")

    @Option(name: .long, help: "Rows of a matrix.")
    var rows = 768

    @Option(name: .long, help: "Columns of a matrix.")
    var columns = 2048

    @Option(name: .long, help: "Tokens per multiplication, separated by commas.")
    var tokens = "1,4,8,32,128"

    @Option(name: .long, help: "Weights of all matrices of a format together, in MiB.")
    var mebibytes = 1024

    @OptionGroup var computeOptions: ComputeOptions

    @Option(name: .long, help: "Measurements of each; the median is shown.")
    var rounds = 5

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var tokenCounts: [Int] { tokens.split(separator: ",").compactMap { Int($0) } }
    private var formatList: [WeightFormat] { formats.split(separator: ",").compactMap { WeightFormat(name: $0) } }

    func validate() throws {
        guard formatList.count == formats.split(separator: ",").count, !formatList.isEmpty else {
            let known = WeightFormat.allCases.map(\.rawValue).joined(separator: ", ")
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
        guard (1...limits.mebibytesMax).contains(mebibytes), (1...limits.roundsMax).contains(rounds) else {
            throw ValidationError(
                "mebibytes is from 1 to \(limits.mebibytesMax), rounds from 1 to \(limits.roundsMax)")
        }
    }

    func run() throws {
        let compute = try computeOptions.makeCompute()
        let measurement = KernelMeasurement(
            compute: compute, rows: rows, columns: columns, byteCount: mebibytes << 20, rounds: rounds)
        if !json { print(KernelResult.header(compute: compute, rows: rows, columns: columns)) }
        var results: [KernelResult] = []
        for format in formatList {
            let measured = try measurement.measure(format, tokenCounts: tokenCounts)
            if !json { for result in measured { print(result.line) } }
            results += measured
        }
        if json { print(JSON.array(results.map(\.json)).serialised()) }
    }
}

extension WeightFormat {
    fileprivate init?(name: Substring) {
        guard let format = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = format
    }
}
