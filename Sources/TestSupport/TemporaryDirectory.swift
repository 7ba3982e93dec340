import Foundation

/// A directory of its own for a test, removed with everything in it when the last reference goes.
public final class TemporaryDirectory: Sendable {
    /// Absolute path, without a slash at the end.
    public let path: String

    /// Makes an empty directory below the system's place for temporary files.
    public init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("colony-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes the file `name` and gives its path; directories in between are made.
    @discardableResult
    public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let file = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        return file.path
    }

    /// Writes the text file `name` and gives its path.
    @discardableResult
    public func write(_ name: String, text: String) throws -> String { try write(name, Array(text.utf8)) }

    /// Copies the file or directory at `source` to `name` and gives the copy's path.
    @discardableResult
    public func copy(_ source: String, to name: String) throws -> String {
        try FileManager.default.copyItem(atPath: source, toPath: path + "/" + name)
        return path + "/" + name
    }
}
