import Basics
import Glibc
import Kernels

/// A file of packed weights that is mapped into memory, from where kernels read it.
///
/// Reading weights at the speed of memory needs pages of 2 MiB. Where the file system's page cache has none (it takes
/// large folios: ext4 from Linux 6.16 on, XFS), weights are copied into memory of their own instead.
///
/// `@unchecked Sendable`: the pointer never changes, and what it points at is never written.
final class PackedFile: @unchecked Sendable {
    let path: String
    /// Where each matrix lies.
    let positions: [PackedKey: Int]
    private let descriptor: Int32
    private let base: UnsafeRawPointer
    private let byteCount: Int
    private let hasHugePages: Bool

    private static let hugePageBytes = 2 << 20

    /// Opens a finished file; nil with a reason if it is not one of this model and layout.
    static func open(_ path: String, digest: ModelDigest) -> (file: PackedFile?, reason: String) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return (nil, systemErrorText(errno)) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return (nil, "not a regular file")
        }
        let byteCount = Int(information.st_size)
        guard let header = read(descriptor, 0..<PackedFileFormat.headerBytes),
            let range = PackedFileFormat.indexRange(header: header, digest: digest, fileBytes: byteCount),
            let index = read(descriptor, range),
            let format = PackedFileFormat(header: header, index: index, indexOffset: range.lowerBound),
            let base = map(descriptor, byteCount: byteCount)
        else {
            close(descriptor)
            return (nil, "damaged, or of another layout")
        }
        return (PackedFile(path, descriptor, base, byteCount, format.positions), "")
    }

    private init(
        _ path: String, _ descriptor: Int32, _ base: UnsafeRawPointer, _ byteCount: Int, _ positions: [PackedKey: Int]
    ) {
        self.path = path
        self.descriptor = descriptor
        self.base = base
        self.byteCount = byteCount
        self.positions = positions
        hasHugePages = byteCount < Self.hugePageBytes || Self.getsHugePages(base)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
        close(descriptor)
    }

    /// Its age is that of its last use.
    func markUsed() { futimens(descriptor, nil) }

    /// The matrix at `position`, which `positions` has for `key`; nil if the disk does not give it.
    func matrix(_ key: PackedKey, at position: Int) throws(KernelError) -> PackedMatrix? {
        let bytes = UnsafeRawBufferPointer(start: base + position, count: key.packedByteCount)
        guard hasHugePages else {
            return try PackedMatrix(rows: key.rows, columns: key.columns, format: key.format) { target in
                Self.read(descriptor, position, into: target)
            }
        }
        guard populate(bytes) else { return nil }
        return try PackedMatrix(
            packed: bytes, owner: self, rows: key.rows, columns: key.columns, format: key.format)
    }

    /// Brings the pages into memory now, so that no token waits for the disk and a failing disk is noticed here.
    private func populate(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return false }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let lead = Int(bitPattern: start) % page
        let first = UnsafeMutableRawPointer(mutating: start - lead)
        return madvise(first, bytes.count + lead, MappedFile.populateRead) == 0 || errno == EINVAL
    }

    private static func map(_ descriptor: Int32, byteCount: Int) -> UnsafeRawPointer? {
        // Address space first, to begin at a multiple of a huge page.
        let huge = hugePageBytes
        let span = (byteCount + huge - 1) / huge * huge
        guard let space = mmap(nil, span + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), space != MAP_FAILED
        else { return nil }
        let lead = (huge - Int(bitPattern: space) % huge) % huge
        let base = space + lead
        if lead > 0 { munmap(space, lead) }
        if lead < huge { munmap(base + span, huge - lead) }
        guard mmap(base, byteCount, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) != MAP_FAILED else {
            munmap(base, span)
            return nil
        }
        let mapped = (byteCount + pageBytes - 1) / pageBytes * pageBytes
        if mapped < span { munmap(base + mapped, span - mapped) }
        madvise(base, byteCount, 14)  // MADV_HUGEPAGE: also makes the kernel read in pieces of that size
        return UnsafeRawPointer(base)
    }

    private static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// Whether the first piece of the mapping is mapped as one page, which `/proc/self/smaps` says.
    private static func getsHugePages(_ base: UnsafeRawPointer) -> Bool {
        guard madvise(UnsafeMutableRawPointer(mutating: base), hugePageBytes, MappedFile.populateRead) == 0,
            let stream = fopen("/proc/self/smaps", "r")
        else { return false }
        defer { fclose(stream) }
        let mark = String(UInt(bitPattern: base), radix: 16) + "-"
        var isOurs = false
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), stream) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(mark) { isOurs = true }
            if isOurs, text.hasPrefix("FilePmdMapped:") {
                return text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 > 0
            }
        }
        return false
    }

    private static func read(_ descriptor: Int32, _ range: Range<Int>) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: range.count)
        return bytes.withUnsafeMutableBytes({ read(descriptor, range.lowerBound, into: $0) }) ? bytes : nil
    }

    private static func read(_ descriptor: Int32, _ offset: Int, into target: UnsafeMutableRawBufferPointer) -> Bool {
        var filled = 0
        while filled < target.count {
            let got = pread(descriptor, target.baseAddress.map { $0 + filled }, target.count - filled, offset + filled)
            if got < 0, errno == EINTR { continue }
            if got <= 0 { return false }
            filled += got
        }
        return true
    }
}
