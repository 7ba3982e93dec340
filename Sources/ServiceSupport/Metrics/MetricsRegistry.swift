import Synchronization

/// The metrics of a process, written in Prometheus' text format.
///
/// Ask for an instrument once and keep it: looking it up takes a lock, using it does not. The same name and labels give
/// the same instrument. Names and labels are ours, never a client's: each combination stays for ever.
public final class MetricsRegistry: Sendable {
    private enum Instrument {
        case counter(Counter)
        case countRead(@Sendable () -> UInt64)
        case gauge(Gauge)
        case gaugeRead(@Sendable () -> Double)
        case histogram(Histogram)

        /// Prometheus' word for it.
        var kind: String {
            switch self {
            case .counter, .countRead: "counter"
            case .gauge, .gaugeRead: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family {
        let help: String
        let kind: String
        /// By the labels as they are written.
        var instruments: [String: Instrument] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// An empty registry.
    public init() {}

    /// The counter of this name and these labels; names of counters end in `_total`.
    public func counter(_ name: String, help: String, labels: [String: String] = [:]) -> Counter {
        let made = instrument(name, help, labels, kind: "counter") { .counter(Counter()) }
        guard case .counter(let counter) = made else { preconditionFailure("\(name) is read from elsewhere") }
        return counter
    }

    /// A counter whose value is read when metrics are asked for; a later one of the same name and labels replaces it.
    public func counter(
        _ name: String, help: String, labels: [String: String] = [:], read: @escaping @Sendable () -> UInt64
    ) {
        replace(name, help, labels, with: .countRead(read))
    }

    /// The gauge of this name and these labels.
    public func gauge(_ name: String, help: String, labels: [String: String] = [:]) -> Gauge {
        let made = instrument(name, help, labels, kind: "gauge") { .gauge(Gauge()) }
        guard case .gauge(let gauge) = made else { preconditionFailure("\(name) is read from elsewhere") }
        return gauge
    }

    /// A gauge whose value is read when metrics are asked for; a later one of the same name and labels replaces it.
    public func gauge(
        _ name: String, help: String, labels: [String: String] = [:], read: @escaping @Sendable () -> Double
    ) {
        replace(name, help, labels, with: .gaugeRead(read))
    }

    /// The histogram of this name and these labels; `bounds` count at the first call.
    public func histogram(
        _ name: String, help: String, labels: [String: String] = [:], bounds: [Double] = Histogram.durationBounds
    ) -> Histogram {
        let made = instrument(name, help, labels, kind: "histogram") { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = made else { preconditionFailure("\(name) is no histogram") }
        return histogram
    }

    /// Everything, in Prometheus' text format (version 0.0.4), sorted by name and labels.
    public func text() -> String {
        // Read outside the lock: what is read may take locks of its own.
        let families = self.families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(escaped(family.help, quotes: false))\n# TYPE \(name) \(family.kind)\n"
            for (labels, instrument) in family.instruments.sorted(by: { $0.key < $1.key }) {
                write(instrument, name: name, labels: labels, to: &text)
            }
        }
        return text
    }

    private func instrument(
        _ name: String, _ help: String, _ labels: [String: String], kind: String, make: () -> Instrument
    ) -> Instrument {
        let key = labelText(labels)
        checkName(name)
        return families.withLock { families in
            var family = families[name] ?? Family(help: help, kind: kind)
            precondition(family.kind == kind, "the metric \(name) is a \(family.kind), asked for as a \(kind)")
            if let known = family.instruments[key] { return known }
            let instrument = make()
            family.instruments[key] = instrument
            families[name] = family
            return instrument
        }
    }

    private func replace(_ name: String, _ help: String, _ labels: [String: String], with instrument: Instrument) {
        let key = labelText(labels)
        checkName(name)
        families.withLock { families in
            var family = families[name] ?? Family(help: help, kind: instrument.kind)
            precondition(family.kind == instrument.kind, "the metric \(name) is a \(family.kind)")
            family.instruments[key] = instrument
            families[name] = family
        }
    }

    private func write(_ instrument: Instrument, name: String, labels: String, to text: inout String) {
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        switch instrument {
        case .counter(let counter): text += "\(name)\(braces) \(counter.value)\n"
        case .countRead(let read): text += "\(name)\(braces) \(read())\n"
        case .gauge(let gauge): text += "\(name)\(braces) \(number(gauge.value))\n"
        case .gaugeRead(let read): text += "\(name)\(braces) \(number(read()))\n"
        case .histogram(let histogram):
            let snapshot = histogram.snapshot
            let prefix = labels.isEmpty ? "" : labels + ","
            var total: UInt64 = 0
            for (bound, count) in zip(histogram.bounds + [.infinity], snapshot.counts) {
                total += count
                text += "\(name)_bucket{\(prefix)le=\"\(number(bound))\"} \(total)\n"
            }
            text += "\(name)_sum\(braces) \(number(snapshot.sum))\n\(name)_count\(braces) \(total)\n"
        }
    }

    private func labelText(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { name, value in
            checkName(name)
            return "\(name)=\"\(escaped(value, quotes: true))\""
        }.joined(separator: ",")
    }

    private func checkName(_ name: String) {
        let letters = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        precondition(letters && !name.isEmpty && name.first?.isNumber == false, "\"\(name)\" cannot name a metric")
    }

    private func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }
}
