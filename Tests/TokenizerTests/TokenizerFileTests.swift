import Basics
import Testing
import Tokenizer

/// Files that are wrong, or ask for what is not built in, are refused with a reason.
struct TokenizerFileTests {
    private func error(_ changes: [String: JSON]) -> TokenizerError? {
        do {
            _ = try Fixtures.tokenizer(json: changes)
            return nil
        } catch {
            return error as? TokenizerError
        }
    }

    private func model(_ changes: [String: JSON]) throws -> JSON {
        var model = try #require(try Fixtures.json("tokenizer-qwen.json")["model"])
        for (key, value) in changes { model = model.setting(key, to: value) }
        return model
    }

    private func isUnsupported(_ error: TokenizerError?, _ component: String, _ found: String) -> Bool {
        guard case .componentUnsupported(component, found, let supported) = error else { return false }
        return !supported.isEmpty
    }

    @Test func refusesUnknownComponents() throws {
        #expect(isUnsupported(error(["model": ["type": "Unigram"]]), "model", "Unigram"))
        #expect(isUnsupported(error(["normalizer": ["type": "Precompiled"]]), "normalizer", "Precompiled"))
        let metaspace: JSON = ["type": "Sequence", "pretokenizers": [["type": "Metaspace"], ["type": "ByteLevel"]]]
        #expect(isUnsupported(error(["pre_tokenizer": metaspace]), "pre_tokenizer", "Metaspace"))
        #expect(isUnsupported(error(["pre_tokenizer": nil]), "pre_tokenizer", "null at the end"))
        #expect(isUnsupported(error(["decoder": ["type": "WordPiece"]]), "decoder", "WordPiece"))
        #expect(
            isUnsupported(error(["post_processor": ["type": "BertProcessing"]]), "post_processor", "BertProcessing"))
        let fallback = try model(["byte_fallback": true])
        #expect(isUnsupported(error(["model": fallback]), "model.byte_fallback", "true"))
        #expect(isUnsupported(error(["decoder": nil]), "decoder", "null"))
        let description = try #require(error(["normalizer": ["type": "Precompiled"]])).description
        #expect(description.contains("Precompiled") && description.contains("NFC"))
    }

    @Test func refusesBrokenFiles() throws {
        #expect(throws: TokenizerError.fileMissing(file: "tokenizer.json")) {
            try BPETokenizer(files: TokenizerFiles())
        }
        var files = TokenizerFiles()
        files["tokenizer.json"] = Array("{".utf8)
        #expect(throws: TokenizerError.self) { try BPETokenizer(files: files) }
        let broken: [[String: JSON]] = [
            ["model": ["type": "BPE"]], ["model": nil], ["model": try model(["vocab": ["a": -1]])],
            ["model": try model(["vocab": ["a": 1.5]])], ["model": try model(["merges": ["a"]])],
            ["model": try model(["merges": ["a b c"]])], ["model": try model(["merges": [["a"]]])],
            ["model": try model(["merges": ["zz qq"]])], ["model": try model(["vocab": ["a": 99_999_999]])],
            ["model": try model(["unk_token": "no such"])], ["added_tokens": [["id": 1]]],
            ["pre_tokenizer": ["type": "Sequence"]], ["pre_tokenizer": ["no": "type"]],
            ["post_processor": ["type": "TemplateProcessing", "single": []]],
        ]
        for changes in broken { #expect(error(changes) != nil, "\(changes)") }
    }

    private func split(_ pattern: String) -> [String: JSON] {
        [
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated"],
                    ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                ],
            ]
        ]
    }

    @Test func refusesBadPatterns() throws {
        guard case .patternInvalid("a(b", _, let offset) = error(split("a(b")) else {
            Issue.record("an open parenthesis was accepted")
            return
        }
        #expect(offset == 3)
        #expect(isUnsupported(error(split("[^a&&[b]]")), "regular expression syntax", "&&"))
        #expect(isUnsupported(error(split("[a[b]]")), "regular expression syntax", "a class within a class"))
        #expect(error(split(String(repeating: "a", count: 20_000))) != nil)
        #expect(error(split(String(repeating: "(", count: 100) + String(repeating: ")", count: 100))) != nil)
        #expect(error(split("[[:alpha:]]+|\\h|\\s")) == nil)
    }

    /// A pattern that backtracks exponentially gives up, deterministically, and the text is still encoded.
    @Test func survivesHostilePatterns() throws {
        let tokenizer = try Fixtures.tokenizer(json: split("(a+)+$"))
        let text = String(repeating: "a", count: 5_000) + "!"
        let tokens = tokenizer.encode(text)
        #expect(tokenizer.decode(tokens) == text)
        #expect(tokenizer.encode(text) == tokens)
    }

    @Test func mergesInBothNotations() throws {
        let merges = try #require(try Fixtures.json("tokenizer-qwen.json")["model"]?["merges"]?.array)
        let pairs = merges.compactMap { merge -> JSON? in
            if let text = merge.string { return .array(text.split(separator: " ").map { .string(String($0)) }) }
            return merge
        }
        let texts = merges.compactMap { merge -> JSON? in
            if let halves = merge.array?.compactMap(\.string) { return .string(halves.joined(separator: " ")) }
            return merge
        }
        let first = try Fixtures.tokenizer(json: ["model": try model(["merges": .array(pairs)])])
        let second = try Fixtures.tokenizer(json: ["model": try model(["merges": .array(texts)])])
        let text = "The queen of the colony lays her eggs"
        #expect(first.encode(text) == second.encode(text))
    }
}

struct GenerationDefaultsTests {
    private func defaults(_ contents: [String: String]) throws -> GenerationDefaults {
        var files = TokenizerFiles()
        for (name, text) in contents { files[name] = Array(text.utf8) }
        return try GenerationDefaults(files: files)
    }

    @Test func readsGenerationConfiguration() throws {
        let defaults = try defaults([
            "generation_config.json": """
            {"bos_token_id": 5, "eos_token_id": [7, 8], "temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0,
             "repetition_penalty": 1.05, "do_sample": true}
            """,
            "config.json": #"{"eos_token_id": 9}"#,
        ])
        #expect(defaults.endTokens == [TokenID(7), TokenID(8)])
        #expect(defaults.beginToken == TokenID(5))
        #expect(defaults.temperature == 0.6 && defaults.topP == 0.95 && defaults.topK == 20 && defaults.minP == 0)
        #expect(defaults.repetitionPenalty == 1.05)
    }

    @Test func aModelThatIsNotSampledIsGreedy() throws {
        let greedy = try defaults(["generation_config.json": #"{"do_sample": false, "temperature": 0.6}"#])
        #expect(greedy.temperature == 0)
        #expect(try defaults(["generation_config.json": #"{"do_sample": true}"#]).temperature == nil)
    }

    @Test func fallsBack() throws {
        #expect(try defaults([:]).endTokens.isEmpty)
        let config = try defaults(["config.json": #"{"eos_token_id": 9, "bos_token_id": null}"#])
        #expect(config.endTokens == [TokenID(9)] && config.beginToken == nil)
        let nested = try defaults(["config.json": #"{"text_config": {"eos_token_id": [3]}}"#])
        #expect(nested.endTokens == [TokenID(3)])
        let named = try defaults([
            "tokenizer_config.json": #"{"eos_token": {"content": "<e>"}, "bos_token": "a"}"#,
            "tokenizer.json": #"{"added_tokens": [{"id": 4, "content": "<e>"}], "model": {"vocab": {"a": 2}}}"#,
        ])
        #expect(named.endTokens == [TokenID(4)] && named.beginToken == TokenID(2))
    }

    @Test func refusesNonsense() {
        for text in [
            #"{"eos_token_id": "x"}"#, #"{"eos_token_id": [-1]}"#, #"{"temperature": -1}"#, #"{"top_p": 2}"#, "[",
        ] {
            #expect(throws: TokenizerError.self) { try defaults(["generation_config.json": text]) }
        }
    }
}
