import Basics
import Foundation
import Glibc
import Kernels

/// A file of packed weights that is mapped into memory, from where kernels read it.
///
/// Reading weights at the speed of memory needs pages of 2 MiB. Where the file system's page cache has none (it takes
/// large folios: ext4 from Linux 6.16 on, XFS), weights are copied into memory of their own instead. So they are on a
/// machine with several nodes of memory, where each part of a matrix should lie with the threads that read it.
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

    /// Opens a finished file of this model and layout.
    init(_ path: String, digest: ModelDigest) throws(WeightsError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .systemCallFailed(call: "open", file: path, code: errno) }
        guard let (positions, byteCount) = Self.positions(descriptor, digest),
            let base = Self.map(descriptor, byteCount: byteCount)
        else {
            close(descriptor)
            throw .fileMalformed(file: path, reason: "damaged, or of another layout")
        }
        self.path = path
        self.descriptor = descriptor
        self.base = base
        self.byteCount = byteCount
        self.positions = positions
        hasHugePages = byteCount < SystemPages.hugeByteCount || Self.getsHugePages(base)
    }

    private static func positions(
        _ descriptor: Int32, _ digest: ModelDigest
    ) -> (positions: [PackedKey: Int], byteCount: Int)? {
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
        let byteCount = Int(information.st_size)
        guard let header = read(descriptor, 0..<PackedFileFormat.headerBytes),
            let range = PackedFileFormat.indexRange(header: header, digest: digest, fileBytes: byteCount),
            let index = read(descriptor, range),
            let format = PackedFileFormat(header: header, index: index, indexOffset: range.lowerBound)
        else { return nil }
        return (format.positions, byteCount)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
        close(descriptor)
    }

    /// Its age is that of its last use.
    func markUsed() { futimens(descriptor, nil) }

    /// The matrix at `position`, which `positions` has for `key`; nil if the disk does not give it.
    func matrix(
        _ key: PackedKey, at position: Int, _ columnOrder: [Int32]?, _ placement: WeightPlacement
    ) throws(KernelError) -> PackedMatrix? {
        let bytes = UnsafeRawBufferPointer(start: base + position, count: key.packedByteCount)
        // Where huge pages are not wanted, copying would bring nothing.
        guard !placement.hasNodes, hasHugePages || !placement.hasHugePages else {
            return try PackedMatrix(
                rows: key.rows, columns: key.columns, format: key.format, columnOrder: columnOrder,
                placement: placement
            ) { offset, target in Self.read(descriptor, position + offset, into: target) }
        }
        // Now, so that no token waits for the disk and a failing disk is noticed here.
        guard SystemPages.populate(base + position, bytes.count) == 0 else { return nil }
        return try PackedMatrix(
            packed: bytes, owner: self, rows: key.rows, columns: key.columns, format: key.format,
            columnOrder: columnOrder)
    }

    private static func map(_ descriptor: Int32, byteCount: Int) -> UnsafeRawPointer? {
        // Address space first, to begin at a huge page.
        guard let base = SystemPages.reserve(byteCount, protection: PROT_NONE) else { return nil }
        let span = SystemPages.whole(byteCount, unit: SystemPages.hugeByteCount)
        guard mmap(base, byteCount, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) != MAP_FAILED else {
            munmap(base, span)
            return nil
        }
        let mapped = SystemPages.whole(byteCount, unit: SystemPages.byteCount)
        if mapped < span { munmap(base + mapped, span - mapped) }
        SystemPages.preferHuge(base, byteCount)
        return UnsafeRawPointer(base)
    }

    /// Whether the first piece of the mapping is mapped as one page, which `/proc/self/smaps` says.
    private static func getsHugePages(_ base: UnsafeRawPointer) -> Bool {
        guard SystemPages.populate(base, SystemPages.hugeByteCount) == 0,
            let mappings = try? String(contentsOfFile: "/proc/self/smaps", encoding: .utf8)
        else { return false }
        let mark = String(UInt(bitPattern: base), radix: 16) + "-"
        let line = mappings.split(separator: "\n").drop { !$0.hasPrefix(mark) }
            .first { $0.hasPrefix("FilePmdMapped:") }
        return line?.split(separator: " ").compactMap { Int($0) }.first ?? 0 > 0
    }

    private static func read(_ descriptor: Int32, _ range: Range<Int>) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: range.count)
        return bytes.withUnsafeMutableBytes({ read(descriptor, range.lowerBound, into: $0) }) ? bytes : nil
    }

    private static func read(_ descriptor: Int32, _ offset: Int, into target: UnsafeMutableRawBufferPointer) -> Bool {
        moveAll(target.count) { done in
            pread(descriptor, target.baseAddress.map { $0 + done }, target.count - done, offset + done)
        }.byteCount == target.count
    }
}
