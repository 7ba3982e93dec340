/// A tracked file, read once; every check works on this and touches no disk.
struct SourceFile {
    /// What kind of text a file holds.
    enum Language: Equatable {
        case c
        case markdown
        case otherText
        case binary
        case python
        case shell
        case swift
        /// HTML, style sheets and JavaScript of the gateway's page.
        case web
    }

    /// Path from the repository's root.
    let path: String
    /// Size on disk.
    let byteCount: Int
    /// What the path's extension says.
    let language: Language
    /// The lines, without their line feeds; empty for binary files.
    let lines: [[UInt8]]
    /// The same lines with comments and the contents of strings blanked out (Swift and C only, else equal to `lines`).
    let codeLines: [[UInt8]]
    /// Whether the last line ends with a line feed.
    let endsWithLineFeed: Bool

    init(path: String, bytes: [UInt8]) {
        self.path = path
        byteCount = bytes.count
        let language = bytes.contains(0) ? .binary : Self.language(ofPath: path, firstLine: bytes.prefix { $0 != 10 })
        self.language = language
        endsWithLineFeed = bytes.last == 10
        lines = language == .binary ? [] : Self.split(bytes)
        switch language {
        case .swift: codeLines = Self.split(CodeMask.swift(bytes))
        case .c: codeLines = Self.split(CodeMask.c(bytes))
        case .binary, .markdown, .otherText, .python, .shell, .web: codeLines = lines
        }
    }

    /// A file as a test writes it down.
    init(_ path: String, _ text: String) {
        self.init(path: path, bytes: Array(text.utf8))
    }

    /// The last component of the path.
    var name: Substring { path.split(separator: "/").last ?? "" }

    /// The folders of the path, from the root.
    var folders: [Substring] { Array(path.split(separator: "/").dropLast()) }

    /// What follows the last dot of the name; nil if nothing does, or only a leading dot.
    var fileExtension: Substring? { Self.fileExtension(ofPath: path) }

    /// Whether the file belongs to the tests.
    var isTest: Bool { folders.first == "Tests" }

    /// The target of a Swift or C file under `Sources`; nil elsewhere.
    var target: String? {
        guard folders.count >= 2, folders[0] == "Sources" else { return nil }
        return String(folders[1])
    }

    /// Whether the file belongs to one of the targets.
    func belongs(to targets: Set<String>) -> Bool { target.map { targets.contains($0) } ?? false }

    private static func fileExtension(ofPath path: String) -> Substring? {
        guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: "."), dot > name.startIndex
        else { return nil }
        return name[name.index(after: dot)...]
    }

    private static func language(ofPath path: String, firstLine: ArraySlice<UInt8>) -> Language {
        switch fileExtension(ofPath: path) {
        case "swift": .swift
        case "c", "h": .c
        case "md": .markdown
        case "py": .python
        case "sh": .shell
        case "css", "html", "js": .web
        default: firstLine.starts(with: Array("#!/".utf8)) ? .shell : .otherText
        }
    }

    private static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// Searching in bytes: sources are read by the megabyte, and a check must not be the slowest test.
extension [UInt8] {
    /// Where `word` occurs; where it begins or ends with an identifier character, it must be a whole identifier there.
    func offsets(ofWord word: String) -> [Int] {
        let needle = Array(word.utf8)
        guard let first = needle.first, let last = needle.last, needle.count <= count else { return [] }
        return (0...(count - needle.count)).filter { offset in
            guard self[offset] == first, self[offset..<(offset + needle.count)].elementsEqual(needle) else {
                return false
            }
            let end = offset + needle.count
            let startsInside = first.isIdentifier && offset > 0 && self[offset - 1].isIdentifier
            let endsInside = last.isIdentifier && end < count && self[end].isIdentifier
            return !startsInside && !endsInside
        }
    }

    /// Whether `word` occurs as above.
    func contains(word: String) -> Bool { !offsets(ofWord: word).isEmpty }

    /// Without spaces and tabs at both ends.
    var trimmed: [UInt8] {
        guard let start = firstIndex(where: { !$0.isBlank }), let end = lastIndex(where: { !$0.isBlank }) else {
            return []
        }
        return Array(self[start...end])
    }

    /// The bytes as text.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension UInt8 {
    /// Letters, digits, underscore, and everything beyond ASCII.
    var isIdentifier: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    /// Space or tab.
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}
