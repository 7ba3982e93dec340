import Basics
import Glibc
import Kernels

/// Writes a file of packed weights: under another name, locked, and renamed when all of it is on the disk.
///
/// Whole pieces of several huge pages are written at a time, which lets the page cache keep them as such.
struct PackedFileWriter: ~Copyable {
    private let partialPath: String
    private let path: String
    private let descriptor: Int32
    private let buffer: UnsafeMutableRawBufferPointer
    /// Bytes in the buffer, and where in the file it begins.
    private var filled = 0
    private var begin = 0

    /// What an unfinished file's name ends with.
    static let partialSuffix = ".partial"

    /// Begins the file `path`; nil with a reason if that cannot be.
    init?(_ path: String, reason: inout String) {
        self.path = path
        partialPath = path + Self.partialSuffix
        descriptor = Glibc.open(partialPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            reason = systemErrorText(errno)
            return nil
        }
        // Others delete unfinished files that nobody holds locked.
        flock(descriptor, LOCK_EX | LOCK_NB)
        buffer = .allocate(byteCount: Limits.Weights.cacheWriteBytes, alignment: 2 << 20)
    }

    deinit {
        buffer.deallocate()
        close(descriptor)
    }

    /// Writes the matrices one behind the other and gives the file its name.
    /// - Returns: nil, or why it was not written; the file is gone then.
    consuming func write(_ matrices: [(key: PackedKey, matrix: PackedMatrix)], digest: ModelDigest) -> String? {
        var entries: [(key: PackedKey, position: Int)] = []
        var isWritten = pad(to: PackedFileFormat.dataStart)
        for (key, matrix) in matrices where isWritten {
            let alignment = PackedFileFormat.alignment
            isWritten = pad(to: (position + alignment - 1) / alignment * alignment)
            entries.append((key, position))
            isWritten = isWritten && matrix.withPackedBytes { append($0) }
        }
        let parts = PackedFileFormat.encode(digest: digest, entries: entries, indexOffset: position)
        isWritten = isWritten && parts.index.withUnsafeBytes { append($0) } && flush()
        // The header last: what is interrupted has none.
        isWritten = isWritten && parts.header.withUnsafeBytes { put($0, at: 0) }
        guard isWritten, fdatasync(descriptor) == 0, rename(partialPath, path) == 0 else {
            let reason = systemErrorText(errno)
            unlink(partialPath)
            return reason
        }
        return nil
    }

    private var position: Int { begin + filled }

    private mutating func pad(to end: Int) -> Bool {
        let zeros = [UInt8](repeating: 0, count: end - position)
        return zeros.withUnsafeBytes { append($0) }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(buffer.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: part))
            filled += part.count
            rest = rest.dropFirst(part.count)
            if filled == buffer.count, !flush() { return false }
        }
        return true
    }

    private mutating func flush() -> Bool {
        guard put(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: begin) else { return false }
        begin += filled
        filled = 0
        return true
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        var done = 0
        while done < bytes.count {
            let got = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, offset + done)
            if got < 0, errno == EINTR { continue }
            if got <= 0 { return false }
            done += got
        }
        return true
    }
}
