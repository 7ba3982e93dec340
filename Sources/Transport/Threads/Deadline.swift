import CLinux

/// A moment until which something may take.
struct Deadline: Sendable {
    /// How long it was from the start, in milliseconds: what error messages tell.
    let milliseconds: Int
    private let nanoseconds: UInt64

    /// So many milliseconds from now.
    init(milliseconds: Int) {
        self.milliseconds = max(milliseconds, 0)
        nanoseconds = colony_monotonic_nanoseconds() + UInt64(self.milliseconds) * 1_000_000
    }

    /// What is left, in milliseconds, rounded up; 0 when it has passed.
    var remainingMilliseconds: Int32 {
        let now = colony_monotonic_nanoseconds()
        guard now < nanoseconds else { return 0 }
        return Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }
}
