import ArgumentParser
import Basics
import Foundation
import OrderedCollections
import Tokenizer

/// `clusterctl template`: a conversation → the prompt that a model's chat template makes of it.
struct TemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Renders a conversation with a model's chat template.",
        discussion: """
            Reads a JSON object: messages, and optionally tools, add_generation_prompt and any other variable of the \
            template. Writes the prompt and nothing else.
            """)

    @Option(help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    func run() throws {
        try ModelText.reportingErrors {
            let template = try ChatTemplate(files: try ModelText.files(of: model))
            guard case .object(var members) = try JSON(parsing: ModelText.readStandardInput()) else {
                throw ModelTextError.inputMalformed("expected a JSON object with 'messages'")
            }
            guard let messages = members.removeValue(forKey: "messages"), messages.array != nil else {
                throw ModelTextError.inputMalformed("'messages' must be an array")
            }
            let tools = members.removeValue(forKey: "tools")
            let addsPrompt = members.removeValue(forKey: "add_generation_prompt")?.bool ?? false
            var variables: [String: JSON] = [:]
            for (name, value) in members { variables[name] = value }
            ModelText.write(
                try template.render(
                    messages: messages, tools: tools, addGenerationPrompt: addsPrompt, variables: variables))
        }
    }
}
