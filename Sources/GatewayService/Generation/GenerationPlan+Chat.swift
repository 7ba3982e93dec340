import Basics
import Tokenizer

/// What becomes of a conversation: the prompt's text, where reasoning begins in the answer, and whether calls of tools
/// are looked for.
extension GenerationPlan {
    static func renderedChat(_ request: ChatRequest, model: ModelContext) throws(APIError) -> String {
        guard let template = model.chatTemplate else {
            let reason = model.chatTemplateProblem.map { ": \($0)" } ?? ""
            throw .invalid(
                "messages", "the model '\(model.name)' has no usable chat template\(reason); use /v1/completions",
                code: "no_chat_template")
        }
        let text: String
        do throws(TokenizerError) {
            text = try rendered(request, with: template, model: model)
        } catch {
            throw .invalid("messages", "the chat template cannot render these messages: \(error)")
        }
        return request.continuesFinalMessage ? try endedAtFinalMessage(text, request: request) : text
    }

    /// Templates that cannot work with the arguments of calls as objects get them as text.
    private static func rendered(
        _ request: ChatRequest, with template: ChatTemplate, model: ModelContext
    ) throws(TokenizerError) -> String {
        func render(_ messages: JSON) throws(TokenizerError) -> String {
            try template.render(
                messages: Self.messages(messages, model: model), tools: request.tools,
                addGenerationPrompt: request.addsGenerationPrompt, variables: request.templateVariables)
        }
        do throws(TokenizerError) {
            return try render(request.messages)
        } catch {
            guard case .templateFailed = error, let messages = request.messagesWithArgumentText else { throw error }
            return try render(messages)
        }
    }

    static func plannedReasoning(_ request: ChatRequest, prompt: String, model: ModelContext) -> PlannedReasoning? {
        guard request.splitsReasoning, let marks = model.reasoning else { return nil }
        var start = ReasoningStart(
            prompt: prompt, continued: request.continuesFinalMessage ? request.finalText?.text : nil,
            format: marks.format)
        if request.continuesFinalMessage, request.finalText?.isReasoning == true { start = .reasoning }
        return PlannedReasoning(marks: marks, start: start, isReported: request.reportsReasoning)
    }

    /// Who offers tools is told of their calls.
    static func plannedToolCalls(_ request: ChatRequest, model: ModelContext) -> PlannedToolCalls? {
        guard let tools = request.tools, let marks = model.toolCalls else { return nil }
        return PlannedToolCalls(
            marks: marks, schemas: ToolSchemas(tools), allowsSeveral: request.allowsSeveralToolCalls)
    }

    /// Templates with channels call `thinking` what is `reasoning_content` to everybody else.
    private static func messages(_ messages: JSON, model: ModelContext) -> JSON {
        guard model.reasoning?.format == .channels, let elements = messages.array else { return messages }
        return .array(
            elements.map { message in
                guard let reasoning = message["reasoning_content"], message["thinking"] == nil,
                    message["tool_calls"] == nil || (message["content"]?.string ?? "").isEmpty
                else { return message }
                return message.setting("thinking", to: reasoning)
            })
    }

    /// Cuts what the template writes after the last message (the end of its turn), so that the model continues it.
    private static func endedAtFinalMessage(_ text: String, request: ChatRequest) throws(APIError) -> String {
        guard let content = request.finalText?.text else {
            throw .invalid("continue_final_message", "the last message has no text to continue")
        }
        // Compared as bytes, and without surrounding whitespace, which templates often trim.
        let needle = Array(String(content[...].trimmed).utf8)
        let haystack = Array(text.utf8)
        guard !needle.isEmpty, let start = haystack.lastIndex(of: needle) else {
            throw .invalid(
                "continue_final_message", "the chat template does not show the last message's text as it is")
        }
        return String(decoding: haystack[..<(start + needle.count)], as: UTF8.self)
    }
}

extension ChatRequest {
    /// The text of the last message: its content or, where there is none, its reasoning.
    var finalText: (text: String, isReasoning: Bool)? {
        let last = messages.array?.last
        if let content = last?["content"]?.string, !content.isEmpty { return (content, false) }
        return last?["reasoning_content"]?.string.map { ($0, true) }
    }
}
