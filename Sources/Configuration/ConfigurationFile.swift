import Basics
import Foundation
import Yams

/// What a configuration file says, key by key, before any value is looked at.
struct ConfigurationFile {
    /// A value and the line where it stands.
    struct Entry {
        let text: String
        let line: Int
    }

    /// Absolute or relative path, for errors; empty without a file.
    let path: String
    /// The values by their full key, for instance `workers[2].memory`.
    private(set) var entries: [String: Entry] = [:]
    /// The line of each entry of `workers`.
    private(set) var workerLines: [Int] = []

    /// No file.
    init() { path = "" }

    /// Reads and parses the file at `path`.
    init(reading path: String) throws(ConfigurationError) {
        self.path = path
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw .fileUnreadable(path: path, reason: (error as NSError).localizedDescription)
        }
        guard data.count <= Limits.Configuration.fileBytesMax else {
            throw .fileBeyondLimit(path: path, byteCount: data.count, limit: Limits.Configuration.fileBytesMax)
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw .syntax(path: path, line: nil, reason: "the file is not UTF-8 text")
        }
        let root: Node?
        do { root = try compose(yaml: text) } catch {
            throw ConfigurationFile.syntaxError(error, path: path)
        }
        guard let root, root.null == nil else { return }
        try read(mapping: root, key: "", optionKey: "")
    }

    /// The directory that relative paths in the file count from.
    var directory: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    private mutating func read(mapping node: Node, key: String, optionKey: String) throws(ConfigurationError) {
        guard let mapping = node.mapping else {
            throw .valueInvalid(
                key: key.isEmpty ? "(the file)" : key, source: source(node), found: ConfigurationFile.words(node),
                expected: "keys with values")
        }
        for (nameNode, value) in mapping {
            let name = nameNode.string ?? ConfigurationFile.words(nameNode)
            let prefix = key.isEmpty ? "" : key + "."
            let optionPrefix = optionKey.isEmpty ? "" : optionKey + "."
            let full = prefix + name
            let option = optionPrefix + name
            if option == "workers" {
                try read(workers: value)
            } else if ConfigurationOption.find(option) != nil {
                try read(value: value, key: full)
            } else if ConfigurationOption.all.contains(where: { $0.key.hasPrefix(option + ".") }) {
                // A section without keys is the same as no section.
                if value.null == nil { try read(mapping: value, key: full, optionKey: option) }
            } else {
                throw .keyUnknown(
                    key: full, path: path, line: nameNode.mark?.line ?? 1,
                    suggestion: ConfigurationFile.suggestion(name, within: optionPrefix).map { prefix + $0 })
            }
        }
    }

    private mutating func read(workers node: Node) throws(ConfigurationError) {
        if node.null != nil { return }
        guard let list = node.sequence else {
            throw .valueInvalid(
                key: "workers", source: source(node), found: ConfigurationFile.words(node),
                expected: "a list of workers")
        }
        guard list.count <= Limits.Configuration.workersMax else {
            throw .workersBeyondLimit(count: list.count, limit: Limits.Configuration.workersMax)
        }
        for (index, worker) in list.enumerated() {
            workerLines.append(worker.mark?.line ?? 1)
            try read(mapping: worker, key: "workers[\(index)]", optionKey: "workers[]")
        }
    }

    private mutating func read(value: Node, key: String) throws(ConfigurationError) {
        guard let scalar = value.scalar else {
            throw .valueInvalid(
                key: key, source: source(value), found: ConfigurationFile.words(value), expected: "a single value")
        }
        // `key:` and `key: ~` leave the default.
        if value.null != nil { return }
        entries[key] = Entry(text: scalar.string, line: value.mark?.line ?? 1)
    }

    private func source(_ node: Node) -> ConfigurationSource { .file(path: path, line: node.mark?.line ?? 1) }

    /// The nearest name within one section, so that a typo in `coordinator` is not answered with a key of `gateway`.
    private static func suggestion(_ name: String, within prefix: String) -> String? {
        var names: Set<String> = []
        for option in ConfigurationOption.all where option.key.hasPrefix(prefix) {
            names.insert(String(option.key.dropFirst(prefix.count).prefix { $0 != "." && $0 != "[" }))
        }
        return nearest(to: name, among: names.sorted())
    }

    private static func words(_ node: Node) -> String {
        switch node {
        case .alias: "an alias"
        case .mapping: "a section"
        case .scalar(let scalar): scalar.string
        case .sequence: "a list"
        }
    }

    private static func syntaxError(_ error: any Error, path: String) -> ConfigurationError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            .syntax(path: path, line: mark.line, reason: problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            .syntax(
                path: path, line: context.mark.line,
                reason: "key \(duplicates.sorted().joined(separator: ", ")) occurs twice")
        case .reader(let problem, _, _, _):
            .syntax(path: path, line: nil, reason: problem)
        default:
            .syntax(path: path, line: nil, reason: "\(error)")
        }
    }
}
