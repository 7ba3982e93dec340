import Basics
import Glibc
import Kernels

/// A file that is open for reading and mapped into memory whole, read-only.
///
/// Reading a page of the mapping beyond the end of a file that was truncated meanwhile raises SIGBUS, which no Swift
/// code can catch. So headers are read with `read` (which gives an error instead), and `populate` asks the kernel for
/// the pages of a tensor before they are touched: it reports the missing ones. Between that question and the reading a
/// small window stays open; replacing a model's files by renaming (not by overwriting) is safe at any time.
final class MappedFile: @unchecked Sendable {
    // Unchecked because of the pointer only: it never changes, and what it points at is never written.
    let path: String
    /// Size when it was opened, in bytes.
    let byteCount: Int
    /// When it was changed last before that, in nanoseconds since 1970.
    let modifiedNanoseconds: Int64
    private let descriptor: Int32
    private let base: UnsafeMutableRawPointer?

    init(path: String, neededBy: String) throws(WeightsError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw errno == ENOENT
                ? .fileMissing(file: path, neededBy: neededBy)
                : .systemCallFailed(call: "open", file: path, code: errno)
        }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            let code = errno
            close(descriptor)
            throw .systemCallFailed(call: "fstat", file: path, code: code)
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .fileMalformed(file: path, reason: "not a regular file")
        }
        let byteCount = Int(information.st_size)
        if byteCount > 0 {
            guard let base = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
                let code = errno
                close(descriptor)
                throw .systemCallFailed(call: "mmap", file: path, code: code)
            }
            self.base = base
        } else {
            self.base = nil
        }
        self.path = path
        self.byteCount = byteCount
        modifiedNanoseconds = Int64(information.st_mtim.tv_sec) * 1_000_000_000 + Int64(information.st_mtim.tv_nsec)
        self.descriptor = descriptor
    }

    deinit {
        if let base { munmap(base, byteCount) }
        close(descriptor)
    }

    /// The mapped bytes `range`, which must lie within the file's size at opening; valid while this object lives.
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range beyond the mapping")
        guard let base, !range.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// Copies `count` bytes from `offset` on, without the mapping; an early end of the file is an error.
    func read(offset: Int, count: Int) throws(WeightsError) -> [UInt8] {
        var failure: WeightsError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let outcome = moveAll(count) { done in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, offset + done)
            }
            filled = outcome.byteCount
            if filled == count { return }
            failure =
                outcome.code != 0
                ? .systemCallFailed(call: "pread", file: path, code: outcome.code)
                : .fileTruncated(file: path, expectedByteCount: offset + count, foundByteCount: offset + filled)
        }
        if let failure { throw failure }
        return bytes
    }

    /// Makes sure that the bytes `range` can be read: the file still reaches that far, and its pages are in memory.
    func populate(_ range: Range<Int>, tensor: String) throws(WeightsError) {
        guard let base, !range.isEmpty else { return }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw .systemCallFailed(call: "fstat", file: path, code: errno)
        }
        guard Int(information.st_size) >= range.upperBound else {
            throw .fileChanged(
                file: path, tensor: tensor, expectedByteCount: range.upperBound,
                foundByteCount: Int(information.st_size))
        }
        let code = SystemPages.populate(base + range.lowerBound, range.count)
        if code != 0 { throw .systemCallFailed(call: "reading tensor \(tensor)", file: path, code: code) }
    }

    /// Unmaps the pages of `range` from this process until they are read again, neighbours that the kernel mapped
    /// along with them included. Nothing is lost: the pages are clean copies of the file.
    func giveBack(_ range: Range<Int>) {
        guard let base, !range.isEmpty else { return }
        let margin = Limits.Weights.faultAroundBytes
        let lower = max(0, range.lowerBound - margin) / SystemPages.byteCount * SystemPages.byteCount
        madvise(base + lower, min(byteCount, range.upperBound + margin) - lower, MADV_DONTNEED)
    }
}
