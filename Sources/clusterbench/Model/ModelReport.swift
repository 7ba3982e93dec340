import Basics
import Foundation
import Kernels
import OrderedCollections
import ServiceSupport

/// Figures of a model for people and for programs.
struct ModelReport {
    let path: String
    let threadCount: Int
    let instructionSet: InstructionSet
    let loadSeconds: Double
    let residentBytes: UInt64
    let weightBytes: UInt64
    let bytesPerToken: Double
    let readGigabytesPerSecond: Double
    let keyValueText: String

    init(path: String, subject: ModelUnderTest, compute: Compute, readGigabytesPerSecond: Double) {
        self.path = path
        threadCount = compute.pool.threadCount
        instructionSet = compute.instructionSet
        loadSeconds = subject.loadSeconds
        residentBytes = ProcessMemory.residentBytes()
        weightBytes = subject.weightBytes
        keyValueText = subject.keyValueText
        bytesPerToken = Double(subject.bytesPerToken)
        self.readGigabytesPerSecond = readGigabytesPerSecond
    }

    var header: String {
        let weights = ReadableBytes.text(weightBytes)
        let resident = ReadableBytes.text(residentBytes)
        return """
            \(path): \(weights) of weights, \(resident) resident, ready after \
            \(String(format: "%.2f", loadSeconds)) s
            \(instructionSet.rawValue), \(threadCount) threads; reading memory: \
            \(String(format: "%.1f", readGigabytesPerSecond)) GB/s
            keys and values: \(keyValueText)
            """
    }

    /// Weights that one sequence alone reads per second while it generates; nil for other figures.
    private func gigabytesPerSecond(_ result: ModelResult) -> Double? {
        guard result.kind == .decode, result.sequences == 1 else { return nil }
        return result.tokensPerSecond * bytesPerToken / 1e9
    }

    func line(_ result: ModelResult) -> String {
        switch result.kind {
        case .prompt: return String(format: "prompt of %d: %.1f tokens/s", result.tokens, result.tokensPerSecond)
        case .decode:
            let ceiling = result.readGigabytesPerSecond ?? readGigabytesPerSecond
            let share = gigabytesPerSecond(result).map { rate in
                String(
                    format: ", %.1f GB/s (%.0f %% of the %.1f GB/s just then)", rate, 100 * rate / ceiling, ceiling)
            }
            return String(format: "decode, %d together: %.1f tokens/s", result.sequences, result.tokensPerSecond)
                + (share ?? "")
        }
    }

    func json(_ results: [ModelResult]) -> JSON {
        let list = results.map { result -> JSON in
            var members: OrderedDictionary<String, JSON> = [
                "kind": .string(result.kind.rawValue), "sequences": .integer(Int64(result.sequences)),
                "tokens": .integer(Int64(result.tokens)), "tokensPerSecond": .double(result.tokensPerSecond),
            ]
            if let rate = gigabytesPerSecond(result) { members["gigabytesPerSecond"] = .double(rate) }
            if let ceiling = result.readGigabytesPerSecond { members["readGigabytesPerSecond"] = .double(ceiling) }
            return .object(members)
        }
        return .object([
            "model": .string(path), "threads": .integer(Int64(threadCount)),
            "instructionSet": .string(instructionSet.rawValue), "keyValues": .string(keyValueText),
            "loadSeconds": .double(loadSeconds),
            "residentBytes": .integer(Int64(residentBytes)), "weightBytes": .integer(Int64(weightBytes)),
            "readGigabytesPerSecond": .double(readGigabytesPerSecond), "results": .array(list),
        ])
    }
}
