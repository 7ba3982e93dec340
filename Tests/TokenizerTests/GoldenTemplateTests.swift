import Basics
import Testing
import Tokenizer

/// Holds rendering against what `jinja2` made of the same templates, in the environment that `transformers` sets up.
struct GoldenTemplateTests {
    @Test func rendersTemplates() throws {
        let conversations = try #require(try Fixtures.json("conversations.json").array)
        for golden in try #require(try Fixtures.json("golden-templates.json").array) {
            let name = try #require(golden["template"]?.string)
            let conversation = try #require(conversations.first { $0["name"] == golden["conversation"] })
            let input = try #require(conversation["input"])
            let template = try ChatTemplate(source: try Fixtures.text("templates/\(name)"))
            var variables: [String: JSON] = ["bos_token": "<bos>", "eos_token": "<eos>"]
            variables["enable_thinking"] = input["enable_thinking"]
            let found = Result { () throws(TokenizerError) in
                try template.render(
                    messages: input["messages"] ?? [], tools: input["tools"],
                    addGenerationPrompt: input["add_generation_prompt"]?.bool ?? false, variables: variables)
            }
            let label = "\(name): \(golden["conversation"]?.string ?? "")"
            if let text = golden["text"]?.string {
                #expect(try found.get() == text, "\(label)")
            } else if case .failure(.templateRaised(_, let message)) = found {
                #expect(message == golden["error"]?.string, "\(label)")
            } else {
                #expect(throws: TokenizerError.self, "\(label)") { try found.get() }
            }
        }
    }

    @Test func rendersSnippets() throws {
        let golden = try Fixtures.json("golden-snippets.json")
        let given = try #require(golden["variables"])
        var variables: [String: JSON] = [:]
        for name in ["items", "user", "users"] { variables[name] = given[name] }
        for snippet in try #require(golden["cases"]?.array) {
            let source = try #require(snippet["source"]?.string)
            let found = Result { () throws(TokenizerError) in
                try ChatTemplate(source: source).render(
                    messages: [], tools: nil, addGenerationPrompt: false, variables: variables)
            }
            switch (found, snippet["text"]?.string) {
            case (.success(let text), let expected?):
                #expect(Array(text.utf8) == Array(expected.utf8), "\(source)\n--- \(text)\n--- \(expected)")
            case (.failure(let error), let expected?):
                Issue.record("\(source) failed with \(error), expected \(expected)")
            case (.success(let text), nil):
                Issue.record("\(source) gave \(text), expected \(snippet["error"]?.string ?? "an error")")
            case (.failure, nil): break
            }
        }
    }
}
