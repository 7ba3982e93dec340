/// Rules that hold for every text, whatever its language.
enum TextChecks {
    /// Files that other programs wrote and that are kept as they are.
    private static let foreignFolders = ["Tests/Fixtures/", "cluster/models/antling/"]

    static func isForeign(_ file: SourceFile) -> Bool { foreignFolders.contains { file.path.hasPrefix($0) } }

    /// Lines of code are at most 120 characters; tables and links in prose may be longer, and so may the text of a
    /// string, which reads worse in pieces.
    static func lineLength(_ file: SourceFile) -> [Finding] {
        switch file.language {
        case .binary, .markdown, .otherText: return []
        case .c, .python, .shell, .swift, .web: break
        }
        return file.lines.enumerated().compactMap { index, line in
            guard line.count > Bounds.lineCharactersMax else { return nil }
            let characterCount = line.text.count - charactersOfStrings(line, code: file.codeLines[index])
            guard characterCount > Bounds.lineCharactersMax else { return nil }
            let message = "\(characterCount) characters, at most \(Bounds.lineCharactersMax)"
            return Finding(rule: .lineLength, path: file.path, line: index + 1, message: message)
        }
    }

    /// How many characters of a line are the contents of strings: blanked in its code, and followed by code again.
    private static func charactersOfStrings(_ line: [UInt8], code: [UInt8]) -> Int {
        guard let codeEnd = code.lastIndex(where: { !$0.isBlank }) else { return 0 }
        var strings: [UInt8] = []
        var isInside = false
        for offset in 0...codeEnd {
            if code[offset] == UInt8(ascii: "\"") { isInside.toggle() }
            if isInside, code[offset].isBlank { strings.append(line[offset]) }
        }
        return strings.text.count
    }

    /// No blanks at line ends, no carriage returns, no tabs in Swift, one line feed at the end.
    static func whitespace(_ file: SourceFile) -> [Finding] {
        guard file.language != .binary, !isForeign(file), file.fileExtension != "svg" else { return [] }
        var findings: [Finding] = []
        func report(_ line: Int?, _ message: String) {
            findings.append(Finding(rule: .whitespace, path: file.path, line: line, message: message))
        }
        for (index, line) in file.lines.enumerated() {
            if line.last?.isBlank == true { report(index + 1, "blanks at the end of the line") }
            if line.last == 13 { report(index + 1, "carriage return at the end of the line") }
            if file.language == .swift, line.contains(9) { report(index + 1, "a tab: indent with four spaces") }
        }
        if !file.lines.isEmpty, !file.endsWithLineFeed { report(nil, "no line feed at the end of the file") }
        if file.lines.last?.isEmpty == true { report(file.lines.count, "empty line at the end of the file") }
        return findings
    }

    /// Work that is not finished is an issue, not a comment.
    static func unfinishedWork(_ file: SourceFile) -> [Finding] {
        guard file.language != .binary, !isForeign(file) else { return [] }
        // Written in two parts, so that this file does not find itself.
        let markers = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        return file.lines.enumerated().flatMap { index, line in
            markers.filter { line.contains(word: $0) }.map { marker in
                let message = "\(marker): finish it, or file an issue"
                return Finding(rule: .unfinishedWork, path: file.path, line: index + 1, message: message)
            }
        }
    }

    /// Nothing depends on where one machine happens to keep its files.
    static func machinePaths(_ file: SourceFile) -> [Finding] {
        guard file.language != .binary, !isForeign(file) else { return [] }
        var paths = ["/" + "work/", "/" + "root/", "/" + "home/", "shared/" + "guide", "shared/" + "oracle"]
        if file.language == .markdown { paths.append("/" + "tmp/") }
        return file.lines.enumerated().flatMap { index, line in
            paths.filter { path in
                line.offsets(ofWord: path).contains { $0 == 0 || !line[$0 - 1].isIdentifier }
            }.map { path in
                let message = "\(path): a path of one machine; derive it, or take it from an option"
                return Finding(rule: .machinePath, path: file.path, line: index + 1, message: message)
            }
        }
    }

    /// A page of documentation has exactly one title.
    static func markdownHeading(_ file: SourceFile) -> [Finding] {
        guard file.language == .markdown, !isForeign(file) else { return [] }
        var isFenced = false
        var titles: [Int] = []
        for (index, line) in file.lines.enumerated() {
            if line.starts(with: "```".utf8) { isFenced.toggle() }
            if !isFenced, line.starts(with: "# ".utf8) { titles.append(index + 1) }
        }
        guard titles.count != 1 else { return [] }
        let message = titles.isEmpty ? "no title (`# …`)" : "\(titles.count) titles (`# …`), one is enough"
        return [Finding(rule: .markdownHeading, path: file.path, line: titles.last, message: message)]
    }

    /// Kinds of files that belong into the repository; anything else came in by accident.
    private static let extensions: Set<String> = [
        "c", "css", "gguf", "h", "html", "ini", "jinja", "js", "json", "jsonl", "md", "modulemap", "npz", "pem", "png",
        "py", "safetensors", "service", "sh", "svg", "swift", "toml", "txt", "yaml", "yml",
    ]

    /// Names without an extension that belong into the repository.
    private static let names: Set<String> = [
        ".dockerignore", ".gitattributes", ".gitignore", ".swift-format", ".swift-version", "Dockerfile", "LICENSE",
    ]

    /// Folders of scripts and of fixtures, where names need no extension.
    private static let scriptFolders: Set<String> = [
        ".ci", "Tests/Fuzz", "benchmarks", "benchmarks/cluster", "benchmarks/families", "benchmarks/gateway",
        "benchmarks/peers", "benchmarks/rpc", "cluster", "cluster/lib",
    ]

    /// Only files of a known kind are tracked.
    static func fileExtension(_ file: SourceFile) -> [Finding] {
        let isKnown =
            if let fileExtension = file.fileExtension {
                extensions.contains(String(fileExtension)) || file.path.hasPrefix("Tests/Fixtures/")
            } else {
                names.contains(String(file.name)) || scriptFolders.contains(file.folders.joined(separator: "/"))
                    || file.path.hasPrefix("Tests/Fixtures/")
            }
        guard !isKnown else { return [] }
        let message = "unexpected kind of file; if it is meant to be tracked, name its kind in TextChecks"
        return [Finding(rule: .fileExtension, path: file.path, line: nil, message: message)]
    }
}
