import Glibc

/// Time that only ever goes forward, for durations and deadlines.
public enum MonotonicClock {
    /// Nanoseconds since some fixed moment before the process started.
    public static var nowNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Measures how long something takes.
public struct Stopwatch: Sendable {
    private var startNanoseconds = MonotonicClock.nowNanoseconds

    /// Starts measuring.
    public init() {}

    /// Time since the start.
    public var elapsedNanoseconds: UInt64 { MonotonicClock.nowNanoseconds - startNanoseconds }

    /// Time since the start.
    public var elapsedSeconds: Double { Double(elapsedNanoseconds) / 1e9 }

    /// Gives the time since the start and starts again.
    public mutating func lapNanoseconds() -> UInt64 {
        let now = MonotonicClock.nowNanoseconds
        defer { startNanoseconds = now }
        return now - startNanoseconds
    }
}

/// Time of day, in UTC.
enum WallClock {
    /// Now, for instance `2026-11-23T15:04:05.678Z`.
    static func timestamp() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return timestamp(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
    }

    /// The moment that many seconds and milliseconds after the start of 1970.
    static func timestamp(seconds: Int, milliseconds: Int) -> String {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let time = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(time).\(padded(Int32(milliseconds), 3))Z"
    }

    private static func padded(_ value: Int32, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
