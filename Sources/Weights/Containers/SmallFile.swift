/// The small files of a model that others than the weights' readers ask for: see `Checkpoint.smallFile`.
public enum SmallFile {
    /// Those that say how the model's text is made, in the order in which people expect them.
    public static let ofText = [
        "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja", "config.json",
        "encoding_dsv32.py", "encoding_dsv4.py", "tiktoken.model",
    ]

    /// Where a file may lie in a model's directory, the most likely place first: programs that write prompts have a
    /// folder of their own.
    public static func paths(of name: String) -> [String] {
        name.hasPrefix("encoding_") ? ["encoding/" + name, name] : [name]
    }
}
