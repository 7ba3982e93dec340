import Basics
import Glibc
import Kernels

/// Writes a file of packed weights: under another name, locked, and renamed when all of it is on the disk. What is not
/// finished is deleted.
///
/// Whole pieces of several huge pages are written at a time, which lets the page cache keep them as such.
final class PackedFileWriter {
    private let path: String
    private let descriptor: Int32
    private let buffer: UnsafeMutableRawBufferPointer
    private var isFinished = false
    /// Bytes in the buffer, and where in the file it begins.
    private var filled = 0
    private var begin = 0

    /// What an unfinished file's name ends with.
    static let partialSuffix = ".partial"

    private var partialPath: String { path + Self.partialSuffix }
    private var position: Int { begin + filled }

    /// Begins the file `path`.
    init(_ path: String) throws(WeightsError) {
        self.path = path
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        descriptor = Glibc.open(path + Self.partialSuffix, flags, 0o600)
        guard descriptor >= 0 else { throw .systemCallFailed(call: "open", file: path, code: errno) }
        // Others delete unfinished files that nobody holds locked.
        flock(descriptor, LOCK_EX | LOCK_NB)
        buffer = .allocate(byteCount: Limits.Weights.cacheWriteBytes, alignment: SystemPages.hugeByteCount)
    }

    deinit {
        if !isFinished { unlink(partialPath) }
        buffer.deallocate()
        close(descriptor)
    }

    /// Writes the matrices one behind the other and gives the file its name.
    func write(_ matrices: [(key: PackedKey, matrix: PackedMatrix)], digest: ModelDigest) throws(WeightsError) {
        var entries: [(key: PackedKey, position: Int)] = []
        try pad(to: PackedFileFormat.dataStart)
        for (key, matrix) in matrices {
            try pad(to: SystemPages.whole(position, unit: PackedFileFormat.alignment))
            entries.append((key, position))
            try matrix.withPackedBytes { (bytes) throws(WeightsError) in try append(bytes) }
        }
        let parts = PackedFileFormat.encode(digest: digest, entries: entries, indexOffset: position)
        try append(parts.index)
        try flush()
        // The header last: what is interrupted has none.
        let outcome = parts.header.withUnsafeBytes { put($0, at: 0) }
        if outcome != 0 { throw .systemCallFailed(call: "pwrite", file: path, code: outcome) }
        guard fdatasync(descriptor) == 0 else { throw .systemCallFailed(call: "fdatasync", file: path, code: errno) }
        guard rename(partialPath, path) == 0 else {
            throw .systemCallFailed(call: "rename", file: path, code: errno)
        }
        isFinished = true
    }

    private func pad(to end: Int) throws(WeightsError) { try append([UInt8](repeating: 0, count: end - position)) }

    private func append(_ bytes: [UInt8]) throws(WeightsError) {
        var failure: WeightsError?
        bytes.withUnsafeBytes { bytes in
            do throws(WeightsError) { try append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(WeightsError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(buffer.count - filled))
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: part)
            filled += part.count
            rest = rest.dropFirst(part.count)
            if filled == buffer.count { try flush() }
        }
    }

    private func flush() throws(WeightsError) {
        let code = put(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: begin)
        if code != 0 { throw .systemCallFailed(call: "pwrite", file: path, code: code) }
        begin += filled
        filled = 0
    }

    /// - Returns: 0, or why not all was written.
    private func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
        let outcome = moveAll(bytes.count) { done in
            pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, offset + done)
        }
        return outcome.byteCount == bytes.count ? 0 : outcome.code == 0 ? EIO : outcome.code
    }
}
