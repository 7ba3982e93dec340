/// Constructs that Colony does without, each with what to write instead.
enum ConstructChecks {
    /// Where a ban holds.
    private enum Scope {
        case c
        case everySwiftFile
        case outsideExecutables
        case outsideProcessOwners
        case tests
    }

    private struct Ban {
        let words: [String]
        let scope: Scope
        let instead: String
    }

    private static let bans = [
        Ban(words: ["try!"], scope: .everySwiftFile, instead: "let the error pass on, or catch it"),
        Ban(words: ["as!"], scope: .everySwiftFile, instead: "use `as?` and say what happens otherwise"),
        Ban(
            words: ["fatalError("], scope: .everySwiftFile,
            instead: "throw a typed error; `preconditionFailure` for our own bugs"),
        Ban(words: ["@testable"], scope: .everySwiftFile, instead: "make it `package`: tests run in release"),
        Ban(
            words: ["DispatchQueue.global"], scope: .everySwiftFile,
            instead: "use a queue of your own: the global one may have no thread left"),
        Ban(
            words: ["print(", "debugPrint(", "dump("], scope: .outsideExecutables,
            instead: "use the logger; only executables print"),
        Ban(
            words: ["exit(", "_exit(", "abort("], scope: .outsideProcessOwners,
            instead: "throw: only a main program ends the process"),
        Ban(words: ["printf(", "exit(", "abort("], scope: .c, instead: "return a status: C computes, Swift reports"),
        Ban(
            words: ["Thread.sleep", "usleep(", "nanosleep(", "sleep("], scope: .tests,
            instead: "await the event itself, with a time limit"),
    ]

    /// Banned words, outside of comments and strings.
    static func banned(_ file: SourceFile) -> [Finding] {
        guard file.language == .swift || file.language == .c else { return [] }
        return bans.filter { applies($0.scope, to: file) }.flatMap { ban in
            file.codeLines.enumerated().flatMap { index, line in
                ban.words.filter { isCalled($0, in: line) }.map { word in
                    let message = "`\(word)`: \(ban.instead)"
                    return Finding(rule: .bannedConstruct, path: file.path, line: index + 1, message: message)
                }
            }
        }
    }

    /// A force unwrap is a crash that waits for its input. (`swift format` finds them too, but not in tests.)
    static func forceUnwrap(_ file: SourceFile) -> [Finding] {
        guard file.language == .swift else { return [] }
        return file.codeLines.enumerated().compactMap { index, line in
            guard hasForceUnwrap(line) else { return nil }
            let message = "force unwrap: use `guard let`, `try #require(…)` in tests, or an optional"
            return Finding(rule: .bannedConstruct, path: file.path, line: index + 1, message: message)
        }
    }

    /// A promise to the compiler needs its reason directly above.
    static func uncheckedSendable(_ file: SourceFile) -> [Finding] {
        guard file.language == .swift else { return [] }
        let promises = ["@unchecked Sendable", "nonisolated(unsafe)"]
        return file.codeLines.enumerated().compactMap { index, line in
            guard let promise = promises.first(where: { line.contains(word: $0) }),
                !isReason(commentAbove(line: index, in: file))
            else { return nil }
            let message = "`\(promise)`: say directly above why this is safe (which lock, queue or thread guards it)"
            return Finding(rule: .uncheckedSendable, path: file.path, line: index + 1, message: message)
        }
    }

    private static func applies(_ scope: Scope, to file: SourceFile) -> Bool {
        switch scope {
        case .c: file.language == .c && file.target != nil
        case .everySwiftFile: file.language == .swift
        case .outsideExecutables: file.language == .swift && !file.belongs(to: Layers.executables)
        case .outsideProcessOwners: file.language == .swift && !file.belongs(to: Layers.processOwners)
        case .tests: file.language == .swift && file.isTest
        }
    }

    /// Whether the word stands there on its own: not as a method of something, not as a declaration.
    private static func isCalled(_ word: String, in line: [UInt8]) -> Bool {
        line.offsets(ofWord: word).contains { offset in
            guard word.last == "(" else { return true }
            let before = line[..<offset]
            if before.last == UInt8(ascii: ".") {
                return Array(before.dropLast()).text.hasSuffix("Foundation")
                    || Array(before.dropLast()).text.hasSuffix("Glibc")
            }
            return !before.elementsEqual(before.dropLast(5) + Array("func ".utf8))
        }
    }

    private static func hasForceUnwrap(_ line: [UInt8]) -> Bool {
        line.indices.contains { index in
            guard line[index] == UInt8(ascii: "!"), index > 0 else { return false }
            let before = line[index - 1]
            let closes = before == UInt8(ascii: ")") || before == UInt8(ascii: "]") || before == UInt8(ascii: "}")
            guard before.isIdentifier || closes else { return false }
            guard index + 1 == line.count || line[index + 1] != UInt8(ascii: "=") else { return false }
            let word = Array(line[..<index].reversed().prefix { $0.isIdentifier }.reversed())
            return word != Array("try".utf8) && word != Array("as".utf8)
        }
    }

    /// The lines of comment that end right above `line`, past attributes.
    private static func commentAbove(line: Int, in file: SourceFile) -> String {
        var text = ""
        var index = line - 1
        while index >= 0 {
            let above = file.lines[index].trimmed
            guard above.starts(with: "//".utf8) || above.starts(with: "@".utf8) else { break }
            if above.starts(with: "//".utf8) { text = above.text + "\n" + text }
            index -= 1
        }
        return text
    }

    private static func isReason(_ comment: String) -> Bool {
        let reasons = [
            "because", "concurren", "confined", "guard", "immutable", "lock", "mutex", "never mutated", "one at a time",
            "owner", "owns", "queue", "read-only", "safe", "sendable", "serial", "synchroni", "thread", "unchanged",
        ]
        let text = comment.lowercased()
        return reasons.contains { text.contains($0) }
    }
}
