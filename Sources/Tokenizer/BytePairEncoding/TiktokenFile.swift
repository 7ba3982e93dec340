import Basics
import Foundation

/// A vocabulary as `tiktoken` stores it: per line the bytes of a token in base 64, and its id, which is also the order
/// in which pairs are merged. What else there is to a tokenizer stands in the model's Python: how text is cut is known
/// for Kimi, whose models come so.
struct TiktokenFile {
    static let name = "tiktoken.model"

    /// How Kimi cuts text: as GPT-4o, but Han characters are pieces of their own.
    static let kimiPattern =
        "[\\p{Han}]+|\(start)\(upper)*\(lower)+\(suffix)|\(start)\(upper)+\(lower)*\(suffix)|\\p{N}{1,3}"
        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    private static let start = "[^\\r\\n\\p{L}\\p{N}]?"
    private static let suffix = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    private static let upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
    private static let lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"

    /// Ids that Kimi keeps for special tokens, behind those of the vocabulary.
    private static let reservedCount = 256

    let tokens: [(bytes: [UInt8], number: TokenNumber)]
    let table: ByteStringTable

    /// Reads the file; `configuration` is `tokenizer_config.json`.
    init(_ bytes: [UInt8], configuration: JSON?) throws(TokenizerError) {
        let automatic = configuration?["auto_map"]?["AutoTokenizer"]
        let program = automatic?.array?.first?.string ?? automatic?.string ?? "none"
        guard program.hasPrefix("tokenization_kimi.") else {
            throw .componentUnsupported(
                component: "the program beside tiktoken.model (auto_map.AutoTokenizer)", found: program,
                supported: ["tokenization_kimi", "a tokenizer.json instead"])
        }
        var tokens: [(bytes: [UInt8], number: TokenNumber)] = []
        for (line, text) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            let parts = text.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
            guard parts.count == 2, let token = Data(base64Encoded: Data(parts[0])), !token.isEmpty,
                let number = Int(String(decoding: parts[1], as: UTF8.self)), number >= 0
            else { throw .fileMalformed(file: Self.name, reason: "line \(line + 1) is no token with its id") }
            guard number <= Limits.Tokenizer.tokenIDMax else {
                throw .limitExceeded(what: "an id", count: number, limit: Limits.Tokenizer.tokenIDMax)
            }
            tokens.append((Array(token), TokenNumber(number)))
        }
        guard !tokens.isEmpty else { throw .fileMalformed(file: Self.name, reason: "it holds no tokens") }
        self.tokens = tokens
        var table = ByteStringTable(capacity: tokens.count)
        for token in tokens { table.insert(token.bytes, value: token.number) }
        self.table = table
    }

    /// Any two tokens that make up a third one merge, in the order of the ids of what they make.
    var model: BytePairModel {
        var merges: [(left: TokenNumber, right: TokenNumber, token: TokenNumber)] = []
        for token in tokens {
            for middle in 1..<max(token.bytes.count, 1) {
                guard let left = table.value(of: Array(token.bytes[..<middle])),
                    let right = table.value(of: Array(token.bytes[middle...]))
                else { continue }
                merges.append((left, right, token.number))
            }
        }
        var mergeTable = MergeTable(capacity: merges.count)
        for merge in merges {
            mergeTable.insert(
                left: merge.left, right: merge.right,
                merge: MergeTable.Merge(rank: UInt32(merge.token), token: merge.token))
        }
        return BytePairModel(
            vocabulary: table, merges: mergeTable, form: .byteLevel,
            byteTokens: (0...255).map { table.value(of: [UInt8($0)]) }, unknownToken: nil, fusesUnknown: false,
            ignoresMerges: true)
    }

    /// The names of the special tokens that `tokenizer_config.json` leaves out.
    func reservedTokens(besides known: Set<TokenNumber>) -> [AddedToken] {
        let first = (tokens.map(\.number).max() ?? 0) + 1
        return (0..<Self.reservedCount).map { first + TokenNumber($0) }.filter { !known.contains($0) }.map { number in
            AddedToken(
                id: number, content: Array("<|reserved_token_\(number)|>".utf8), stripsLeft: false, stripsRight: false,
                isSingleWord: false, isNormalised: false, isSpecial: true)
        }
    }
}
