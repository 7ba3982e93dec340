/// Scratch that only grows, so that a step no larger than an earlier one allocates nothing.
///
/// `@unchecked Sendable`: one owner at a time, which is what `inout` scratch arguments enforce.
final class GrowingBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    private(set) var base: UnsafeMutablePointer<Element>
    private var capacity: Int

    init() {
        capacity = 16
        base = Self.allocate(capacity)
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }

    /// Makes room for `count` elements; what was there is lost when that needs new memory.
    func reserve(_ count: Int) {
        guard count > capacity else { return }
        UnsafeMutableRawPointer(base).deallocate()
        capacity = count + count / 2
        base = Self.allocate(capacity)
    }

    /// Uninitialised, at a cache line's start.
    private static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
        UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Element>.stride, alignment: 64)
            .bindMemory(to: Element.self, capacity: count)
    }
}
