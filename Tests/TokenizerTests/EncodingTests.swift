import Basics
import Foundation
import Testing
import Tokenizer

struct EncodingTests {
    /// Text in many scripts, and things that are no text.
    static func randomText(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<60, using: &generator) {
            let limit: UInt32 = [0x80, 0x800, 0x3000, 0x10000, 0x110000].randomElement(using: &generator) ?? 0x80
            if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// Without a normalizer and without prefix space, decoding gives back every text.
    @Test(arguments: ["deepseek", "llama"])
    func roundTrips(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let text = Self.randomText(&generator)
            #expect(Array(tokenizer.decode(tokenizer.encode(text)).utf8) == Array(text.utf8))
        }
    }

    /// Characters fall apart into tokens, tokens of any order make broken characters: the pieces still add up.
    @Test(arguments: Fixtures.tokenizerNames)
    func streamingEqualsWhole(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var generator = SeededGenerator(seed: 8)
        for round in 0..<300 {
            var tokens = tokenizer.encode(Self.randomText(&generator))
            if round.isMultiple(of: 2) { tokens.shuffle(using: &generator) }
            for skips in [false, true] {
                var streaming = StreamingDetokenizer(tokenizer, skipSpecialTokens: skips)
                var pieces = tokens.map { streaming.append($0) }
                pieces.append(streaming.finish())
                let whole = tokenizer.decode(tokens, skipSpecialTokens: skips)
                #expect(pieces.flatMap { Array($0.utf8) } == Array(whole.utf8))
            }
        }
    }

    @Test func holdsBackPartsOfCharacters() throws {
        let tokenizer = try Fixtures.tokenizer("llama")
        let bird = try "🐦".utf8.map { byte in
            try #require((0..<300).map { TokenID($0) }.first { tokenizer.bytes(of: $0) == [byte] })
        }
        var streaming = StreamingDetokenizer(tokenizer, skipSpecialTokens: false)
        #expect(bird.map { streaming.append($0) } == ["", "", "", "🐦"])
        #expect(streaming.append(bird[0]) == "")
        #expect(streaming.append(bird[0]) == "\u{FFFD}")
        #expect(streaming.finish() == "\u{FFFD}")
        #expect(streaming.finish() == "")
    }

    /// Byte tokens that make up one character, and bytes that do not: one U+FFFD for each, as SentencePiece has it.
    @Test func putsByteTokensTogether() throws {
        let tokenizer = try Fixtures.tokenizer("pieces")
        let bird = try "🐦".utf8.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return try #require(tokenizer.token(named: "<0x\(digits)>"))
        }
        #expect(tokenizer.encode("🐦").suffix(4) == bird[...])
        let the = try #require(tokenizer.token(named: "▁the"))
        var streaming = StreamingDetokenizer(tokenizer, skipSpecialTokens: false)
        #expect(bird.map { streaming.append($0) } == ["", "", "", "🐦"])
        #expect((bird.prefix(3) + [the]).map { streaming.append($0) } == ["", "", "", "\u{FFFD}\u{FFFD}\u{FFFD} the"])
        #expect(streaming.append(bird[0]) == "" && streaming.finish() == "\u{FFFD}")
        #expect(tokenizer.decode(Array(bird.prefix(2)) + bird) == "\u{FFFD}\u{FFFD}🐦")
    }

    /// The space that encoding puts before a text is no part of it; before the continuation of a text it is a space.
    @Test(arguments: ["pieces", "pieces-split"])
    func takesTheFirstSpaceOff(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let the = try #require(tokenizer.token(named: "▁the"))
        var streaming = StreamingDetokenizer(tokenizer, skipSpecialTokens: true)
        let begin = try #require(tokenizer.token(named: "<s>"))
        #expect([begin, the, the].map { streaming.append($0) } == ["", "the", " the"])
        #expect(streaming.finish() == "" && streaming.append(the) == "the")
        var continuing = StreamingDetokenizer(tokenizer, skipSpecialTokens: true, continuesText: true)
        #expect([the, the].map { continuing.append($0) } == [" the", " the"])
        #expect(tokenizer.decode([the, the]) == "the the")
    }

    /// Text that has no boundary must not cost more than a little over linear time.
    @Test(arguments: ["qwen", "deepseek", "llama", "gpt2", "odd", "pieces"])
    func longPiecesEndSoon(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let count = 50_000
        let texts = [
            String(repeating: "a", count: count), String(repeating: " ", count: count) + "x",
            String(repeating: "the", count: count / 3), String(repeating: "\n ", count: count / 2),
            String(repeating: "🐦", count: count / 4), String(repeating: "'", count: count),
            String(repeating: "<", count: count), String(repeating: "1", count: count),
            String(repeating: "a\u{301}", count: count / 3),
        ]
        let clock = ContinuousClock()
        for text in texts {
            let start = clock.now
            let tokens = tokenizer.encode(text)
            #expect(clock.now - start < .seconds(20))
            #expect(!tokens.isEmpty)
        }
    }

    @Test func encodesTheSameOnManyThreads() throws {
        let tokenizer = try Fixtures.tokenizer("qwen")
        let text = "The colony hums. 你好 1234 \n\n 'twas the night"
        let expected = tokenizer.encode(text)
        let threads = (0..<4).map { _ in
            let done = DispatchSemaphore(value: 0)
            Thread { [tokenizer] in
                for _ in 0..<50 where tokenizer.encode(text) != expected { Issue.record("another result") }
                done.signal()
            }.start()
            return done
        }
        for done in threads { done.wait() }
    }

    @Test func knowsItsTokens() throws {
        let tokenizer = try Fixtures.tokenizer("qwen")
        let end = try #require(tokenizer.token(named: "<|im_end|>"))
        #expect(tokenizer.isSpecial(end))
        #expect(tokenizer.name(of: end) == "<|im_end|>")
        #expect(tokenizer.bytes(of: end) == Array("<|im_end|>".utf8))
        let think = try #require(tokenizer.token(named: "<think>"))
        #expect(!tokenizer.isSpecial(think))
        #expect(tokenizer.vocabularySize == 422)
        for id: Int32 in [-1, 422, .max, .min] {
            #expect(tokenizer.bytes(of: TokenID(id)) == nil)
            #expect(tokenizer.name(of: TokenID(id)) == nil)
            #expect(!tokenizer.isSpecial(TokenID(id)))
        }
        #expect(tokenizer.token(named: "no such token") == nil)
        #expect(tokenizer.decode([TokenID(-5), end, TokenID(9_999)]) == "<|im_end|>")
    }

    @Test func learnsAddedTokensOfTheConfiguration() throws {
        var files = TokenizerFiles()
        files["tokenizer.json"] = try Fixtures.bytes("tokenizer-qwen.json")
        files["tokenizer_config.json"] = Array(
            #"{"added_tokens_decoder": {"500": {"content": "<|extra|>", "special": true}}}"#.utf8)
        let tokenizer = try BPETokenizer(files: files)
        #expect(tokenizer.encode("<|extra|>") == [TokenID(500)])
        #expect(tokenizer.vocabularySize == 501)
    }
}
