import Basics

/// SentencePiece's way with spaces: they become a visible character, and a text begins with one, so that a word is the
/// same token wherever it stands.
struct Metaspace: Sendable {
    /// Where a space is put in front, if there is none.
    enum Scheme: String, Sendable {
        case always
        case first
        case never
    }

    /// What stands for a space.
    let replacement: String
    let scheme: Scheme
    /// Whether the text is cut before each of the replacements.
    let cuts: Bool

    init(_ reader: ComponentReader) throws(TokenizerError) {
        replacement = try reader.string("replacement", default: "\u{2581}")
        cuts = try reader.bool("split", default: true)
        // Older files say only whether.
        let prefixes = try reader.bool("add_prefix_space", default: true)
        let name = try reader.string("prepend_scheme", default: prefixes ? "always" : "never")
        guard let scheme = Scheme(rawValue: name) else {
            throw .componentUnsupported(
                component: "prepend_scheme of \(reader.role) \(reader.type)", found: name,
                supported: ["always", "first", "never"])
        }
        self.scheme = scheme
    }

    /// The text with its spaces replaced; `isFirst` says whether it begins where the whole text begins.
    func applied(to text: [UInt8], isFirst: Bool) -> [UInt8] {
        let mark = Array(replacement.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 4)
        for byte in text {
            if byte == UInt8(ascii: " ") { result += mark } else { result.append(byte) }
        }
        let prefixes = scheme == .always || scheme == .first && isFirst
        return prefixes && !result.starts(with: mark) ? mark + result : result
    }
}
