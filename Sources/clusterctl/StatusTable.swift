import Basics
import Foundation
import Wire

/// `clusterctl status` for people.
struct StatusTable {
    let status: ClusterStatus

    /// The table, one line per node, with a headline.
    var text: String {
        let model = status.model
        let forms =
            (model.activations.map { ", activations in \($0)" } ?? "")
            + (model.results.map { ", results in \($0)" } ?? "")
        var lines = [
            status.isReady ? "ready" : "not ready: \(status.reason ?? "for no known reason")",
            """
            model \(model.name) (\(model.family), \(ReadableBytes.text(model.weightBytes)) of weights, context \
            \(model.contextTokensMax) tokens\(forms), digest \(model.digest.prefix(12)))
            """,
            "",
        ]
        lines += Self.aligned([Self.header] + status.nodes.map(Self.row))
        lines += ["", workLine]
        if let stepLine { lines.append(stepLine) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let header = [
        "NODE", "ROLE", "STATE", "ADDRESS", "SHARDS", "WEIGHTS", "BUDGET", "MEMORY", "RTT", "LOAD", "ISA", "THREADS",
        "",
    ]

    private static func row(_ node: ClusterStatus.Node) -> [String] {
        let isHost = node.role == .worker || node.shardCount > 0
        let weights =
            node.loadedBytes < node.shardBytes
            ? "\(ReadableBytes.text(node.loadedBytes)) of \(ReadableBytes.text(node.shardBytes))"
            : ReadableBytes.text(node.shardBytes)
        return [
            node.name, node.role.rawValue, node.state.rawValue, node.address, isHost ? "\(node.shardCount)" : "-",
            isHost ? weights : "-", node.memoryBudgetBytes > 0 ? ReadableBytes.text(node.memoryBudgetBytes) : "-",
            node.residentBytes > 0 ? ReadableBytes.text(node.residentBytes) : "-",
            node.roundTripMilliseconds.map { String(format: "%.2f ms", $0) } ?? "-",
            node.role == .worker ? String(format: "%.0f %%", node.load * 100) : "-",
            node.instructionSet.isEmpty ? "-" : node.instructionSet,
            node.threadCount > 0 ? "\(node.threadCount)" : "-", node.reason ?? "",
        ]
    }

    private var workLine: String {
        let work = status.work
        let states = status.model.stateBytesPerSequence ?? 0
        let format =
            (status.model.keyValueFormat.map { $0.isEmpty ? "" : " in \($0)" } ?? "")
            + (states > 0 ? " and \(ReadableBytes.text(UInt64(states))) per sequence" : "")
        return """
            \(work.runningSequences) running, \(work.waitingSequences) waiting; cache \(work.cachedTokens) of \
            \(work.cachedTokensMax) tokens\(format); \(work.requests) requests (\(work.failedRequests) failed), \
            \(work.promptTokens) prompt and \(work.generatedTokens) generated tokens
            """
    }

    /// What a step takes on average, phase by phase, longest first; nil before the first.
    private var stepLine: String? {
        guard let steps = status.work.steps, steps > 0, let phases = status.work.phaseSeconds else { return nil }
        let milliseconds = phases.mapValues { $0 / Double(steps) * 1000 }.filter { $0.value >= 0.005 }
        let parts = milliseconds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { phase, value in
            "\(phase) " + String(format: "%.2f", value)
        }
        return "\(steps) steps, milliseconds of one: " + parts.joined(separator: ", ")
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
