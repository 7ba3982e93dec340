import GatewayService
import Testing

@Suite("Stop strings")
struct StopStringMatcherTests {
    /// What a matcher makes of text in pieces: the pieces that come out and whether a stop string was found.
    private func run(_ stops: [String], _ pieces: [String]) -> (out: [String], isMatched: Bool) {
        var matcher = StopStringMatcher(stops)
        var out = pieces.map { matcher.append($0) }
        out.append(matcher.finish())
        return (out, matcher.isMatched)
    }

    @Test("without stop strings everything passes at once")
    func none() {
        #expect(run([], ["a", "b"]).out == ["a", "b", ""])
    }

    @Test("a stop string within one piece ends the text before it")
    func within() {
        let result = run(["END"], ["one END two", "three"])
        #expect(result.out == ["one ", "", ""])
        #expect(result.isMatched)
    }

    @Test("a stop string across pieces is held back and never shown")
    func across() {
        #expect(run(["END"], ["one E", "N", "D two"]).out == ["one ", "", "", ""])
    }

    @Test("what only looked like a stop string is released")
    func released() {
        #expect(run(["END"], ["an E", "N", "ERGY"]).out == ["an ", "", "ENERGY", ""])
        #expect(run(["END"], ["an E", "N"]).out == ["an ", "", "EN"])
    }

    @Test("a partial match may begin within a partial match")
    func overlapping() {
        #expect(run(["aab"], ["aa", "a", "b"]).out == ["", "a", "", ""])
    }

    @Test("the match that ends first counts")
    func endsFirst() {
        #expect(run(["abcd", "bc"], ["abcd"]).out == ["a", ""])
        #expect(run(["abcd", "bc"], ["ab", "cd"]).out == ["", "a", ""])
        #expect(run(["b", "ab"], ["ab"]).out == ["", ""])
    }

    @Test("characters of several bytes are never split")
    func characters() {
        #expect(run(["é!"], ["café", "?", "é", "!"]).out == ["caf", "é?", "", "", ""])
    }

    /// The definition, without regard to cost: the shortest beginning of the text that ends with a stop string.
    private func naive(_ stops: [String], _ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        for end in 0...scalars.count {
            let head = scalars[..<end]
            let found = stops.map { Array($0.unicodeScalars) }.filter {
                head.count >= $0.count && head.suffix($0.count).elementsEqual($0)
            }
            if let longest = found.map(\.count).max() {
                var view = String.UnicodeScalarView()
                view.append(contentsOf: head.dropLast(longest))
                return String(view)
            }
        }
        return text
    }

    @Test("equals the definition on random text in random pieces, and holds back no more than it must")
    func random() {
        var generator = SplitMix(state: 7)
        let letters = ["a", "b", "é", "c\u{301}"]
        for _ in 0..<3000 {
            func word(_ range: ClosedRange<Int>) -> String {
                let length = Int.random(in: range, using: &generator)
                return (0..<length).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] }.joined()
            }
            let stops = (0..<Int.random(in: 1...3, using: &generator)).map { _ in word(1...4) }
            let pieces = (0..<Int.random(in: 0...12, using: &generator)).map { _ in word(0...3) }
            let result = run(stops, pieces)
            let text = pieces.joined()
            #expect(result.out.joined() == naive(stops, text))
            #expect(result.isMatched == (naive(stops, text).unicodeScalars.count < text.unicodeScalars.count))
        }
    }
}

/// A small random number generator with a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
