/// Files that nothing refers to any more.
enum DeadFileCheck {
    /// A Swift file under `Sources` none of whose top-level names occurs in another file. Files with extensions,
    /// operators or an entry point are left alone: what they do has no name to look for.
    static func unreferenced(_ files: [SourceFile]) -> [Finding] {
        let swiftFiles = files.filter { $0.language == .swift }
        let usedNames = swiftFiles.map(Self.identifiers(in:))
        var fileCounts: [String: Int] = [:]
        for name in usedNames.joined() { fileCounts[name, default: 0] += 1 }
        return swiftFiles.compactMap { file in
            guard file.target != nil, let names = declaredNames(in: file), !names.isEmpty,
                names.allSatisfy({ fileCounts[$0, default: 0] <= 1 })
            else { return nil }
            let message = "nothing refers to \(names.sorted().joined(separator: ", ")): delete the file"
            return Finding(rule: .deadFile, path: file.path, line: nil, message: message)
        }
    }

    /// Names declared outside of all braces; nil if the file has declarations without a name.
    static func declaredNames(in file: SourceFile) -> Set<String>? {
        let kinds: Set<Substring> = ["actor", "class", "enum", "func", "let", "protocol", "struct", "typealias", "var"]
        var names: Set<String> = []
        var depth = 0
        for line in file.codeLines {
            if depth == 0 {
                if line.contains(word: "@main") || line.contains(word: "extension") || line.contains(word: "operator") {
                    return nil
                }
                let words = line.split { !$0.isIdentifier }.map { String(decoding: $0, as: UTF8.self) }
                if let kind = words.firstIndex(where: { kinds.contains(Substring($0)) }), kind + 1 < words.count {
                    names.insert(words[kind + 1])
                }
            }
            depth += line.count { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "(") }
            depth -= line.count { $0 == UInt8(ascii: "}") || $0 == UInt8(ascii: ")") }
        }
        return names
    }

    private static func identifiers(in file: SourceFile) -> Set<String> {
        var found: Set<String> = []
        for line in file.codeLines {
            for word in line.split(whereSeparator: { !$0.isIdentifier }) {
                found.insert(String(decoding: word, as: UTF8.self))
            }
        }
        return found
    }
}
