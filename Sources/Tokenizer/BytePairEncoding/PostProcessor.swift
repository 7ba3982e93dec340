import Basics

/// What is put around encoded text when special tokens are asked for: the `post_processor` of `tokenizer.json`.
struct PostProcessor: Sendable {
    private static let supported = ["ByteLevel", "Sequence", "TemplateProcessing"]

    private(set) var prefix: [TokenNumber] = []
    private(set) var suffix: [TokenNumber] = []

    init(_ json: JSON?) throws(TokenizerError) {
        for reader in try ComponentReader.flattened(json, role: "post_processor", listKey: "processors") {
            switch reader.type {
            case "ByteLevel": continue  // Trims offsets, which nobody here asks for.
            case "TemplateProcessing": try add(reader)
            default: throw reader.unsupported(Self.supported)
            }
        }
    }

    private mutating func add(_ reader: ComponentReader) throws(TokenizerError) {
        var before: [TokenNumber] = []
        var after: [TokenNumber] = []
        var hasSequence = false
        for element in try reader.array("single") {
            if element["Sequence"] != nil {
                guard !hasSequence else { throw reader.malformed("'single' repeats the text") }
                hasSequence = true
            } else if let name = element["SpecialToken"]?["id"]?.string {
                let ids = try Self.ids(named: name, reader)
                if hasSequence { after += ids } else { before += ids }
            } else {
                throw reader.malformed("'single' holds something other than Sequence and SpecialToken")
            }
        }
        guard hasSequence else { throw reader.malformed("'single' leaves out the text") }
        prefix = before + prefix
        suffix += after
    }

    private static func ids(named name: String, _ reader: ComponentReader) throws(TokenizerError) -> [TokenNumber] {
        guard let ids = reader.member("special_tokens")?[name]?["ids"]?.array else {
            throw reader.malformed("'special_tokens' lacks '\(name)'")
        }
        var numbers: [TokenNumber] = []
        for id in ids {
            guard let value = id.integer, (0...Limits.Tokenizer.tokenIDMax).contains(value) else {
                throw reader.malformed("an id of '\(name)' is not a token id")
            }
            numbers.append(TokenNumber(value))
        }
        return numbers
    }
}
