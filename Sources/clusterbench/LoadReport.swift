import Basics
import Foundation
import OrderedCollections

/// What a run measured, for people and for programs.
struct LoadReport {
    let plan: LoadPlan
    let outcome: LoadOutcome
    private let succeeded: [RequestOutcome]
    /// How often requests failed, by reason.
    let failures: [(reason: String, count: Int)]

    init(plan: LoadPlan, outcome: LoadOutcome) {
        self.plan = plan
        self.outcome = outcome
        succeeded = outcome.requests.filter { $0.failure == nil }
        failures = Dictionary(grouping: outcome.requests.compactMap(\.failure), by: { $0 })
            .map { ($0.key, $0.value.count) }.sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
    }

    private var outputTokens: Int { succeeded.reduce(0) { $0 + $1.outputTokens } }
    private var promptTokens: Int { succeeded.reduce(0) { $0 + $1.promptTokens } }

    /// The measured times, in milliseconds, by name; names as in the JSON document.
    private var distributions: [(name: String, words: String, summary: Summary)] {
        let perToken = succeeded.compactMap { request -> Double? in
            guard let seconds = request.generationSeconds, request.outputTokens > 1 else { return nil }
            return seconds / Double(request.outputTokens - 1)
        }
        return [
            ("timeToFirstToken", "time to first token", Summary(seconds: succeeded.compactMap(\.firstTokenSeconds))),
            ("timePerOutputToken", "time per output token", Summary(seconds: perToken)),
            ("latency", "end to end", Summary(seconds: succeeded.map(\.totalSeconds))),
        ]
    }

    /// A document with settings, counts, rates and percentiles.
    var json: JSON {
        var members: OrderedDictionary<String, JSON> = [
            "settings": settings,
            "requests": [
                "sent": .integer(Int64(outcome.requests.count)), "succeeded": .integer(Int64(succeeded.count)),
                "failed": .integer(Int64(outcome.requests.count - succeeded.count)),
            ],
            "seconds": .double(outcome.seconds),
            "requestsPerSecond": .double(Double(succeeded.count) / outcome.seconds),
            "outputTokensPerSecond": .double(Double(outputTokens) / outcome.seconds),
            "promptTokensPerSecond": .double(Double(promptTokens) / outcome.seconds),
        ]
        for (name, _, summary) in distributions { members[name + "Milliseconds"] = summary.json }
        var reasons: OrderedDictionary<String, JSON> = [:]
        for (reason, count) in failures { reasons[reason] = .integer(Int64(count)) }
        members["errors"] = .object(reasons)
        return .object(members)
    }

    private var settings: JSON {
        [
            "url": .string("http://\(plan.host):\(plan.port)"), "concurrency": .integer(Int64(plan.concurrency)),
            "rate": plan.rate.map(JSON.double) ?? .null, "requests": .integer(Int64(plan.requestCount)),
            "promptTokens": .integer(Int64(plan.promptTokens)), "outputTokens": .integer(Int64(plan.outputTokens)),
            "seed": .string(String(plan.seed)), "temperature": .double(plan.temperature),
            "stream": .bool(plan.streams),
        ]
    }

    /// A table for people.
    var table: String {
        var lines = [
            "\(succeeded.count) of \(outcome.requests.count) requests succeeded in \(number(outcome.seconds)) s",
            "\(number(Double(succeeded.count) / outcome.seconds)) requests/s, "
                + "\(number(Double(outputTokens) / outcome.seconds)) output tokens/s, "
                + "\(number(Double(promptTokens) / outcome.seconds)) prompt tokens/s",
            "",
            row("milliseconds", ["mean", "p50", "p90", "p99", "max"]),
        ]
        for (_, words, summary) in distributions where summary.count > 0 {
            let values = [summary.mean, summary.p50, summary.p90, summary.p99, summary.max]
            lines.append(row(words, values.map { number($0) }))
        }
        for (reason, count) in failures { lines.append("failed: \(count) × \(reason)") }
        return lines.joined(separator: "\n")
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        let padding = String(repeating: " ", count: max(1, 24 - name.count))
        return name + padding + cells.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
    }

    private func number(_ value: Double) -> String { String(format: value < 10 ? "%.3f" : "%.1f", value) }
}

/// Percentiles of times, in milliseconds; by the nearest rank, so each is a time that occurred.
struct Summary {
    let count: Int
    let mean, p50, p90, p99, max: Double

    init(seconds: [Double]) {
        let sorted = seconds.map { $0 * 1000 }.sorted()
        func percentile(_ share: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return sorted[Swift.max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
        }
        count = sorted.count
        mean = sorted.isEmpty ? 0 : sorted.reduce(0, +) / Double(sorted.count)
        p50 = percentile(0.5)
        p90 = percentile(0.9)
        p99 = percentile(0.99)
        max = sorted.last ?? 0
    }

    var json: JSON {
        if count == 0 { return .null }
        return [
            "mean": .double(mean), "p50": .double(p50), "p90": .double(p90), "p99": .double(p99), "max": .double(max),
        ]
    }
}
