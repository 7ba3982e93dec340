/// A moment on a clock that only goes forward; where it starts means nothing.
public struct Moment: Hashable, Comparable, Sendable {
    /// Microseconds since the clock's start.
    public let microseconds: UInt64

    /// A moment in microseconds.
    public init(microseconds: UInt64) { self.microseconds = microseconds }

    /// A moment in milliseconds.
    public init(milliseconds: Int) { microseconds = UInt64(milliseconds) * 1000 }

    /// Orders moments by time.
    public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// So many milliseconds later.
    public func advanced(milliseconds: Int) -> Moment {
        Moment(microseconds: microseconds + UInt64(milliseconds) * 1000)
    }

    /// Microseconds from another moment to this one; 0 if that is the later one.
    public func microseconds(since other: Moment) -> UInt64 {
        microseconds > other.microseconds ? microseconds - other.microseconds : 0
    }

    /// Milliseconds from another moment to this one, rounded down; 0 if that is the later one.
    public func milliseconds(since other: Moment) -> Int { Int(microseconds(since: other) / 1000) }
}
