import Basics
import HTTPServer
import Testing

/// A small generator of numbers whose seed says everything (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Makes bytes that are nearly HTTP.
struct RequestMutator {
    var numbers: SeededNumbers
    var seeds = (ParserTests.goldens.map(\.0) + ParserTests.malformed.map(\.0)).map(wire)
    var mutationsMax = 6

    private static let words: [[UInt8]] = [
        "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", ",", "chunked", "Content-Length: 5\r\n", "0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n", "Host: x\r\n", "HTTP/1.1", "HTTP/1.0", "ffffffffffffffff", "GET ", "POST ",
        "Expect: 100-continue\r\n", "Connection: close\r\n", "\u{0}", "\u{ff}", "#", "?", "*", "http://", ";a=b",
    ].map { Array($0.utf8) }

    mutating func next() -> [UInt8] {
        var bytes = pick(seeds)
        for _ in 0..<Int.random(in: 0...mutationsMax, using: &numbers) { mutate(&bytes) }
        return bytes
    }

    private mutating func pick(_ list: [[UInt8]]) -> [UInt8] { list.randomElement(using: &numbers) ?? [] }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &numbers)
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0: bytes.insert(contentsOf: pick(Self.words), at: place)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: place)
        case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
        case 3 where place < bytes.count: bytes.remove(at: place)
        case 4: bytes += pick(seeds)
        case 5: bytes.removeLast(min(bytes.count, Int.random(in: 0...8, using: &numbers)))
        default: break
        }
    }
}

@Suite struct ParserFuzzTests {
    @Test(arguments: 0..<8)
    func nearlyHTTPIsParsedTheSameInAnyPieces(_ seed: UInt64) {
        var mutator = RequestMutator(numbers: SeededNumbers(state: seed))
        for round in 0..<150 {
            let bytes = mutator.next()
            let whole = Transcript(bytes)
            let cuts = (0..<Int.random(in: 0...10, using: &mutator.numbers))
                .map { _ in Int.random(in: 0...bytes.count, using: &mutator.numbers) }.sorted()
            #expect(Transcript(bytes, cuts: cuts) == whole, "seed \(seed) round \(round)")
        }
    }

    @Test(arguments: 0..<4)
    func noiseNeverTrapsNorPilesUp(_ seed: UInt64) {
        var numbers = SeededNumbers(state: seed)
        var limits = HTTPLimits()
        limits.bodyBytesMax = 1000
        for _ in 0..<10 {
            var parser = HTTP1RequestParser(limits: limits)
            let alphabet: [UInt8] = Bool.random(using: &numbers) ? Array(0...255) : Array("GET / HTP1.\r\n:a".utf8)
            for _ in 0..<60 {
                let piece = (0..<700).map { _ in alphabet.randomElement(using: &numbers) ?? 0 }
                piece.withUnsafeBytes { parser.append($0) }
                while let event = try? parser.next() { _ = event }
                #expect(parser.bufferedByteCount <= limits.headerBytesMax + 700)
            }
        }
    }

    /// One header line without an end, however long it grows, is not kept.
    @Test func endlessLinesAreBounded() {
        for start in ["", "GET / HTTP/1.1\r\nX: ", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;"]
        {
            var parser = HTTP1RequestParser(limits: HTTPLimits())
            Array(start.utf8).withUnsafeBytes { parser.append($0) }
            let piece = [UInt8](repeating: 97, count: 10_000)
            for _ in 0..<100 {
                piece.withUnsafeBytes { parser.append($0) }
                while let event = try? parser.next() { _ = event }
                #expect(parser.bufferedByteCount <= Limits.HTTP.headerBytesMax + 10_000)
            }
        }
    }
}
