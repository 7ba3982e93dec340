import Glibc

/// Pages of memory as the system gives them.
package enum SystemPages {
    /// Size of a page, in bytes.
    package static let byteCount = Int(sysconf(Int32(_SC_PAGESIZE)))
    /// Size of a huge page, in bytes: reading weights at the speed of memory needs an address translation per 2 MiB,
    /// not per 4 KiB.
    package static let hugeByteCount = 2 << 20

    /// `count` rounded up to whole pages of `unit` bytes.
    package static func whole(_ count: Int, unit: Int) -> Int { (count + unit - 1) / unit * unit }

    /// Address space that begins at a huge page and is `count` bytes rounded up to huge pages; nil if the system has
    /// none. `protection` as for `mmap`.
    package static func reserve(_ count: Int, protection: Int32) -> UnsafeMutableRawPointer? {
        let span = whole(count, unit: hugeByteCount)
        let space = mmap(nil, span + hugeByteCount, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let space, space != MAP_FAILED else { return nil }
        let margin = whole(Int(bitPattern: space), unit: hugeByteCount) - Int(bitPattern: space)
        let base = space + margin
        if margin > 0 { munmap(space, margin) }
        if margin < hugeByteCount { munmap(base + span, hugeByteCount - margin) }
        return base
    }

    /// Asks for huge pages, also for the reading of mapped files; a kernel that knows none refuses, which changes
    /// nothing.
    package static func preferHuge(_ base: UnsafeMutableRawPointer, _ count: Int) {
        madvise(base, count, 14)  // MADV_HUGEPAGE
    }

    /// Asks for pages of the usual size, where the system gives huge ones unasked.
    static func preferSmall(_ base: UnsafeMutableRawPointer, _ count: Int) {
        madvise(base, count, 15)  // MADV_NOHUGEPAGE
    }

    /// Brings the pages around `count` bytes of a mapped file into memory now.
    /// - Returns: 0, or the `errno` that says why they cannot be read. Kernels before Linux 5.14 do not know how: then
    ///   pages come when they are read.
    package static func populate(_ start: UnsafeRawPointer, _ count: Int) -> Int32 {
        let lead = Int(bitPattern: start) % byteCount
        let populateRead: Int32 = 22  // MADV_POPULATE_READ
        guard madvise(UnsafeMutableRawPointer(mutating: start - lead), count + lead, populateRead) != 0 else {
            return 0
        }
        return errno == EINVAL ? 0 : errno
    }
}
