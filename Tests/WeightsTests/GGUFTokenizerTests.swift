import Basics
import Foundation
import Testing
import Tokenizer
import Weights

/// Tokenizers in GGUF files: metadata → a model directory's files → tokenizer, held against what the published
/// libraries make of the same vocabularies and texts (`Fixtures/make_fixtures.py`).
struct GGUFTokenizerTests {
    static let families = [
        "default", "deepseek-coder", "deepseek-llm", "deepseek-r1-qwen", "deepseek-v3", "glm4", "gpt-2", "gpt-4o",
        "kimi-k2", "llama-bpe", "minimax-m2", "olmo", "qwen2", "qwen35", "smollm", "tekken",
    ]

    @Test(arguments: families)
    func encodesAsPublished(_ name: String) throws {
        let golden = try GGUFFixtures.json("gguf-\(name).json")
        let tokenizer = try GGUFFixtures.tokenizer(golden)
        let texts = try GGUFFixtures.texts()
        let expected = try #require(golden["ids"]?.array)
        #expect(texts.count == expected.count)
        for (text, ids) in zip(texts, expected) {
            #expect(tokenizer.encode(text) == (try GGUFFixtures.tokens(ids)), "\(JSON.string(text).serialised())")
        }
        for (text, ids) in zip(texts, try #require(golden["special"]?.array)) {
            #expect(tokenizer.encode(text, addSpecialTokens: true) == (try GGUFFixtures.tokens(ids)))
        }
    }

    @Test(arguments: families)
    func decodesAsPublished(_ name: String) throws {
        let golden = try GGUFFixtures.json("gguf-\(name).json")
        let tokenizer = try GGUFFixtures.tokenizer(golden)
        let texts = try GGUFFixtures.texts()
        for (index, ids) in try #require(golden["ids"]?.array).enumerated() {
            let expected = golden["decoded"]?[String(index)]?.string ?? texts[index]
            let decoded = tokenizer.decode(try GGUFFixtures.tokens(ids))
            #expect(Array(decoded.utf8) == Array(expected.utf8), "text \(index)")
        }
        for list in try #require(golden["random"]?.array) {
            let decoded = tokenizer.decode(try GGUFFixtures.tokens(list["ids"]))
            #expect(Array(decoded.utf8) == list["text"]?.string.map { Array($0.utf8) })
        }
    }
}

/// SentencePiece vocabularies, held against SentencePiece itself, and against the tokenizers that the published
/// converter makes of them where a text holds special tokens, of which SentencePiece knows nothing.
struct GGUFSentencePieceTests {
    static let names = ["pieces", "pieces-bare", "pieces-unknown"]

    @Test(arguments: names)
    func encodesAsPublished(_ name: String) throws {
        let golden = try GGUFFixtures.json("gguf-\(name).json")
        let tokenizer = try GGUFFixtures.tokenizer(golden)
        let texts = try #require(golden["texts"]?.array).map { try #require($0.string) }
        let pieces = try #require(golden["pieces"]?.array)
        let converted = try #require(golden["converted"]?.array)
        for (index, text) in texts.enumerated() {
            let expected = try GGUFFixtures.tokens(pieces[index].isNull ? converted[index] : pieces[index])
            #expect(tokenizer.encode(text) == expected, "\(index): \(JSON.string(text).serialised())")
        }
        for (text, ids) in zip(texts, try #require(golden["special"]?.array)) {
            #expect(tokenizer.encode(text, addSpecialTokens: true) == (try GGUFFixtures.tokens(ids)))
        }
    }

    @Test(arguments: names)
    func decodesAsPublished(_ name: String) throws {
        let golden = try GGUFFixtures.json("gguf-\(name).json")
        let tokenizer = try GGUFFixtures.tokenizer(golden)
        let unknown = try #require(tokenizer.token(named: "<unk>"))
        let decoded = try #require(golden["decoded"]?.array)
        for (index, ids) in try #require(golden["pieces"]?.array).enumerated() {
            // SentencePiece has a sign of its own for the unknown token.
            guard let text = decoded[index].string else { continue }
            let tokens = try GGUFFixtures.tokens(ids)
            guard !tokens.contains(unknown) else { continue }
            #expect(Array(tokenizer.decode(tokens).utf8) == Array(text.utf8), "text \(index)")
        }
        for list in try #require(golden["random"]?.array) {
            let tokens = try GGUFFixtures.tokens(list["ids"])
            #expect(Array(tokenizer.decode(tokens).utf8) == list["text"]?.string.map { Array($0.utf8) })
        }
    }
}

/// The files beside this one.
enum GGUFFixtures {
    static func json(_ name: String) throws -> JSON {
        let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return try JSON(parsing: Array(try Data(contentsOf: directory.appending(path: name))))
    }

    static func texts() throws -> [String] {
        try #require(try json("gguf-texts.json").array).map { try #require($0.string) }
    }

    static func tokens(_ json: JSON?) throws -> [TokenID] {
        try #require(json?.array).map { TokenID(Int32(try #require($0.integer))) }
    }

    /// The metadata of a golden file, as a GGUF file's reader gives it.
    static func metadata(_ golden: JSON) throws -> GGUFMetadata {
        let members = try #require(golden["metadata"]?.object)
        return GGUFMetadata(Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value) }))
    }

    static func files(_ metadata: GGUFMetadata) throws -> TokenizerFiles {
        var files = TokenizerFiles()
        for (name, bytes) in try GGUFTokenizer.files(from: metadata) { files[name] = bytes }
        return files
    }

    static func tokenizer(_ golden: JSON) throws -> BPETokenizer {
        try BPETokenizer(files: try files(try metadata(golden)))
    }
}
