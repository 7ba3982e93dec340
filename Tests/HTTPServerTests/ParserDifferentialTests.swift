import HTTPServer
import Testing

@Suite struct ParserDifferentialTests {
    /// Whatever we take, the oracle takes too and understands in the same way. (The other way round we refuse more:
    /// bare line feeds, folded lines, a missing Host and so on; those are in the corpus of malformed requests.)
    @Test(.enabled(if: ParserOracle.isAvailable, "needs cc and libhttp-parser-dev"))
    func whatWeTakeTheOracleUnderstandsTheSame() async throws {
        let directory = try TemporaryDirectory()
        let seeds = ParserTests.goldens.map { wire($0.0) }
        var mutator = RequestMutator(numbers: SeededNumbers(state: 7), seeds: seeds, mutationsMax: 2)
        let inputs = seeds + (0..<3000).map { _ in mutator.next() }
        let verdicts = try await onThread {
            let program = try #require(try ParserOracle.compile(in: directory))
            return try ParserOracle.judge(inputs, program: program)
        }
        #expect(verdicts.count == inputs.count)
        var compared = 0
        for (input, verdict) in zip(inputs, verdicts) {
            let ours = Self.complete(Transcript(input))
            guard !ours.isEmpty, !Self.isKnownDifference(input, ours) else { continue }
            compared += 1
            #expect(
                Array(verdict.prefix(ours.count)) == ours, "\(String(decoding: input, as: UTF8.self).debugDescription)")
        }
        #expect(compared > 500)
    }

    /// The complete requests of our transcript, without what the oracle does not say.
    private static func complete(_ ours: Transcript) -> [String] {
        let lines = ours.lines[..<((ours.lines.lastIndex(of: "end") ?? -1) + 1)]
        return lines.filter { !$0.hasPrefix("[") }
    }

    /// Whole addresses as targets, which the oracle does not shorten to the path, and methods that it does not know.
    private static func isKnownDifference(_ input: [UInt8], _ ours: [String]) -> Bool {
        if String(decoding: input, as: UTF8.self).lowercased().contains("://") { return true }
        let starts = [0] + ours.indices.filter { ours[$0] == "end" && $0 + 1 < ours.count }.map { $0 + 1 }
        return starts.contains { !["GET", "POST", "OPTIONS"].contains(String(ours[$0].prefix { $0 != " " })) }
    }
}
