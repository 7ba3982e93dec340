import Basics
import Testing
import Tokenizer
import Weights

/// What goes into the files beside the vocabulary, and what is refused.
struct GGUFTokenizerFileTests {
    private func metadata(_ changes: [String: JSON?] = [:]) -> GGUFMetadata {
        var values: [String: JSON] = [
            "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.tokens": ["a", "b", "ab", "<|endoftext|>", "<|im_end|>", "<think>", "<|eot_id|>"],
            "tokenizer.ggml.token_type": [1, 1, 1, 3, 3, 4, 1], "tokenizer.ggml.merges": ["a b"],
            "tokenizer.ggml.bos_token_id": 3, "tokenizer.ggml.eos_token_id": 4,
        ]
        for (key, value) in changes { values[key] = value }
        return GGUFMetadata(values)
    }

    private func error(_ changes: [String: JSON?]) -> WeightsError? {
        do {
            _ = try GGUFTokenizer.files(from: metadata(changes))
            return nil
        } catch {
            return error
        }
    }

    @Test func refusesUnknownRules() throws {
        guard case .tokenizerUnsupported(let key, "later-5", let supported) = error(["tokenizer.ggml.pre": "later-5"])
        else {
            Issue.record("an unknown tokenizer.ggml.pre was accepted")
            return
        }
        #expect(key == "tokenizer.ggml.pre" && supported == supported.sorted())
        let aliases = ["chatglm-bpe", "glm5", "joyai-llm", "llama3", "llama-v3"]
        #expect(Set(supported).isSuperset(of: GGUFTokenizerTests.families + aliases))
        #expect(
            error(["tokenizer.ggml.model": "bert"])
                == .tokenizerUnsupported(key: "tokenizer.ggml.model", found: "bert", supported: ["gpt2", "llama"]))
        let description = try #require(error(["tokenizer.ggml.pre": "later-5"])).description
        #expect(description.contains("later-5") && description.contains("qwen35"))
    }

    @Test(
        arguments: [
            ("model", nil), ("model", 5), ("pre", 1), ("tokens", nil), ("tokens", []), ("tokens", [1]), ("tokens", "a"),
            ("token_type", [1]), ("token_type", "1"), ("merges", nil), ("merges", 1), ("bos_token_id", 7),
            ("eos_token_id", -1), ("eos_token_id", "a"), ("add_bos_token", 1), ("scores", [1]),
            ("scores", ["a", 1, 1, 1, 1, 1, 1]),
        ] as [(String, JSON?)])
    func namesTheKeyThatIsWrong(_ name: String, _ value: JSON?) {
        let key = "tokenizer.ggml.\(name)"
        guard case .tokenizerMalformed(key, let reason) = error([key: value]) else {
            Issue.record("\(key): \(String(describing: error([key: value])))")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test func needsScoresWithoutMerges() {
        let changes: [String: JSON?] = ["tokenizer.ggml.model": "llama"]
        #expect(error(changes) == .tokenizerMalformed(key: "tokenizer.ggml.scores", reason: "it is missing"))
    }

    @Test func saysWhereAnswersEnd() throws {
        let files = try GGUFFixtures.files(metadata(["tokenizer.ggml.eot_token_id": 6]))
        let defaults = try GenerationDefaults(files: files)
        #expect(defaults.endTokens == [TokenID(4), TokenID(6), TokenID(3)])
        #expect(defaults.beginToken == TokenID(3))
        #expect(defaults.temperature == nil && defaults.topK == nil)
        // A token that is text cannot end anything by its name.
        #expect(try GenerationDefaults(files: try GGUFFixtures.files(metadata())).endTokens.count == 2)
    }

    @Test func carriesSampling() throws {
        let files = try GGUFFixtures.files(
            metadata([
                "general.sampling.temp": 0.7, "general.sampling.top_k": 20, "general.sampling.top_p": 0.8,
                "general.sampling.min_p": 0.05, "general.sampling.penalty_repeat": 1.1,
            ]))
        let defaults = try GenerationDefaults(files: files)
        #expect(defaults.temperature == 0.7 && defaults.topK == 20 && defaults.topP == 0.8)
        #expect(defaults.minP == 0.05 && defaults.repetitionPenalty == 1.1)
        guard case .tokenizerMalformed = error(["general.sampling.top_k": 1e30]) else {
            Issue.record("a top_k beyond all bounds was accepted")
            return
        }
    }

    private func rendering(_ changes: [String: JSON?], tools: JSON? = nil) throws -> String {
        try ChatTemplate(files: try GGUFFixtures.files(metadata(changes)))
            .render(messages: [], tools: tools, addGenerationPrompt: false)
    }

    @Test func carriesTemplates() throws {
        let one: [String: JSON?] = ["tokenizer.chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}"]
        #expect(try rendering(one) == "<|endoftext|><|im_end|>")
        let two: [String: JSON?] = [
            "tokenizer.chat_template": "plain", "tokenizer.chat_template.tool_use": "tools",
            "tokenizer.chat_templates": ["tool_use"],
        ]
        #expect(try rendering(two) == "plain")
        #expect(try rendering(two, tools: [["name": "x"]]) == "tools")
        #expect(try rendering(["tokenizer.chat_template.other": "other"]) == "other")
        #expect(throws: TokenizerError.chatTemplateMissing) { try rendering([:]) }
    }

    @Test func addsTokensAroundTexts() throws {
        let both = try BPETokenizer(
            files: try GGUFFixtures.files(
                metadata(["tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true])))
        #expect(both.encode("ab", addSpecialTokens: true) == [3, 2, 4].map { TokenID($0) })
        // Families say what holds where the file says nothing.
        let families: [(String, [Int32])] = [("qwen2", [2]), ("llama-bpe", [3, 2])]
        for (name, ids) in families {
            let tokenizer = try BPETokenizer(
                files: try GGUFFixtures.files(metadata(["tokenizer.ggml.pre": .string(name)])))
            #expect(tokenizer.encode("ab", addSpecialTokens: true) == ids.map { TokenID($0) })
        }
    }

    @Test func keepsTheKindsOfTokens() throws {
        let tokenizer = try BPETokenizer(files: try GGUFFixtures.files(metadata()))
        #expect(tokenizer.isSpecial(TokenID(3)) && !tokenizer.isSpecial(TokenID(5)) && !tokenizer.isSpecial(TokenID(6)))
        #expect(tokenizer.encode("a<think>b<|im_end|>") == [0, 5, 1, 4].map { TokenID($0) })
        #expect(tokenizer.vocabularySize == 7)
    }

    /// Swift's strings are equal if their characters are; these tokens are three, whatever Swift thinks.
    @Test func keepsEquivalentTokensApart() throws {
        let texts = ["<unk>", "A", "\u{30A}", "A\u{30A}", "\u{C5}", "\u{212B}", "\u{2581}"]
        let tokenizer = try BPETokenizer(
            files: try GGUFFixtures.files(
                GGUFMetadata([
                    "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": .array(texts.map { .string($0) }),
                    "tokenizer.ggml.scores": [0, -4, -5, -1, -2, -3, -6],
                    "tokenizer.ggml.token_type": [2, 1, 1, 1, 1, 1, 1],
                    "tokenizer.ggml.add_space_prefix": false,
                ])))
        #expect(tokenizer.encode("A\u{30A}\u{C5}\u{212B}A") == [3, 4, 5, 1].map { TokenID($0) })
        #expect(Array(tokenizer.decode([TokenID(5), TokenID(4)]).utf8) == Array("\u{212B}\u{C5}".utf8))
    }

    /// A large vocabulary takes a fraction of a second, written down in either way; a quadratic step would take hours.
    @Test(arguments: ["gpt2", "llama"])
    func convertsLargeVocabularies(_ model: String) throws {
        let letters = (0..<26).map { String(Unicode.Scalar(UInt8(97 + $0))) }
        let pairs = letters.flatMap { first in letters.map { first + $0 } }
        let texts = letters + pairs + pairs.flatMap { first in pairs.prefix(220).map { first + $0 } }
        let merges = (letters.count..<texts.count).map { id -> JSON in
            let text = texts[id]
            return .string("\(text.prefix(text.count / 2)) \(text.suffix(text.count / 2))")
        }
        let metadata = metadata([
            "tokenizer.ggml.model": .string(model), "tokenizer.ggml.tokens": .array(texts.map { .string($0) }),
            "tokenizer.ggml.token_type": .array(texts.map { _ in 1 }), "tokenizer.ggml.merges": .array(merges),
            "tokenizer.ggml.scores": .array(texts.indices.map { .integer(-Int64($0)) }),
        ])
        let clock = ContinuousClock()
        let start = clock.now
        let files = try GGUFTokenizer.files(from: metadata)
        #expect(clock.now - start < .seconds(20))
        #expect(try #require(files["tokenizer.json"]).count > 2_000_000)
    }
}
