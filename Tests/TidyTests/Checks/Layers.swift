/// The levels of the package: a target imports only from levels below its own. The same levels are drawn in
/// `docs/ARCHITECTURE.md` and marked in `Package.swift`; a new target needs a row here.
enum Layers {
    /// Targets by level, lowest first.
    static let levels: [[String]] = [
        ["Basics", "CEditLine", "CKernels", "CLinux", "CNghttp2", "COpenSSL", "CPCRE2", "CPage"],
        ["Configuration", "Kernels", "Placement", "Scheduling", "Tokenizer", "Wire"],
        ["Membership", "Transport", "Weights"],
        ["HTTPServer", "Models"],
        ["Engine", "ExpertParallel", "GatewayClient", "ServiceSupport"],
        ["CoordinatorService", "GatewayService", "WorkerService"],
        ["clusterbench", "clusterctl", "coordinator", "gateway", "worker"],
    ]

    /// Helpers of the tests: above everything they may need, imported by tests only.
    static let testTargets = ["Simulation", "TestSupport"]

    /// Targets that may print.
    static let executables: Set<String> = ["clusterbench", "clusterctl", "coordinator", "gateway", "worker"]

    /// Targets that may end the process: `ServiceSupport` is the part that the services' main programs share.
    static let processOwners = executables.union(["ServiceSupport"])

    /// Targets without sockets, clocks, files and threads: values in, values out. With what they may import beyond our
    /// own targets. (`Wire` writes and reads the status document, for which it needs Foundation's coders.)
    static let pureTargets: [String: Set<String>] = [
        "Basics": ["OrderedCollections"],
        "Membership": [],
        "Placement": ["OrderedCollections"],
        "Scheduling": ["OrderedCollections"],
        "Wire": ["Foundation"],
    ]

    /// Modules from outside of the package that belong to few targets only.
    static let confinedModules: [String: Set<String>] = [
        "ArgumentParser": processOwners,
        "CEditLine": ["clusterctl"],
        "CNghttp2": ["HTTPServer"],
        // `clusterbench` measures links beside TLS without them.
        "COpenSSL": ["HTTPServer", "Transport", "Weights", "clusterbench"],
        "CPCRE2": ["Tokenizer"],
        "CPage": ["GatewayService"],
        "Testing": ["Simulation", "TestSupport"],
        "Yams": ["Configuration"],
    ]

    /// The level of a target; nil if it has none.
    static func level(of target: String) -> Int? {
        levels.firstIndex { $0.contains(target) }
    }
}

/// Who may import what.
enum LayerChecks {
    /// Checks the imports of one file under `Sources`.
    static func imports(_ file: SourceFile) -> [Finding] {
        guard file.language == .swift, let target = file.target else { return [] }
        return file.codeLines.enumerated().compactMap { index, line in
            guard let module = importedModule(line), let message = objection(to: module, from: target) else {
                return nil
            }
            return Finding(rule: .layerImport, path: file.path, line: index + 1, message: message)
        }
    }

    /// Every folder under `Sources` has a level, and every level's target a folder.
    static func unknownTargets(_ files: [SourceFile]) -> [Finding] {
        let present = Set(files.compactMap(\.target))
        let known = Set(Layers.levels.joined() + Layers.testTargets)
        let unknown = present.subtracting(known).sorted().map { target in
            let message = "the target \(target) has no level: give it one in Tests/TidyTests/Checks/Layers.swift"
            return Finding(rule: .layerImport, path: "Sources/\(target)", line: nil, message: message)
        }
        let missing = Set(Layers.levels.joined()).subtracting(present).sorted().map { target in
            let message = "the target \(target) has a level but no files: remove it from Layers.swift"
            return Finding(rule: .layerImport, path: "Sources/\(target)", line: nil, message: message)
        }
        return unknown + missing
    }

    /// The module of an import statement, nil for other lines.
    static func importedModule(_ line: [UInt8]) -> String? {
        let words = line.text.split(separator: " ")
        guard let position = words.firstIndex(of: "import"), position + 1 < words.count else { return nil }
        let modifiers: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        guard words[..<position].allSatisfy({ modifiers.contains($0) || $0.hasPrefix("@") }) else { return nil }
        let kinds: Set<Substring> = ["actor", "class", "enum", "func", "let", "protocol", "struct", "typealias", "var"]
        let name = kinds.contains(words[position + 1]) ? words.dropFirst(position + 2).first : words[position + 1]
        return name?.split(separator: ".").first.map(String.init)
    }

    /// Why `target` may not import `module`; nil if it may.
    private static func objection(to module: String, from target: String) -> String? {
        if let allowed = Layers.confinedModules[module], !allowed.contains(target) {
            return "\(target) imports \(module), which only \(allowed.sorted().joined(separator: ", ")) may"
        }
        if Layers.testTargets.contains(target) { return nil }
        if Layers.testTargets.contains(module) { return "\(target) imports \(module), which is for tests only" }
        if let level = Layers.level(of: module) {
            guard let own = Layers.level(of: target), level >= own else { return nil }
            return "\(target) (level \(own)) imports \(module) (level \(level)): imports only go down"
        }
        guard let allowed = Layers.pureTargets[target], !allowed.contains(module) else { return nil }
        return "\(target) is pure (no sockets, clocks, files, threads) and imports \(module)"
    }
}
