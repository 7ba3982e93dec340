import Basics

/// Fields that would change the answer and that this version does not implement. A request may carry them with the
/// value that changes nothing; with any other value it is refused, because an answer that silently ignores them would
/// be wrong. Every field that is neither here nor read by a parser is ignored.
enum UnsupportedFields {
    /// A field, the values that change nothing, and what to say otherwise.
    struct Field {
        let name: String
        let harmless: [JSON]
        let reason: String

        init(_ name: String, harmless: [JSON] = [], _ reason: String = "is not supported") {
            self.name = name
            self.harmless = harmless
            self.reason = reason
        }
    }

    /// Fields that neither path supports.
    static let common: [Field] = [
        Field("allowed_token_ids", harmless: [[]]),
        Field("bad_words", harmless: [[]]),
        Field("grammar", harmless: [""]),
        Field("guided_choice"),
        Field("guided_grammar"),
        Field("guided_json"),
        Field("guided_regex"),
        Field("include_stop_str_in_output", harmless: [false]),
        Field("length_penalty", harmless: [1, 1.0]),
        Field("logits_processors", harmless: [[]]),
        Field("mirostat", harmless: [0]),
        Field("prompt_logprobs", "is not supported; 'echo' with 'logprobs' scores a prompt"),
        Field("structured_outputs"),
        Field("tfs_z", harmless: [1, 1.0]),
        Field("truncate_prompt_tokens"),
        Field("typical_p", harmless: [1, 1.0]),
        Field("use_beam_search", harmless: [false]),
    ]

    /// Fields that `/v1/completions` does not support.
    static let ofCompletions: [Field] = [
        Field("prompt_embeds"),
        Field("suffix", harmless: [""], "is not supported: the model continues a prompt, it does not fill gaps"),
    ]

    /// Fields that `/v1/chat/completions` does not support.
    static let ofChat: [Field] = [
        Field("audio"),
        Field("chat_template", "is not supported: the model's own template is used"),
        Field("documents", harmless: [[]]),
        Field("echo", harmless: [false], "is not supported for chats; /v1/completions has it"),
        Field("function_call", harmless: ["none", "auto"], "is not supported; use 'tools'"),
        Field("functions", harmless: [[]], "is not supported; use 'tools'"),
        Field("modalities", harmless: [["text"], []], "supports only [\"text\"]"),
        Field("verbosity", harmless: ["medium"]),
        Field("web_search_options"),
    ]

    static func refuse(_ fields: [Field], in request: RequestFields) throws(APIError) {
        for field in fields {
            guard let value = request.value(field.name), !field.harmless.contains(value) else { continue }
            throw .unsupported(field.name, "'\(field.name)' \(field.reason)")
        }
    }
}
