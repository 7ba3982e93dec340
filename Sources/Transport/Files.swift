import Glibc

/// The few things that certificates need from the file system.
enum Files {
    /// Whether something is at `path`.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The content of a file of at most `bytesMax` bytes.
    static func read(_ path: String, bytesMax: Int) throws(TransportError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .fileUnreadable(path: path, reason: SystemError.lastText) }
        defer { _ = Glibc.close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw .fileUnreadable(path: path, reason: SystemError.lastText) }
            if count == 0 { return content }
            content.append(contentsOf: chunk[0..<count])
            guard content.count <= bytesMax else {
                throw .fileUnreadable(path: path, reason: "it has more than \(bytesMax) bytes")
            }
        }
    }

    /// Makes a directory and what leads to it; it may exist.
    static func makeDirectory(_ path: String) throws(TransportError) {
        var prefix = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            prefix += "/" + component
            guard mkdir(prefix, 0o755) == 0 || errno == EEXIST || errno == EISDIR else {
                throw .fileUnwritable(path: prefix, reason: SystemError.lastText)
            }
        }
    }

    /// Writes a file so that it has its content and its permissions from the moment it has its name.
    static func write(_ content: [UInt8], to path: String, permissions: mode_t) throws(TransportError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions)
        guard descriptor >= 0 else { throw .fileUnwritable(path: path, reason: SystemError.lastText) }
        let isWritten =
            fchmod(descriptor, permissions) == 0 && writeAll(content, to: descriptor) && fsync(descriptor) == 0
        let reason = SystemError.lastText
        _ = Glibc.close(descriptor)
        guard isWritten else {
            unlink(temporary)
            throw .fileUnwritable(path: path, reason: reason)
        }
        guard rename(temporary, path) == 0 else {
            let reason = SystemError.lastText
            unlink(temporary)
            throw .fileUnwritable(path: path, reason: reason)
        }
    }

    private static func writeAll(_ content: [UInt8], to descriptor: Int32) -> Bool {
        var offset = 0
        while offset < content.count {
            let count = content[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }
}
