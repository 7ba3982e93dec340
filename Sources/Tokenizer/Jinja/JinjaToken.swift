/// What a template's source is cut into.
struct JinjaToken: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// `{%`
        case blockBegin
        /// `%}`
        case blockEnd
        /// A floating-point literal.
        case double(Double)
        /// The end of the template.
        case end
        /// An integer literal.
        case integer(Int)
        /// An identifier or keyword.
        case name(String)
        /// Punctuation within a tag.
        case symbol(String)
        /// A string literal, escapes resolved.
        case string(String)
        /// Text between tags, to be written as it is.
        case text(String)
        /// `{{`
        case variableBegin
        /// `}}`
        case variableEnd

        /// For error messages.
        var description: String {
            switch self {
            case .blockBegin: "'{%'"
            case .blockEnd: "'%}'"
            case .double(let value): "'\(value)'"
            case .end: "the end of the template"
            case .integer(let value): "'\(value)'"
            case .name(let name): "'\(name)'"
            case .symbol(let symbol): "'\(symbol)'"
            case .string: "a string"
            case .text: "text"
            case .variableBegin: "'{{'"
            case .variableEnd: "'}}'"
            }
        }
    }

    let kind: Kind
    /// Counted from 1.
    let line: Int
}
