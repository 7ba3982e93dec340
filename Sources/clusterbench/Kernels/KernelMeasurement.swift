import Basics
import Foundation
import Kernels
import OrderedCollections

/// Times linear layers on matrices that do not fit the caches.
struct KernelMeasurement {
    let compute: Compute
    let placement: WeightPlacement
    let rows: Int
    let columns: Int
    /// Of all matrices of a format together.
    let byteCount: Int
    let rounds: Int

    /// Every token count of one format.
    func measure(_ format: MatrixFormat, tokenCounts: [Int]) throws -> [KernelResult] {
        let matrices = try makeMatrices(format)
        return tokenCounts.map { tokens in
            let ceilings = Ceilings(compute: compute, reading: matrices, rounds: rounds)
            let seconds = median(of: rounds) { time(matrices, tokens: tokens) }
            let weights = Double(matrices.count * rows * columns)
            return KernelResult(
                format: format, tokens: tokens,
                gigabytesPerSecond: Double(matrices.count * matrices[0].byteCount) / seconds / 1e9,
                gigaoperationsPerSecond: 2 * weights * Double(tokens) / seconds / 1e9, ceilings: ceilings)
        }
    }

    private func makeMatrices(_ format: MatrixFormat) throws -> [PackedMatrix] {
        let each = PackedMatrix.byteCount(rows: rows, columns: columns, format: format)
        let count = max(1, byteCount / each)
        guard case .stored(let stored) = format else {
            let order = (0..<columns).map { Int32($0 / 2 + $0 % 2 * (columns / 2)) }
            return try (0..<count).compactMap { _ in
                try PackedMatrix(
                    rows: rows, columns: columns, format: format, columnOrder: order, placement: placement
                ) { _, bytes in
                    SampleWeights.fill(bytes)
                    return true
                }
            }
        }
        let bytes = SampleWeights.bytes(stored, count: rows * columns)
        return try (0..<count).map { _ in
            try bytes.withUnsafeBytes { (source) throws(KernelError) in
                try PackedMatrix(
                    packing: source, rows: rows, columns: columns, format: stored, placement: placement)
            }
        }
    }

    /// Seconds to multiply all matrices once; with many tokens only some of them, extrapolated.
    private func time(_ matrices: [PackedMatrix], tokens: Int) -> Double {
        let input = Rows(capacity: tokens, width: columns)
        for index in input.view.floats.indices { input.view.floats[index] = Float(index % 17) / 16 - 0.5 }
        let output = Rows(capacity: tokens, width: rows)
        let scratch = QuantisedRows()
        let prepared = compute.linearInput(input.view, for: [matrices[0]], scratch)
        let count = max(1, matrices.count / max(1, tokens / 4))
        let start = ContinuousClock.now
        for matrix in matrices.prefix(count) { compute.linear(matrix, input: prepared, output: output.view) }
        return (ContinuousClock.now - start) / .seconds(1) * Double(matrices.count) / Double(count)
    }
}

/// What the machine can do at most.
struct Ceilings {
    let readGigabytesPerSecond: Double
    let integerGigaoperationsPerSecond: Double
    let floatGigaoperationsPerSecond: Double

    /// Measures all three; memory by reading `matrices`, which no cache holds.
    init(compute: Compute, reading matrices: [PackedMatrix], rounds: Int) {
        readGigabytesPerSecond = Self.readGigabytesPerSecond(of: matrices, compute: compute, rounds: rounds)
        let count = 2_000_000
        let perThread = Double(compute.pool.threadCount * count)
        integerGigaoperationsPerSecond = Self.rate(perThread * Double(Compute.integerOperationsPerRound), rounds) {
            compute.integerOperations(rounds: count)
        }
        floatGigaoperationsPerSecond = Self.rate(perThread * Double(Compute.floatOperationsPerRound), rounds) {
            compute.floatOperations(rounds: count)
        }
    }

    /// Half a gigabyte of weights that mean nothing.
    static func sampleMatrices(_ placement: WeightPlacement) throws -> [PackedMatrix] {
        try (0..<32).map { _ in
            try PackedMatrix(rows: 1 << 12, columns: 1 << 10, format: .stored(.f32), placement: placement) { _, bytes in
                bytes.initializeMemory(as: UInt8.self, repeating: 1)
                return true
            }
        }.compactMap(\.self)
    }

    /// How fast all threads together read `matrices`.
    static func readGigabytesPerSecond(of matrices: [PackedMatrix], compute: Compute, rounds: Int) -> Double {
        rate(Double(matrices.reduce(0) { $0 + $1.byteCount }), rounds) { compute.readAll(matrices) }
    }

    /// Billions of `operations` per second, the median of `rounds`.
    private static func rate(_ operations: Double, _ rounds: Int, _ body: () -> Void) -> Double {
        operations / median(of: rounds) { seconds(body) } / 1e9
    }
}

/// One line of the table.
struct KernelResult {
    let format: MatrixFormat
    let tokens: Int
    let gigabytesPerSecond: Double
    let gigaoperationsPerSecond: Double
    let ceilings: Ceilings

    private var operationCeiling: Double {
        !format.takesIntegers ? ceilings.floatGigaoperationsPerSecond : ceilings.integerGigaoperationsPerSecond
    }

    static func header(compute: Compute, rows: Int, columns: Int) -> String {
        """
        \(rows) x \(columns), \(compute.instructionSet.rawValue), \(compute.pool.threadCount) threads, activations \
        \(compute.activations.rawValue)
        format               tokens   GB/s   of read    GOPS   of peak
        """
    }

    var line: String {
        let name = format.description.padding(toLength: 20, withPad: " ", startingAt: 0)
        return name
            + String(
                format: " %6d %6.1f %7.0f %% %7.0f %7.0f %%", tokens, gigabytesPerSecond,
                100 * gigabytesPerSecond / ceilings.readGigabytesPerSecond, gigaoperationsPerSecond,
                100 * gigaoperationsPerSecond / operationCeiling)
    }

    var json: JSON {
        .object([
            "format": .string(format.description), "tokens": .integer(Int64(tokens)),
            "gigabytesPerSecond": .double(gigabytesPerSecond),
            "readGigabytesPerSecond": .double(ceilings.readGigabytesPerSecond),
            "gigaoperationsPerSecond": .double(gigaoperationsPerSecond),
            "peakGigaoperationsPerSecond": .double(operationCeiling),
        ])
    }
}

/// Weights that are numbers in every format: the codes do not matter, the factors do.
private enum SampleWeights {
    static func bytes(_ format: WeightFormat, count: Int) -> [UInt8] {
        // 0x11 in every byte makes small codes, and factors and plain weights that are small numbers.
        [UInt8](repeating: 0x11, count: format.byteCount(of: count))
    }

    /// Some of each 8-bit float are subnormal.
    static func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 37) & 0x37 }
    }
}

func seconds(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start) / .seconds(1)
}

func median(of rounds: Int, _ measure: () throws -> Double) rethrows -> Double {
    let sorted = try (0..<rounds).map { _ in try measure() }.sorted()
    return sorted[sorted.count / 2]
}
