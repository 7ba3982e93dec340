/// Rules about how large things may grow.
enum SizeChecks {
    /// Source files are at most 500 lines, tests 800.
    static func fileLength(_ file: SourceFile) -> [Finding] {
        switch file.language {
        case .binary, .markdown, .otherText: return []
        case .c, .python, .shell, .swift, .web: break
        }
        let limit = file.isTest ? Bounds.testFileLinesMax : Bounds.fileLinesMax
        guard file.lines.count > limit else { return [] }
        let message = "\(file.lines.count) lines, at most \(limit): split it by responsibility"
        return [Finding(rule: .fileLength, path: file.path, line: nil, message: message)]
    }

    /// Functions are at most 70 lines.
    static func functionLength(_ file: SourceFile) -> [Finding] {
        let functions: [Function]
        switch file.language {
        case .swift: functions = Function.inSwift(file)
        case .c: functions = Function.inC(file)
        case .python: functions = Function.inPython(file)
        case .binary, .markdown, .otherText, .shell, .web: return []
        }
        return functions.compactMap { function in
            guard function.lineCount > Bounds.functionLinesMax else { return nil }
            let message = "a function of \(function.lineCount) lines, at most \(Bounds.functionLinesMax)"
            return Finding(rule: .functionLength, path: file.path, line: function.firstLine, message: message)
        }
    }

    /// Large files make every clone slow, for ever.
    static func blobSize(_ file: SourceFile) -> [Finding] {
        let hasOwnLimit = file.path.hasPrefix("cluster/models/antling/") || file.path.hasPrefix("Tests/Fixtures/")
        guard !hasOwnLimit, file.byteCount > Bounds.blobBytesMax else { return [] }
        let message = "\(file.byteCount) bytes, at most \(Bounds.blobBytesMax)"
        return [Finding(rule: .blobSize, path: file.path, line: nil, message: message)]
    }

    /// What is large by its nature has a limit for all of it together: the fixtures, and the bundled model.
    static func fixtureSize(_ files: [SourceFile]) -> [Finding] {
        [("Tests/Fixtures/", Bounds.fixtureBytesMax), ("cluster/models/antling/", Bounds.modelBytesMax)].compactMap {
            folder, bytesMax in
            let sum = files.filter { $0.path.hasPrefix(folder) }.reduce(0) { $0 + $1.byteCount }
            guard sum > bytesMax else { return nil }
            let message = "\(sum) bytes, at most \(bytesMax) together"
            return Finding(rule: .blobSize, path: folder, line: nil, message: message)
        }
    }

    /// A folder that one cannot take in at a glance wants sub-folders.
    static func filesInFolder(_ files: [SourceFile]) -> [Finding] {
        let counts = files.reduce(into: [String: Int]()) { counts, file in
            counts[file.folders.joined(separator: "/"), default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.compactMap { folder, count in
            guard count > Bounds.folderFilesMax, !folder.hasPrefix("Tests/Fixtures") else { return nil }
            let message = "\(count) files in one folder, at most \(Bounds.folderFilesMax): group them"
            return Finding(rule: .filesInFolder, path: folder, line: nil, message: message)
        }
    }
}

/// Where a function is, by a heuristic on braces (Swift, C) or indentation (Python).
struct Function: Equatable {
    /// Line of its first word, counted from 1.
    let firstLine: Int
    /// Lines from there to its end, both included.
    let lineCount: Int

    /// Swift: from `func`, `init`, `deinit` or `subscript` to the brace that closes its body.
    static func inSwift(_ file: SourceFile) -> [Function] {
        let code = Array(file.codeLines.joined(separator: [10]))
        return ["func", "init", "deinit", "subscript"].flatMap { keyword in
            code.offsets(ofWord: keyword).compactMap { start -> Function? in
                // `.init(…)` and `self.init(…)` are calls.
                guard start == 0 || code[start - 1] != UInt8(ascii: "."),
                    let opening = bodyOpening(in: code, after: start + keyword.utf8.count),
                    let end = closingBrace(in: code, from: opening)
                else { return nil }
                return Function(code, from: start, to: end)
            }
        }.sorted { $0.firstLine < $1.firstLine }
    }

    /// C: each `{` outside of others that follows a `)`.
    static func inC(_ file: SourceFile) -> [Function] {
        let code = Array(file.codeLines.joined(separator: [10]))
        var functions: [Function] = []
        var offset = 0
        while offset < code.count {
            guard code[offset] == UInt8(ascii: "{") else {
                offset += 1
                continue
            }
            guard let end = closingBrace(in: code, from: offset) else { break }
            let before = code[..<offset].last { !$0.isBlank && $0 != 10 }
            if before == UInt8(ascii: ")") { functions.append(Function(code, from: offset, to: end)) }
            offset = end + 1
        }
        return functions
    }

    /// Python: from `def` to the last line that is indented deeper.
    static func inPython(_ file: SourceFile) -> [Function] {
        file.lines.indices.compactMap { first in
            let trimmed = file.lines[first].trimmed
            guard trimmed.starts(with: "def ".utf8) || trimmed.starts(with: "async def ".utf8) else { return nil }
            let indentation = file.lines[first].prefix { $0.isBlank }.count
            var last = first
            for index in (first + 1)..<max(first + 1, file.lines.count) {
                let line = file.lines[index]
                if line.trimmed.isEmpty { continue }
                let isDeeper = line.prefix { $0.isBlank }.count > indentation
                guard isDeeper || line.trimmed.first == UInt8(ascii: ")") else { break }
                last = index
            }
            return Function(firstLine: first + 1, lineCount: last - first + 1)
        }
    }

    private init(firstLine: Int, lineCount: Int) {
        self.firstLine = firstLine
        self.lineCount = lineCount
    }

    private init(_ code: [UInt8], from start: Int, to end: Int) {
        firstLine = code[..<start].count { $0 == 10 } + 1
        lineCount = code[start...end].count { $0 == 10 } + 1
    }

    /// The brace that opens the body, past parameter lists and default values; nil for a requirement of a protocol.
    private static func bodyOpening(in code: [UInt8], after start: Int) -> Int? {
        var depth = 0
        for offset in start..<max(start, code.count) {
            switch code[offset] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return offset
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "f") where depth == 0 && code[offset...].starts(with: "func ".utf8): return nil
            default: break
            }
            if depth < 0 { return nil }
        }
        return nil
    }

    private static func closingBrace(in code: [UInt8], from opening: Int) -> Int? {
        var depth = 0
        for offset in opening..<code.count {
            if code[offset] == UInt8(ascii: "{") { depth += 1 }
            if code[offset] == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return offset }
            }
        }
        return nil
    }
}
