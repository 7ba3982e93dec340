import Foundation

/// The working tree that this test was compiled from.
enum Repository {
    /// The root, found from the place of this file.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every file of the repository, read once.
    static let files: [SourceFile] = paths().compactMap { path in
        guard let data = FileManager.default.contents(atPath: root.appendingPathComponent(path).path) else {
            return nil
        }
        return SourceFile(path: path, bytes: Array(data))
    }

    /// A finished process.
    struct Outcome {
        let status: Int32
        let output: String
    }

    /// Runs a tool in the root and gives back what it wrote, both streams together; nil if there is no such tool.
    static func run(_ arguments: [String]) -> Outcome? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = root
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        do {
            try process.run()
        } catch {
            return nil
        }
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus != 127 else { return nil }
        return Outcome(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }

    /// What git tracks or would track; without git (an unpacked archive) whatever lies there.
    private static func paths() -> [String] {
        let listing = ["git", "-c", "core.quotePath=off", "ls-files", "--cached", "--others", "--exclude-standard"]
        guard let outcome = run(listing), outcome.status == 0 else { return walk() }
        return outcome.output.split(separator: "\n").map(String.init).sorted()
    }

    private static func walk() -> [String] {
        guard let enumerator = FileManager.default.enumerator(atPath: root.path) else { return [] }
        var found: [String] = []
        for case let path as String in enumerator {
            let name = path.split(separator: "/").last ?? ""
            if name == ".git" || name.hasPrefix(".build") || name.hasPrefix(".venv") || name == "__pycache__" {
                enumerator.skipDescendants()
            } else if enumerator.fileAttributes?[.type] as? FileAttributeType == .typeRegular {
                found.append(path)
            }
        }
        return found.sorted()
    }
}
