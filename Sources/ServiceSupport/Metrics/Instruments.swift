import Synchronization

/// Counts events; only ever grows. Adding is one atomic instruction.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    /// What was counted so far.
    public var value: UInt64 { count.load(ordering: .relaxed) }

    /// Counts `amount` more.
    public func increment(by amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
}

/// A value that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// The value now.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    /// Replaces the value.
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Changes the value by `amount`.
    public func add(_ amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let wanted = (Double(bitPattern: seen) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(
                expected: seen, desired: wanted, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }
}

/// Counts observations by size. Observing takes a lock that is free unless two threads observe at once.
public final class Histogram: Sendable {
    /// What was observed so far.
    public struct Snapshot: Hashable, Sendable {
        /// Observations up to each bound, and above the last: one more than there are bounds. Not cumulative.
        public var counts: [UInt64]
        /// Sum of all observations.
        public var sum: Double
    }

    /// Upper bounds of the buckets, ascending; each includes its bound.
    public let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "the bounds must ascend")
        self.bounds = bounds
        state = Mutex(Snapshot(counts: [UInt64](repeating: 0, count: bounds.count + 1), sum: 0))
    }

    /// Counts one observation.
    public func observe(_ value: Double) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        let bucket = low
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    /// What was observed so far.
    public var snapshot: Snapshot { state.withLock { $0 } }

    /// Bounds for durations in seconds: 10 µs to 100 s, three per power of ten.
    public static let durationBounds: [Double] = [
        1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100,
    ]
}
