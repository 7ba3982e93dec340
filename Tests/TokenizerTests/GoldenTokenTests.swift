import Basics
import Testing
import Tokenizer

/// Holds encoding and decoding against what the `tokenizers` library made of the same files and texts.
struct GoldenTokenTests {
    @Test(arguments: Fixtures.tokenizerNames)
    func encodes(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let golden = try Fixtures.json("golden-tokens.json")
        let texts = try #require(golden["texts"]?.array).compactMap(\.string)
        let expected = try #require(golden["tokenizers"]?[name]?["ids"]?.array)
        for (text, ids) in zip(texts, expected) {
            let found = tokenizer.encode(text)
            #expect(found == (try [TokenID](ids)), "\(JSON.string(text).serialised())")
        }
        let special = try #require(golden["tokenizers"]?[name]?["with_special"]?.array)
        for (text, ids) in zip(texts, special) {
            #expect(tokenizer.encode(text, addSpecialTokens: true) == (try [TokenID](ids)))
        }
    }

    @Test(arguments: Fixtures.tokenizerNames)
    func decodes(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let golden = try Fixtures.json("golden-tokens.json")
        let texts = try #require(golden["texts"]?.array).compactMap(\.string)
        let expected = try #require(golden["tokenizers"]?[name])
        for (index, text) in texts.enumerated() {
            let ids = try [TokenID](expected["ids"]?.array?[index])
            let decoded = expected["decoded"]?[String(index)]?.string ?? text
            #expect(Array(tokenizer.decode(ids).utf8) == Array(decoded.utf8), "text \(index)")
        }
        for list in try #require(expected["random"]?.array) {
            let ids = try [TokenID](list["ids"])
            #expect(Array(tokenizer.decode(ids).utf8) == list["text"]?.string.map { Array($0.utf8) })
            let skipped = tokenizer.decode(ids, skipSpecialTokens: true)
            #expect(Array(skipped.utf8) == list["skipped"]?.string.map { Array($0.utf8) })
        }
    }
}
