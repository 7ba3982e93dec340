import Basics
import Testing
import Tokenizer

/// Holds the families' ways to cut text, as their files publish them, against what the published libraries make of
/// small vocabularies and much text in many scripts.
struct FamilyTokenTests {
    static let names = ["deepseek-v3", "glm", "gpt-oss", "kimi", "kimi-tiktoken", "minimax-m2", "qwen3", "qwen3.5"]

    private func tokenizer(_ family: JSON) throws -> BPETokenizer {
        var files = TokenizerFiles()
        for (key, name) in [
            ("tokenizer", "tokenizer.json"), ("configuration", "tokenizer_config.json"),
            ("tiktoken", "tiktoken.model"),
        ] {
            guard let content = family[key] else { continue }
            files[name] = Array((content.string ?? content.serialised()).utf8)
        }
        return try BPETokenizer(files: files)
    }

    @Test(arguments: names)
    func encodes(_ name: String) throws {
        let golden = try Fixtures.json("golden-families.json")
        let family = try #require(golden["families"]?[name])
        let tokenizer = try tokenizer(family)
        let texts = try #require(golden["texts"]?.array).compactMap(\.string)
        let expected = try #require(family["ids"]?.array)
        #expect(texts.count == expected.count)
        for (text, ids) in zip(texts, expected) {
            let found = tokenizer.encode(text)
            #expect(found == (try [TokenID](ids)), "\(JSON.string(text).serialised())")
            // What is composed first does not come back as it was.
            if !name.hasPrefix("qwen") { #expect(Array(tokenizer.decode(found).utf8) == Array(text.utf8)) }
        }
    }

    @Test func knowsReservedTokens() throws {
        let golden = try Fixtures.json("golden-families.json")
        let tokenizer = try tokenizer(try #require(golden["families"]?["kimi-tiktoken"]))
        let end = try #require(tokenizer.token(named: "<|im_end|>"))
        #expect(tokenizer.isSpecial(end))
        let reserved = TokenID(end.value + 5)
        #expect(tokenizer.name(of: reserved) == "<|reserved_token_\(reserved)|>")
        #expect(tokenizer.encode("a<|im_end|>b").contains(end))
        #expect(tokenizer.decode([end], skipSpecialTokens: true).isEmpty)
    }

    @Test(arguments: [
        ("YQ== 0\nYg== 1", #"{"auto_map": {"AutoTokenizer": ["tokenization_qwen.QWenTokenizer", null]}}"#),
        ("YQ== 0", "{}"), ("YQ== x", kimi), ("YQ==", kimi), ("", kimi), ("!!! 0", kimi), ("YQ== 99999999", kimi),
    ])
    func refusesOtherTiktokenFiles(_ text: String, _ configuration: String) {
        var files = TokenizerFiles()
        files["tiktoken.model"] = Array(text.utf8)
        files["tokenizer_config.json"] = Array(configuration.utf8)
        #expect(throws: TokenizerError.self) { try BPETokenizer(files: files) }
    }

    private static let kimi = #"{"auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", null]}}"#
}
