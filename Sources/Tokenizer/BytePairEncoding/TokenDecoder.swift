import Basics

/// What the entries of a vocabulary are written in.
enum VocabularyForm: Sendable {
    /// Bytes, each by its stand-in of the byte alphabet: every text can be spelled.
    case byteLevel
    /// Text, as SentencePiece writes it. A character that is no entry is spelled by byte tokens (`<0x0A>`), if the
    /// model falls back to them.
    case text

    /// What an entry stands for where pairs are merged; nil if it is not written in this form.
    func bytes(of entry: String) -> [UInt8]? {
        switch self {
        case .byteLevel: ByteAlphabet.bytes(of: entry)
        case .text: Array(entry.utf8)
        }
    }
}

/// How tokens become text again: the `decoder` of `tokenizer.json`.
///
/// The steps work on single tokens, but for the last: bytes are put together to characters, and spaces are taken from
/// the very beginning. So the bytes of each token can be worked out once, when the tokenizer is loaded.
struct TokenDecoder: Sendable {
    private static let supported = [
        "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Sequence", "Strip",
    ]

    private(set) var form = VocabularyForm.text
    /// How many spaces at the beginning of a whole text were put there by the normalizer.
    private(set) var leadingSpaceCount = 0
    private var readsByteTokens = false
    private var replacements: [(pattern: Pattern, content: [UInt8])] = []

    init(_ json: JSON?) throws(TokenizerError) {
        let readers = try ComponentReader.flattened(json, role: "decoder", listKey: "decoders")
        guard !readers.isEmpty else {
            throw .componentUnsupported(component: "decoder", found: "null", supported: Self.supported)
        }
        if readers.contains(where: { $0.type == "ByteLevel" }) {
            form = .byteLevel
            for reader in readers where reader.type != "ByteLevel" && reader.type != "Fuse" {
                throw reader.unsupported(["ByteLevel", "Fuse", "Sequence"])
            }
            return
        }
        for reader in readers { try add(reader) }
    }

    private mutating func add(_ reader: ComponentReader) throws(TokenizerError) {
        switch reader.type {
        case "ByteFallback": readsByteTokens = true
        case "Fuse": break  // Tokens are joined anyway.
        case "Metaspace":
            let metaspace = try Metaspace(reader)
            replacements.append((try Pattern(ComponentReader.escaped(metaspace.replacement)), [UInt8(ascii: " ")]))
            leadingSpaceCount = metaspace.scheme == .never ? 0 : 1
        case "Replace": replacements.append((try reader.pattern(), Array(try reader.string("content").utf8)))
        case "Strip":
            guard try reader.string("content") == " ", try reader.count("stop") == 0 else {
                throw reader.malformed("only spaces at the start can be stripped")
            }
            leadingSpaceCount = try reader.count("start")
        default: throw reader.unsupported(Self.supported)
        }
    }

    /// The bytes that a token named `name` stands for.
    func bytes(of name: String) -> [UInt8] {
        switch form {
        case .byteLevel: return ByteAlphabet.bytes(of: name) ?? Array(name.utf8)
        case .text:
            let text = replacements.reduce(Array(name.utf8)) { $1.pattern.replacing(in: $0, with: $1.content) }
            if readsByteTokens, let byte = ByteToken.byte(named: text) { return [byte] }
            return text
        }
    }

    /// The text of joined bytes. Bytes that are not UTF-8 become U+FFFD: of a byte-level vocabulary one for as many
    /// as could begin a character, of byte tokens one for each, as the published libraries do.
    func text(of bytes: some Collection<UInt8>) -> String {
        switch form {
        case .byteLevel: String(decoding: bytes, as: UTF8.self)
        case .text: String(validating: bytes, as: UTF8.self) ?? Self.textOfBroken(Array(bytes))
        }
    }

    private static func textOfBroken(_ bytes: [UInt8]) -> String {
        var text = ""
        var index = 0
        while index < bytes.count {
            let end = min(index + UTF8Tail.expectedByteCount(bytes[index]), bytes.count)
            if let character = String(validating: bytes[index..<end], as: UTF8.self) {
                text += character
                index = end
            } else {
                text += "\u{FFFD}"
                index += 1
            }
        }
        return text
    }
}

/// The tokens `<0x00>` to `<0xFF>`, which stand for single bytes.
enum ByteToken {
    /// The token's name.
    static func name(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
    }

    /// The byte that a token of this name stands for, nil if it is no byte token.
    static func byte(named name: [UInt8]) -> UInt8? {
        guard name.count == 6, name.starts(with: "<0x".utf8), name[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: name[3..<5], as: UTF8.self), radix: 16)
    }
}
