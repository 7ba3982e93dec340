import Basics
import Foundation

/// Texts on standard input, each a line with a JSON array of token ids as `clusterctl tokenize` prints it.
enum TokenTexts {
    /// Reads them all; ids are below `vocabularySize`.
    static func read(vocabularySize: Int) throws -> [[TokenID]] {
        let lines = (try FileHandle.standardInput.readToEnd() ?? Data()).split(separator: UInt8(ascii: "\n"))
        guard !lines.isEmpty else { throw MeasurementError("standard input is empty") }
        return try lines.enumerated().map { number, line in
            try tokens(of: line, line: number + 1, vocabularySize: vocabularySize)
        }
    }

    private static func tokens(of text: Data, line: Int, vocabularySize: Int) throws -> [TokenID] {
        let limit = Limits.KernelBenchmark.textTokensMax
        guard case .array(let items) = try JSON(parsing: text), (1...limit).contains(items.count) else {
            throw MeasurementError("line \(line) is not a JSON array of 1 to \(limit) token ids")
        }
        return try items.enumerated().map { index, item in
            guard case .integer(let number) = item, (0..<Int64(vocabularySize)).contains(number) else {
                throw MeasurementError("line \(line), token \(index) is not an id from 0 to \(vocabularySize - 1)")
            }
            return TokenID(Int32(number))
        }
    }
}
