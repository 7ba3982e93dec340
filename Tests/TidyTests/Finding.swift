/// One place that breaks a rule.
struct Finding: Hashable, CustomStringConvertible {
    /// The rule, as named in the ratchet table.
    let rule: Rule
    /// Path from the repository's root.
    let path: String
    /// Line, counted from 1; nil if the whole file is meant.
    let line: Int?
    /// What is wrong, and what to do instead.
    let message: String

    /// `path:line: message [rule]`, which editors can jump to.
    var description: String {
        let place = line.map { "\(path):\($0)" } ?? path
        return "\(place): \(message) [\(rule.rawValue)]"
    }
}

/// The names of the rules.
enum Rule: String, CaseIterable {
    case bannedConstruct
    case blobSize
    case deadFile
    case fileExtension
    case fileLength
    case filesInFolder
    case functionLength
    case layerImport
    case lineLength
    case machinePath
    case markdownHeading
    case uncheckedSendable
    case unfinishedWork
    case whitespace
}

/// The numbers of the rules.
enum Bounds {
    /// Characters per line.
    static let lineCharactersMax = 120
    /// Lines per function, signature and closing brace included.
    static let functionLinesMax = 70
    /// Lines per source file.
    static let fileLinesMax = 500
    /// Lines per file of tests.
    static let testFileLinesMax = 800
    /// Bytes per file.
    static let blobBytesMax = 1 << 20
    /// Bytes of all files under `Tests/Fixtures`, together.
    static let fixtureBytesMax = 12 << 20
    /// Bytes of the bundled model, card and tokenizer included.
    static let modelBytesMax = 24_000_000
    /// Files directly in one folder.
    static let folderFilesMax = 32
}
