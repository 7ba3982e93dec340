import Basics
import Foundation
// Foundation's canonical forms look at 16 bits of a character (U+20067 and a dot become ġ) and compose Hangul that does
// not belong together. The library's own forms, which strings are compared by, are right, but have no public name.
@_spi(_Unicode) import Swift

/// What happens to text before it is cut: the `normalizer` of `tokenizer.json`.
struct Normalizer: Sendable {
    private enum Step: Sendable {
        case canonicalComposition
        case canonicalDecomposition
        case compatibilityComposition
        case compatibilityDecomposition
        case lowercase
        case prepend(String)
        case replace(Pattern, with: [UInt8])
    }

    private static let supported = [
        "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Replace", "Sequence",
    ]

    private let steps: [Step]

    init(_ json: JSON?) throws(TokenizerError) {
        var steps: [Step] = []
        for reader in try ComponentReader.flattened(json, role: "normalizer", listKey: "normalizers") {
            steps.append(try Self.step(reader))
        }
        self.steps = steps
    }

    private static func step(_ reader: ComponentReader) throws(TokenizerError) -> Step {
        switch reader.type {
        case "NFC": .canonicalComposition
        case "NFD": .canonicalDecomposition
        case "NFKC": .compatibilityComposition
        case "NFKD": .compatibilityDecomposition
        case "Lowercase": .lowercase
        case "Prepend": .prepend(try reader.string("prepend"))
        case "Replace": .replace(try reader.pattern(), with: Array(try reader.string("content").utf8))
        default: throw reader.unsupported(supported)
        }
    }

    /// Whether text passes unchanged.
    var isIdentity: Bool { steps.isEmpty }

    /// The normalised text.
    func normalise(_ bytes: [UInt8]) -> [UInt8] {
        steps.reduce(bytes) { Self.apply($1, to: $0) }
    }

    private static func apply(_ step: Step, to bytes: [UInt8]) -> [UInt8] {
        switch step {
        case .canonicalComposition: mapped(bytes) { Self.string($0._nfc) }
        case .canonicalDecomposition: mapped(bytes) { Self.string($0._nfd) }
        case .compatibilityComposition: mapped(bytes) { $0.precomposedStringWithCompatibilityMapping }
        case .compatibilityDecomposition: mapped(bytes) { $0.decomposedStringWithCompatibilityMapping }
        case .lowercase: lowercased(bytes)
        case .prepend(let prefix): bytes.isEmpty ? bytes : Array(prefix.utf8) + bytes
        case .replace(let pattern, let content): pattern.replacing(in: bytes, with: content)
        }
    }

    /// Unicode forms; text that is all ASCII is in every one of them already.
    private static func mapped(_ bytes: [UInt8], _ form: (String) -> String) -> [UInt8] {
        guard bytes.contains(where: { $0 >= 0x80 }) else { return bytes }
        return Array(form(String(decoding: bytes, as: UTF8.self)).utf8)
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Scalar by scalar: without the rules that look at neighbours, such as the final sigma's.
    private static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        var result = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            result += scalar.properties.lowercaseMapping
        }
        return Array(result.utf8)
    }
}
