import Basics

/// How far weights are read, for people: in the terminal, in `status` and in `/health`.
struct LoadProgress: Sendable {
    /// Bytes that are loaded.
    var bytesLoaded: UInt64
    /// Bytes in all.
    var bytesTotal: UInt64
    /// Time since the first byte, in seconds.
    var seconds: Double

    /// For instance `71 % of 1.1 GiB, 410 MiB/s, 1 s left`.
    var text: String {
        let share = "\(bytesTotal == 0 ? 100 : bytesLoaded * 100 / bytesTotal) % of \(ReadableBytes.text(bytesTotal))"
        guard bytesLoaded > 0, bytesLoaded < bytesTotal, seconds > 0.5 else { return share }
        let rate = Double(bytesLoaded) / seconds
        let secondsLeft = Int((Double(bytesTotal - bytesLoaded) / rate).rounded(.up))
        return share + ", \(ReadableBytes.text(UInt64(rate)))/s, \(Self.duration(secondsLeft)) left"
    }

    private static func duration(_ seconds: Int) -> String {
        if seconds < 120 { return "\(seconds) s" }
        return seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
    }
}
